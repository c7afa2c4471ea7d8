use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::Expiring;
use crate::store::{Held, Room, SLOT_LEASE_MS, SlotLeases, StoreResult};

/// The slots that are taken, by room and holder.
#[derive(Default)]
pub struct MemorySlots(Mutex<Taken>);

struct Taken(Expiring<(String, String), ()>);

impl Default for Taken {
    fn default() -> Self {
        Self(Expiring::new())
    }
}

impl Taken {
    fn count(&self, room: &str, now: Instant) -> usize {
        let first = (room.to_owned(), String::new());
        self.0.from(Bound::Included(&first), now).take_while(|((name, _), ..)| name == room).count()
    }

    fn put(&mut self, room: &str, holder: &str, now: Instant) {
        self.0.put((room.to_owned(), holder.to_owned()), (), now + Duration::from_millis(SLOT_LEASE_MS), now);
    }
}

impl MemorySlots {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SlotLeases for MemorySlots {
    async fn take(&self, holder: &str, rooms: &[Room]) -> StoreResult<Result<(), usize>> {
        let (mut taken, now) = (self.taken(), Instant::now());
        let is_full = |room: &Room| {
            let own = taken.0.get(&(room.name.clone(), holder.to_owned()), now).is_some();
            !own && taken.count(&room.name, now) >= room.slots
        };
        if let Some(full) = rooms.iter().position(is_full) {
            return Ok(Err(full));
        }
        rooms.iter().for_each(|room| taken.put(&room.name, holder, now));
        Ok(Ok(()))
    }

    async fn renew(&self, held: &[Held]) -> StoreResult<()> {
        let (mut taken, now) = (self.taken(), Instant::now());
        held.iter().for_each(|it| taken.put(&it.room, &it.holder, now));
        Ok(())
    }

    async fn release(&self, held: &[Held]) -> StoreResult<()> {
        let (mut taken, now) = (self.taken(), Instant::now());
        held.iter().for_each(|it| _ = taken.0.remove(&(it.room.clone(), it.holder.clone()), now));
        Ok(())
    }

    async fn taken(&self, room: &str) -> StoreResult<usize> {
        Ok(self.taken().count(room, Instant::now()))
    }
}
