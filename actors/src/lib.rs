//! The core of Sophie: what the broker *is*. It knows nothing of HTTP, files, environment or log set-up.

pub mod access;
pub mod answers;
pub mod backend;
pub mod dependencies;
pub mod directory;
pub mod django;
pub mod exit;
pub mod ids;
pub mod layer;
pub mod ledger;
pub mod limiter;
pub mod messages;
pub mod metrics;
pub mod mirror;
pub mod operators;
pub mod options;
pub mod orders;
pub mod outbox;
pub mod protocol;
pub mod registry;
pub mod relay;
pub mod services;
pub mod session;
pub mod store;
