//! The limits, wherever they are kept: shared ones, and this node's own while those are away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Bucket, Correction, Limits, Quota, Verdict};
use crate::metrics::Metrics;
use crate::store::{StoreError, StoreResult};

pub(super) struct Keeper {
    shared: Arc<dyn Limits>,
    local: Arc<dyn Limits>,
    degraded: AtomicBool,
    pub(super) metrics: Metrics,
}

impl Keeper {
    pub(super) fn new(shared: Arc<dyn Limits>, local: Arc<dyn Limits>, metrics: Metrics) -> Self {
        Self { shared, local, degraded: AtomicBool::new(false), metrics }
    }

    /// The shared limits' word, or this node's own while they are away; and whether it was the node's own.
    pub(super) async fn admit(&self, buckets: &[Bucket]) -> (Verdict, bool) {
        match self.heard(self.shared.admit(buckets).await) {
            Ok(verdict) => (verdict, false),
            // The memory twin does not fail; if it did, service goes before limits.
            Err(_) => (self.local.admit(buckets).await.unwrap_or(Verdict::Admitted { left: Vec::new() }), true),
        }
    }

    /// Corrects what was admitted, where it was admitted.
    pub(super) async fn settle(&self, local: bool, corrections: &[Correction<'_>]) {
        if corrections.is_empty() {
            return;
        }
        let limits = if local { &self.local } else { &self.shared };
        if let Err(error) = limits.settle(corrections).await {
            log::debug!("rate limits not settled error={error}");
        }
    }

    /// What is in each bucket.
    pub(super) async fn look(&self, buckets: &[Bucket]) -> StoreResult<Vec<Quota>> {
        match self.heard(self.shared.look(buckets).await) {
            Ok(quotas) => Ok(quotas),
            Err(_) => self.local.look(buckets).await,
        }
    }

    /// Fills buckets, the node's own too. An error: only those are filled.
    pub(super) async fn fill(&self, buckets: &[Bucket]) -> StoreResult<()> {
        self.local.fill(buckets).await?;
        self.heard(self.shared.fill(buckets).await)
    }

    /// Notes whether the shared limits are there.
    fn heard<T>(&self, said: StoreResult<T>) -> Result<T, StoreError> {
        let degraded = said.is_err();
        if self.degraded.swap(degraded, Ordering::Relaxed) != degraded {
            self.metrics.degraded.with_label_values(&["limits"]).set(i64::from(degraded));
            match &said {
                Err(error) => log::warn!("shared rate limits are away, this node's own apply error={error}"),
                Ok(_) => log::info!("shared rate limits are back"),
            }
        }
        said
    }
}
