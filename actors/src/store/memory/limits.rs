//! Limits of this process alone: the whole keeper of a single node, and every node's stand-in while Redis is away.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::Expiring;
use super::slots::MemorySlots;
use crate::protocol::Quota;
use crate::store::limits::{Bucket, Correction, Limits, Verdict, gcra};
use crate::store::{SlotRequest, StoreResult};

/// Buckets in this process's memory, on its own monotonic clock. A bucket that is full again is forgotten.
pub struct MemoryLimits {
    start: Instant,
    slots: Arc<MemorySlots>,
    tats: Mutex<Expiring<String, u64>>,
}

impl MemoryLimits {
    /// Every bucket full, and every slot free.
    pub fn new() -> Self {
        Self::beside(Arc::default())
    }

    /// Every bucket full. Slots are taken of these.
    pub(super) fn beside(slots: Arc<MemorySlots>) -> Self {
        Self { start: Instant::now(), slots, tats: Mutex::new(Expiring::new()) }
    }

    fn now_us(&self, now: Instant) -> u64 {
        u64::try_from(now.duration_since(self.start).as_micros()).unwrap_or(u64::MAX >> 12)
    }

    fn until(&self, tat: u64) -> Instant {
        self.start + Duration::from_micros(tat)
    }
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Limits for MemoryLimits {
    async fn admit(&self, slot: Option<&SlotRequest>, buckets: &[Bucket]) -> StoreResult<Verdict> {
        let (mut taken, now) = (self.slots.taken(), Instant::now());
        if let Some(room) = slot.and_then(|slot| taken.full(slot, now)) {
            return Ok(Verdict::Full { room });
        }
        let mut tats = self.tats.lock().unwrap_or_else(PoisonError::into_inner);
        let stored: Vec<_> = buckets.iter().map(|bucket| tats.get(&bucket.key, now).copied()).collect();
        let now_us = self.now_us(now);
        let (mut verdict, after) = gcra::admit(now_us, buckets, &stored);
        if let Verdict::Refused { bucket, retry_after_ms, .. } = &mut verdict
            && buckets[*bucket].limit.has_line()
        {
            let bucket = &buckets[*bucket];
            let key = line_of(bucket);
            let (wait, place) = gcra::line(now_us, bucket, *retry_after_ms * 1_000, tats.get(&key, now).copied());
            tats.put(key, place, self.until(place), now);
            *retry_after_ms = wait.div_ceil(1_000);
        }
        if let (Some(slot), Verdict::Admitted { .. }) = (slot, &verdict) {
            taken.take(slot, now);
        }
        for (bucket, tat) in buckets.iter().zip(after).filter(|(_, tat)| *tat > now_us) {
            tats.put(bucket.key.clone(), tat, self.until(tat), now);
        }
        Ok(verdict)
    }

    async fn settle(&self, corrections: &[Correction<'_>]) -> StoreResult<()> {
        let mut tats = self.tats.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        for Correction { bucket, units } in corrections {
            let stored = tats.get(&bucket.key, now).copied();
            let tat = gcra::settle(self.now_us(now), bucket, stored, *units);
            tats.put(bucket.key.clone(), tat, self.until(tat), now);
        }
        Ok(())
    }

    async fn look(&self, buckets: &[Bucket]) -> StoreResult<Vec<Quota>> {
        let tats = self.tats.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (tat, now_us) = (|bucket: &Bucket| tats.get(&bucket.key, now).copied().unwrap_or(0), self.now_us(now));
        Ok(buckets.iter().map(|bucket| gcra::quota(now_us, bucket, tat(bucket))).collect())
    }

    async fn fill(&self, buckets: &[Bucket]) -> StoreResult<()> {
        let mut tats = self.tats.lock().unwrap_or_else(PoisonError::into_inner);
        for bucket in buckets {
            tats.remove(&bucket.key, Instant::now());
            tats.remove(&line_of(bucket), Instant::now());
        }
        Ok(())
    }
}

/// Under which key it stands who comes back when.
fn line_of(bucket: &Bucket) -> String {
    format!("{}:line", bucket.key)
}
