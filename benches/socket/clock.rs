//! The time, in nanoseconds since the load began.

use std::sync::OnceLock;

use tokio::time::Instant;

static BEGAN: OnceLock<Instant> = OnceLock::new();

/// Nanoseconds so far.
pub(crate) fn now() -> u64 {
    BEGAN.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

pub(crate) const SECOND: u64 = 1_000_000_000;
