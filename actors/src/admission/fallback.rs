//! The limits and the slots, wherever they are kept: shared ones, and this node's own while those are away.

use std::sync::Arc;

use super::{Quota, Slots};
use crate::dependencies::Dependencies;
use crate::metrics::Metrics;
use crate::store::limits::{Bucket, Correction, Limits, Verdict};
use crate::store::{SlotRequest, StoreResult};

pub(super) struct Fallback {
    shared: Arc<dyn Limits>,
    local: Arc<dyn Limits>,
    pub(super) slots: Slots,
    pub(super) metrics: Metrics,
}

impl Fallback {
    pub(super) fn new(shared: Arc<dyn Limits>, local: Arc<dyn Limits>, slots: Slots, metrics: Metrics) -> Self {
        Self { shared, local, slots, metrics }
    }

    /// The shared limits' word, or this node's own while they are away; and whether it was the node's own. A slot that is given
    /// is noted as held here.
    pub(super) async fn admit(&self, slot: Option<&SlotRequest>, buckets: &[Bucket]) -> (Verdict, bool) {
        let mut said = self.hear_both(slot, buckets).await;
        // A slot that this node has given back a moment ago may not be free in the store yet.
        if matches!(said, Ok(Verdict::Full { .. })) && self.slots.settle_returns().await {
            said = self.hear_both(slot, buckets).await;
        }
        match (said, slot) {
            (Ok(verdict @ Verdict::Admitted { .. }), Some(slot)) => {
                self.slots.given(slot);
                (verdict, false)
            }
            (Ok(verdict), _) => (verdict, false),
            (Err(_), slot) => match slot.map_or(Ok(()), |slot| self.slots.take_here(slot)) {
                Err(room) => (Verdict::Full { room }, true),
                // The memory twin does not fail; if it did, service goes before limits.
                Ok(()) => {
                    (self.local.admit(None, buckets).await.unwrap_or(Verdict::Admitted { left: Vec::new() }), true)
                }
            },
        }
    }

    /// Asks for both in one step, and notes for each that was asked for whether it is there.
    async fn hear_both(&self, slot: Option<&SlotRequest>, buckets: &[Bucket]) -> StoreResult<Verdict> {
        let Dependencies { limits, slots, .. } = &self.metrics.dependencies;
        let admitted = self.shared.admit(slot, buckets);
        match (buckets.is_empty(), slot) {
            (false, Some(_)) => limits.watch(slots.watch(admitted)).await,
            (false, None) => limits.watch(admitted).await,
            (true, _) => slots.watch(admitted).await,
        }
    }

    /// Corrects what was admitted, where it was admitted.
    pub(super) async fn settle(&self, local: bool, corrections: &[Correction<'_>]) {
        if corrections.is_empty() {
            return;
        }
        let limits = if local { &self.local } else { &self.shared };
        if let Err(error) = limits.settle(corrections).await {
            log::debug!(error:%; "rate limits were not settled");
        }
    }

    /// What is in each bucket.
    pub(super) async fn look(&self, buckets: &[Bucket]) -> StoreResult<Vec<Quota>> {
        match self.hear(self.shared.look(buckets)).await {
            Ok(quotas) => Ok(quotas),
            Err(_) => self.local.look(buckets).await,
        }
    }

    /// Fills buckets, the node's own too. An error: only those are filled.
    pub(super) async fn fill(&self, buckets: &[Bucket]) -> StoreResult<()> {
        self.local.fill(buckets).await?;
        self.hear(self.shared.fill(buckets)).await
    }

    /// Asks the shared limits, and notes whether they are there.
    async fn hear<T>(&self, call: impl Future<Output = StoreResult<T>>) -> StoreResult<T> {
        self.metrics.dependencies.limits.watch(call).await
    }
}
