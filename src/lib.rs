//! Sophie's edge: how the world reaches the broker.

pub mod ui;
