//! Leases of slots of a single node.

use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::Expiring;
use crate::store::{Held, SLOT_LEASE_MS, SlotLeases, SlotRequest, StoreResult};

/// The slots that are taken, by room and holder.
#[derive(Default)]
pub struct MemorySlots(Mutex<TakenSlots>);

/// By room and holder.
pub(super) struct TakenSlots(Expiring<(String, String), ()>);

impl Default for TakenSlots {
    fn default() -> Self {
        Self(Expiring::new())
    }
}

impl TakenSlots {
    fn count(&self, room: &str, now: Instant) -> usize {
        let first = (room.to_owned(), String::new());
        self.0.from(Bound::Included(&first), now).take_while(|((name, _), ..)| name == room).count()
    }

    /// A room in which none is left for the holder.
    pub(super) fn full(&self, SlotRequest { holder, rooms }: &SlotRequest, now: Instant) -> Option<usize> {
        rooms.iter().position(|room| {
            let own = self.0.get(&(room.name.clone(), holder.clone()), now).is_some();
            !own && self.count(&room.name, now) >= room.slots
        })
    }

    pub(super) fn take(&mut self, SlotRequest { holder, rooms }: &SlotRequest, now: Instant) {
        rooms.iter().for_each(|room| self.put(&room.name, holder, now));
    }

    fn put(&mut self, room: &str, holder: &str, now: Instant) {
        self.0.put((room.to_owned(), holder.to_owned()), (), now + Duration::from_millis(SLOT_LEASE_MS), now);
    }
}

impl MemorySlots {
    pub(super) fn taken(&self) -> MutexGuard<'_, TakenSlots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SlotLeases for MemorySlots {
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
