//! How many answers a session has under way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ids::SessionId;

/// The slots of all sessions of this node; clones share them.
#[derive(Debug, Clone)]
pub struct Slots {
    per_session: usize,
    taken: Arc<Mutex<HashMap<SessionId, usize>>>,
}

/// One slot, free again when dropped.
#[derive(Debug)]
pub struct Slot {
    slots: Slots,
    session: SessionId,
}

impl Slots {
    /// `per_session` answers at once.
    pub fn new(per_session: usize) -> Self {
        Self { per_session, taken: Arc::default() }
    }

    fn table(&self) -> MutexGuard<'_, HashMap<SessionId, usize>> {
        // A count is changed in one step; a panic elsewhere leaves it right.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot, if one is free.
    pub fn take(&self, session: &SessionId) -> Option<Slot> {
        let mut table = self.table();
        let taken = table.entry(session.clone()).or_insert(0);
        if *taken >= self.per_session {
            return None;
        }
        *taken += 1;
        Some(Slot { slots: self.clone(), session: session.clone() })
    }

    /// How many are taken.
    pub fn taken(&self, session: &SessionId) -> usize {
        self.table().get(session).copied().unwrap_or(0)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut table = self.slots.table();
        if let Some(taken) = table.get_mut(&self.session) {
            *taken -= 1;
            if *taken == 0 {
                table.remove(&self.session);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_slot_is_free_again() {
        let slots = Slots::new(1);
        let session = SessionId::parse("s").expect("legal");
        let slot = slots.take(&session).expect("free");
        assert!(slots.take(&session).is_none());
        drop(slot);
        assert_eq!(slots.taken(&session), 0);
        assert!(slots.take(&session).is_some());
    }
}
