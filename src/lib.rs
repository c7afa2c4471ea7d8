//! The edge of Sophie: how the world reaches the broker.

pub mod auth;
pub mod cli;
pub mod logging;
pub mod settings;
pub mod tls;
pub mod upstream;
