//! Admission: how much a user, an address or the service may ask for.

mod actor;
pub mod gcra;
pub mod memory;
mod quota;
pub mod redis;

use async_trait::async_trait;

pub use actor::{Admit, AdmitConnect, Application, Caller, Permit, RateLimiter, Refund, Refused, Settle};
pub use quota::{Left, Quota};

use crate::store::StoreResult;

/// One limit that applies to a request, as a GCRA bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Whose bucket and of what kind, for the store: `user:alice:messages`, say.
    pub key: String,
    /// Which limit this is, for people: `messages a minute for a user`.
    pub name: &'static str,
    /// Microseconds in which one unit comes back.
    pub interval_us: u64,
    /// Units that may be taken at once.
    pub burst: u64,
    /// Units that this request takes; more than `burst` counts as `burst`.
    pub cost: u64,
}

/// The limiter's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every bucket gave its units; what is left in each, in the order asked.
    Admitted {
        /// Units left.
        remaining: Vec<u64>,
    },
    /// One bucket had too few; nothing was taken from any.
    Refused {
        /// Which bucket, by its index: the one with the longest wait.
        bucket: usize,
        /// When it will have enough, in milliseconds (at least 1).
        retry_after_ms: u64,
    },
}

/// Where buckets are kept. All-or-nothing over every bucket of one call, on the keeper's own clock.
#[async_trait]
pub trait Limits: Send + Sync {
    /// Takes every bucket's cost, or nothing.
    async fn admit(&self, buckets: &[Bucket]) -> StoreResult<Verdict>;
    /// Corrects a bucket afterwards: positive `units` are taken in addition (even past its end), negative ones given back (never beyond full).
    async fn settle(&self, bucket: &Bucket, units: i64) -> StoreResult<()>;
}
