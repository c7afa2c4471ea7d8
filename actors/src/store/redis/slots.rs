use async_trait::async_trait;
use redis::Script;

use super::keys::Keys;
use crate::redis::Database;
use crate::store::{Held, Room, SLOT_LEASE_MS, SlotLeases, StoreResult};

/// Leases that are renewed or given back in one call.
const BATCH: usize = 500;

/// The slots: for each room a sorted set of its holders by the ends of their leases, on the server's clock.
pub struct RedisSlots {
    database: Database,
    keys: Keys,
    take: Script,
    renew: Script,
    taken: Script,
}

impl RedisSlots {
    pub(super) fn new(database: Database, keys: Keys) -> Self {
        Self {
            database,
            keys,
            take: Script::new(include_str!("scripts/slots_take.lua")),
            renew: Script::new(include_str!("scripts/slots_renew.lua")),
            taken: Script::new(include_str!("scripts/slots_taken.lua")),
        }
    }
}

#[async_trait]
impl SlotLeases for RedisSlots {
    async fn take(&self, holder: &str, rooms: &[Room]) -> StoreResult<Result<(), usize>> {
        let mut call = self.take.prepare_invoke();
        call.arg(holder).arg(SLOT_LEASE_MS);
        rooms.iter().for_each(|room| _ = call.key(self.keys.slots(&room.name)).arg(room.slots));
        // Counted from one, as Lua does.
        let full: usize = self.database.script(&call).await?;
        Ok(full.checked_sub(1).map_or(Ok(()), Err))
    }

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
