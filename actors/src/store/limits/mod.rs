//! Rate limits: buckets, and whoever keeps them.

pub mod gcra;
mod limit;
#[cfg(test)]
mod properties;

use async_trait::async_trait;

pub use limit::{Limit, Unit};

use super::{SlotRequest, StoreResult};
use crate::protocol::Quota;

/// One limit that applies to a request, as a GCRA bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Whose bucket and of what kind, for the store: `user:alice:messages`, say.
    pub key: String,
    /// Which limit this is.
    pub limit: Limit,
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
    /// Every bucket gave its units.
    Admitted {
        /// What is left in each, in the order asked.
        left: Vec<Quota>,
    },
    /// A room has no slot left; nothing was taken, and no bucket was looked at.
    Full {
        /// Which room, by its index.
        room: usize,
    },
    /// One bucket had too few; nothing was taken from any.
    Refused {
        /// Which bucket, by its index: the one with the longest wait.
        bucket: usize,
        /// When it will have enough, in milliseconds (at least 1).
        retry_after_ms: u64,
        /// What is in each, in the order asked.
        left: Vec<Quota>,
    },
}

/// A change of a bucket afterwards: positive units are taken in addition (even past its end), negative ones given back
/// (never beyond full).
#[derive(Debug, Clone, Copy)]
pub struct Correction<'a> {
    /// Which bucket; its cost does not matter.
    pub bucket: &'a Bucket,
    /// How many units.
    pub units: i64,
}

/// Where buckets are kept. All-or-nothing over the slot and every bucket of one call, in one round trip, on the keeper's own clock.
#[async_trait]
pub trait Limits: Send + Sync {
    /// Takes a slot, where one is asked for, and every bucket's cost; or nothing.
    async fn admit(&self, slot: Option<&SlotRequest>, buckets: &[Bucket]) -> StoreResult<Verdict>;
    /// Corrects buckets afterwards, all at once.
    async fn settle(&self, corrections: &[Correction<'_>]) -> StoreResult<()>;
    /// What is in each bucket, in the order asked; nothing is taken.
    async fn look(&self, buckets: &[Bucket]) -> StoreResult<Vec<Quota>>;
    /// Fills the buckets.
    async fn fill(&self, buckets: &[Bucket]) -> StoreResult<()>;
}
