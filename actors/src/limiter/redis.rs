//! Limits that all nodes share: one script to admit, one to settle, on the Redis server's clock.

use async_trait::async_trait;
use redis::Script;

use super::gcra::{self, Terms};
use super::{Bucket, Limits, Verdict};
use crate::store::redis::{Database, Keys};
use crate::store::{StoreError, StoreResult};

/// Buckets in Redis, one key each, which expires when the bucket is full again.
pub struct RedisLimits {
    database: Database,
    keys: Keys,
    admit: Script,
    settle: Script,
}

impl RedisLimits {
    /// Buckets under `keys` in `database`.
    pub(crate) fn new(database: Database, keys: Keys) -> Self {
        Self {
            database,
            keys,
            admit: Script::new(include_str!("../store/redis/scripts/admit.lua")),
            settle: Script::new(include_str!("../store/redis/scripts/settle.lua")),
        }
    }
}

#[async_trait]
impl Limits for RedisLimits {
    async fn admit(&self, buckets: &[Bucket]) -> StoreResult<Verdict> {
        if buckets.is_empty() {
            return Ok(Verdict::Admitted { remaining: Vec::new() });
        }
        let mut call = self.admit.prepare_invoke();
        for bucket in buckets {
            let terms = Terms::of(bucket);
            call.key(self.keys.limit(&bucket.key)).arg(terms.interval).arg(terms.cost).arg(terms.span);
        }
        let (refused, numbers): (i64, Vec<i64>) = self.database.script(&call).await?;
        let wrong = || StoreError::Corrupt("a limit's reply has the wrong shape".into());
        if refused > 0 {
            let bucket = usize::try_from(refused - 1).map_err(|_| wrong())?;
            let retry_after_ms = numbers.first().and_then(|ms| u64::try_from(*ms).ok()).ok_or_else(wrong)?;
            return Ok(Verdict::Refused { bucket, retry_after_ms: retry_after_ms.max(1) });
        }
        if numbers.len() != buckets.len() {
            return Err(wrong());
        }
        // -1 stands for a bucket that never empties.
        let left = |(left, bucket): (i64, &Bucket)| u64::try_from(left).unwrap_or(bucket.burst.max(1));
        Ok(Verdict::Admitted { remaining: numbers.into_iter().zip(buckets).map(left).collect() })
    }

    async fn settle(&self, bucket: &Bucket, units: i64) -> StoreResult<()> {
        let mut call = self.settle.prepare_invoke();
        call.key(self.keys.limit(&bucket.key))
            .arg(if units < 0 { "back" } else { "take" })
            .arg(gcra::shift_us(bucket, units))
            .arg(gcra::longest_us());
        self.database.script(&call).await
    }
}
