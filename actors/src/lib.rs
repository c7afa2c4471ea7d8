//! The core of Sophie: what the broker *is*. It knows nothing of HTTP, files, environment or log set-up.

pub mod actor;
pub mod admission;
pub mod answers;
mod aside;
pub mod backend;
pub mod channel_layer;
pub mod cluster;
pub mod dependencies;
pub mod django;
pub mod failure;
pub mod ids;
pub mod ledger;
pub mod metrics;
pub mod node;
pub mod openai;
pub mod options;
pub mod patterns;
pub mod protocol;
pub mod redis;
pub mod registry;
pub mod repeated;
pub mod rights;
pub mod session;
pub mod socket;
pub mod store;
