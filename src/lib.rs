//! The edge of Sophie: how the world reaches the broker.

pub mod app;
pub mod auth;
pub mod check;
pub mod cli;
pub mod describe;
pub mod http;
pub mod line;
pub mod logging;
pub mod settings;
pub mod telemetry;
pub mod tls;
pub mod top;
pub mod trace_context;
pub mod ui;
pub mod upstream;
pub mod websocket;
pub mod ws;
