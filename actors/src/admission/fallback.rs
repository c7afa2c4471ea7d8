//! The limits, wherever they are kept: shared ones, and this node's own while those are away.

use std::sync::Arc;

use tokio::time::Instant;

use super::Quota;
use crate::metrics::Metrics;
use crate::store::StoreResult;
use crate::store::limits::{Bucket, Correction, Limits, Verdict};

pub(super) struct Fallback {
    shared: Arc<dyn Limits>,
    local: Arc<dyn Limits>,
    pub(super) metrics: Metrics,
}

impl Fallback {
    pub(super) fn new(shared: Arc<dyn Limits>, local: Arc<dyn Limits>, metrics: Metrics) -> Self {
        Self { shared, local, metrics }
    }

    /// The shared limits' word, or this node's own while they are away; and whether it was the node's own.
    pub(super) async fn admit(&self, buckets: &[Bucket]) -> (Verdict, bool) {
        match self.hear(self.shared.admit(buckets)).await {
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
        let (started, limits) = (Instant::now(), &self.metrics.dependencies.limits);
        call.await.inspect(|_| limits.worked()).inspect_err(|error| limits.failed(started, &error.to_string()))
    }
}
