//! How the world reaches the broker.

pub mod upstream;
