//! Leases of slots in Redis.

use async_trait::async_trait;
use redis::Script;

use super::keys::Keys;
use crate::redis::Database;
use crate::store::{Held, SLOT_LEASE_MS, SlotLeases, StoreResult};

/// Leases that are renewed or given back in one call.
const BATCH: usize = 500;

/// The slots: for each room a sorted set of its holders by the ends of their leases, on the server's clock.
pub struct RedisSlots {
    database: Database,
    keys: Keys,
    renew: Script,
    taken: Script,
}

impl RedisSlots {
    pub(super) fn new(database: Database, keys: Keys) -> Self {
        Self {
            database,
            keys,
            renew: Script::new(include_str!("scripts/slots_renew.lua")),
            taken: Script::new(include_str!("scripts/slots_taken.lua")),
        }
    }
}

#[async_trait]
impl SlotLeases for RedisSlots {
    async fn renew(&self, held: &[Held]) -> StoreResult<()> {
        for batch in held.chunks(BATCH) {
            let mut call = self.renew.prepare_invoke();
            call.arg(SLOT_LEASE_MS);
            batch.iter().for_each(|it| _ = call.key(self.keys.slots(&it.room)).arg(&it.holder));
            let (): () = self.database.script(&call).await?;
        }
        Ok(())
    }

    async fn release(&self, held: &[Held]) -> StoreResult<()> {
        for batch in held.chunks(BATCH) {
            let mut pipe = redis::pipe();
            batch.iter().for_each(|it| _ = pipe.zrem(self.keys.slots(&it.room), &it.holder).ignore());
            let (): () = self.database.call(async |mut connection| pipe.query_async(&mut connection).await).await?;
        }
        Ok(())
    }

    async fn taken(&self, room: &str) -> StoreResult<usize> {
        self.database.script(&self.taken.key(self.keys.slots(room))).await
    }
}
