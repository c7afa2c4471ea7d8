//! The core of Sophie: what the broker *is*. It knows nothing of HTTP, files, environment or log set-up.

pub mod backend;
pub mod ids;
pub mod limiter;
pub mod options;
pub mod protocol;
pub mod store;
