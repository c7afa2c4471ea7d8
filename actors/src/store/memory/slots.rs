//! Leases of slots of a single node.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::Expiring;
use crate::store::{Held, SLOT_LEASE_MS, SlotLeases, SlotRequest, StoreResult};

/// The slots that are taken, by room and holder.
#[derive(Default)]
pub struct MemorySlots(Mutex<TakenSlots>);

/// The rooms, each with its holders and the ends of their leases.
pub(super) struct TakenSlots(Expiring<String, HashMap<String, Instant>>);

impl Default for TakenSlots {
    fn default() -> Self {
        Self(Expiring::new())
    }
}

impl TakenSlots {
    fn count(&self, room: &str, now: Instant) -> usize {
        self.0.get(room, now).map_or(0, |holders| holders.values().filter(|until| **until > now).count())
    }

    /// A room in which none is left for the holder.
    pub(super) fn full(&self, SlotRequest { holder, rooms }: &SlotRequest, now: Instant) -> Option<usize> {
        rooms.iter().position(|room| {
            let own =
                self.0.get(&room.name, now).and_then(|holders| holders.get(holder)).is_some_and(|until| *until > now);
            !own && self.count(&room.name, now) >= room.slots
        })
    }

    pub(super) fn take(&mut self, SlotRequest { holder, rooms }: &SlotRequest, now: Instant) {
        rooms.iter().for_each(|room| self.put(&room.name, holder, now));
    }

    fn put(&mut self, room: &str, holder: &str, now: Instant) {
        let until = now + Duration::from_millis(SLOT_LEASE_MS);
        match self.0.renew(room, Some(until), now) {
            Some(holders) => {
                holders.retain(|_, until| *until > now);
                holders.insert(holder.to_owned(), until);
            }
            None => self.0.put(room.to_owned(), HashMap::from([(holder.to_owned(), until)]), until, now),
        }
    }

    fn remove(&mut self, room: &str, holder: &str, now: Instant) {
        if let Some(holders) = self.0.renew(room, None, now) {
            holders.remove(holder);
        }
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
        held.iter().for_each(|it| taken.remove(&it.room, &it.holder, now));
        Ok(())
    }

    async fn taken(&self, room: &str) -> StoreResult<usize> {
        Ok(self.taken().count(room, Instant::now()))
    }
}
