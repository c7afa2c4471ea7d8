//! What the tests and the benches share: servers that they start and that misbehave on request, stores with faults, vectors,
//! and waiting with a deadline.
//!
//! The core's own unit tests use it too, and they are another build of the core than the one that [`stores`] and [`faults`] know:
//! to them, these two speak of foreign types, and everything else is theirs as well.

pub mod ai_server;
pub mod certificates;
pub mod faults;
mod port;
pub mod properties;
mod redis_server;
pub mod seeds;
pub mod stores;
pub mod vectors;
mod waiting;

pub use port::HeldPort;
pub use redis_server::TestServer;
pub use waiting::{eventually, until};
