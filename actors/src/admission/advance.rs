//! Units of reads and joins that this node has taken from the shared buckets in advance: most commands then cost no round
//! trip. A user cannot get more by going to several nodes, since what a node has taken is gone for the others; what is not
//! used within a minute is lost, at most a sixteenth of a bucket for each node.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::store::limits::Bucket;
use crate::store::memory::Expiring;

/// This part of a bucket is taken at once.
const PART: u64 = 16;
/// What is not used after this is forgotten.
const LIFE: Duration = Duration::from_secs(60);

/// What was taken, by the buckets' keys.
pub(super) struct Advances(Mutex<Expiring<String, u64>>);

impl Default for Advances {
    fn default() -> Self {
        Self(Mutex::new(Expiring::new()))
    }
}

impl Advances {
    /// How many units to ask for when so many are missing.
    pub(super) fn size(bucket: &Bucket, missing: u64) -> u64 {
        missing.max(bucket.burst / PART)
    }

    /// Takes units that are there; how many are missing.
    pub(super) fn take(&self, bucket: &Bucket, units: u64) -> u64 {
        let mut advances = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(there) = advances.renew(&bucket.key, None, Instant::now()) else { return units };
        let taken = units.min(*there);
        *there -= taken;
        units - taken
    }

    /// Puts units there.
    pub(super) fn give(&self, bucket: &Bucket, units: u64) {
        if units == 0 {
            return;
        }
        let (mut advances, now) = (self.0.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
        let there = advances.get(&bucket.key, now).copied().unwrap_or(0);
        advances.put(bucket.key.clone(), there + units, now + LIFE, now);
    }
}
