//! What this node knows of the slots that its answers hold: plain data.

use std::collections::HashMap;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::store::{Held, Room};

/// Who holds what here.
#[derive(Default)]
pub(super) struct HeldHere {
    /// The rooms in which each holder of this node has a slot.
    held: HashMap<String, Vec<String>>,
    /// How many slots of each room are held here.
    counts: HashMap<String, usize>,
    pub(super) returned: Vec<Returned>,
}

/// What is to be given back to the leases.
pub(super) struct Returned {
    pub(super) held: Vec<Held>,
    /// Past this the lease has ended by itself.
    pub(super) until: Instant,
    /// Who waits for it.
    pub(super) told: Option<oneshot::Sender<()>>,
}

impl HeldHere {
    pub(super) fn count(&self, room: &str) -> usize {
        self.counts.get(room).copied().unwrap_or(0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(super) fn enter(&mut self, holder: &str, rooms: &[Room]) {
        for room in rooms {
            *self.counts.entry(room.name.clone()).or_insert(0) += 1;
        }
        self.held.insert(holder.to_owned(), rooms.iter().map(|room| room.name.clone()).collect());
    }

    pub(super) fn leave(&mut self, holder: &str) -> Vec<Held> {
        let rooms = self.held.remove(holder).unwrap_or_default();
        for room in &rooms {
            if let Some(count) = self.counts.get_mut(room) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(room);
                }
            }
        }
        rooms.into_iter().map(|room| Held { room, holder: holder.to_owned() }).collect()
    }

    pub(super) fn all_held(&self) -> Vec<Held> {
        let held = |(holder, rooms): (&String, &Vec<String>)| {
            let of_one = |room: &String| Held { room: room.clone(), holder: holder.clone() };
            rooms.iter().map(of_one).collect::<Vec<_>>()
        };
        self.held.iter().flat_map(held).collect()
    }
}
