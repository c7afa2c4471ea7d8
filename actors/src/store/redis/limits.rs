//! Limits that all nodes share: one script to admit, one to settle, one to look, on the Redis server's clock.

use async_trait::async_trait;
use redis::Script;

use super::Keys;
use crate::protocol::Quota;
use crate::redis::Database;
use crate::store::limits::gcra::{self, Terms};
use crate::store::limits::{Bucket, Correction, Limits, Verdict};
use crate::store::{SLOT_LEASE_MS, SlotRequest, StoreError, StoreResult};

/// Buckets in Redis, one key each, which expires when the bucket is full again.
pub struct RedisLimits {
    database: Database,
    keys: Keys,
    admit: Script,
    settle: Script,
    look: Script,
}

impl RedisLimits {
    /// Buckets under `keys` in `database`.
    pub(crate) fn new(database: Database, keys: Keys) -> Self {
        Self {
            database,
            keys,
            admit: Script::new(include_str!("scripts/admit.lua")),
            settle: Script::new(include_str!("scripts/settle.lua")),
            look: Script::new(include_str!("scripts/look.lua")),
        }
    }
}

/// A number of a script's reply, which is not negative.
fn whole(number: i64) -> StoreResult<u64> {
    u64::try_from(number).map_err(|_| wrong())
}

fn wrong() -> StoreError {
    StoreError::Corrupt("a limit's reply has the wrong shape".into())
}

/// What is left, by the server's clock and the TATs in the order asked.
fn quotas(now: i64, buckets: &[Bucket], tats: &[i64]) -> StoreResult<Vec<Quota>> {
    if tats.len() != buckets.len() {
        return Err(wrong());
    }
    let now = whole(now)?;
    buckets.iter().zip(tats).map(|(bucket, tat)| Ok(gcra::quota(now, bucket, whole(*tat)?))).collect()
}

#[async_trait]
impl Limits for RedisLimits {
    async fn admit(&self, slot: Option<&SlotRequest>, buckets: &[Bucket]) -> StoreResult<Verdict> {
        let rooms = slot.map_or(&[][..], |slot| &slot.rooms);
        if rooms.is_empty() && buckets.is_empty() {
            return Ok(Verdict::Admitted { left: Vec::new() });
        }
        let mut call = self.admit.prepare_invoke();
        call.arg(rooms.len()).arg(slot.map_or("", |slot| slot.holder.as_str())).arg(SLOT_LEASE_MS);
        call.arg(gcra::longest_line_us());
        rooms.iter().for_each(|room| _ = call.key(self.keys.slots(&room.name)).arg(room.slots));
        for bucket in buckets {
            let terms = Terms::of(bucket);
            call.key(self.keys.limit(&bucket.key)).arg(terms.cost).arg(terms.span).arg(terms.deepest);
            call.arg(i32::from(bucket.limit.has_line()));
        }
        let (refused, wait_ms, now, tats): (i64, i64, i64, Vec<i64>) = self.database.script_again(&call).await?;
        if refused < 0 {
            // Both are counted from one, as Lua does.
            let room = usize::try_from(-refused - 1).map_err(|_| wrong())?;
            return Ok(Verdict::Full { room });
        }
        let left = quotas(now, buckets, &tats)?;
        if refused == 0 {
            return Ok(Verdict::Admitted { left });
        }
        let bucket = usize::try_from(refused - 1).map_err(|_| wrong())?;
        Ok(Verdict::Refused { bucket, retry_after_ms: whole(wait_ms)?.max(1), left })
    }

    async fn settle(&self, corrections: &[Correction<'_>]) -> StoreResult<()> {
        if corrections.is_empty() {
            return Ok(());
        }
        let mut call = self.settle.prepare_invoke();
        for Correction { bucket, units } in corrections {
            let shift = gcra::shift_us(bucket, *units);
            call.key(self.keys.limit(&bucket.key)).arg(if *units < 0 { "back" } else { "take" }).arg(shift);
            call.arg(Terms::of(bucket).deepest);
        }
        self.database.script(&call).await
    }

    async fn look(&self, buckets: &[Bucket]) -> StoreResult<Vec<Quota>> {
        if buckets.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = self.look.prepare_invoke();
        buckets.iter().for_each(|bucket| _ = call.key(self.keys.limit(&bucket.key)));
        let (now, tats): (i64, Vec<i64>) = self.database.script(&call).await?;
        quotas(now, buckets, &tats)
    }

    async fn fill(&self, buckets: &[Bucket]) -> StoreResult<()> {
        if buckets.is_empty() {
            return Ok(());
        }
        let mut delete = redis::cmd("DEL");
        for key in buckets.iter().map(|bucket| self.keys.limit(&bucket.key)) {
            delete.arg(format!("{key}:line")).arg(key);
        }
        self.database.call(async |mut connection| delete.query_async(&mut connection).await).await
    }
}
