//! Who follows the group: coming back, and being shown what is due.

use super::super::store::is_end;
use super::{World, answer};
use crate::ids::{Epoch, GroupName};
use crate::registry::group::replay;
use crate::registry::sequence::Due;
use crate::store::StoredEvent;

/// Who follows the group, and what it was shown since it was last told that something may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Client {
    pub(super) at: Option<usize>,
    pub(super) place: Option<(Epoch, u64)>,
    pub(super) shown: Vec<u8>,
}

fn group() -> GroupName {
    GroupName::parse("g").expect("legal")
}

impl World {
    /// The client attaches, as `Attach` of the registry has it, and is brought up to date.
    pub(super) fn come_back(&mut self, n: usize) -> Result<(), String> {
        let state = self.store.open(&mut self.nodes[n].known);
        let due = self.nodes[n].sequence.opened(&state);
        self.deliver(n, due)?;
        let node = &mut self.nodes[n];
        let (at, seq) = node.sequence.at().map(|(epoch, seq)| (epoch.clone(), seq)).expect("opened above");
        let resumed = self
            .client
            .place
            .clone()
            .and_then(|(seen, since)| replay(&group(), (&at, seq), Some(state.first), since, &seen));
        self.client.at = Some(n);
        match resumed {
            None => {
                self.client.place = Some((at, seq));
                self.client.shown.clear();
            }
            Some(replay) => {
                let (epoch, events) = self.store.read_after(&mut node.known, replay.after);
                if epoch == replay.epoch {
                    for event in events.into_iter().filter(|event| event.seq <= seq) {
                        self.show(&event)?;
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn deliver(&mut self, n: usize, due: Due) -> Result<(), String> {
        if due.events.iter().any(|event| is_end(&event.body)) {
            self.nodes[n].answers.end(&answer());
        }
        if self.client.at != Some(n) {
            return Ok(());
        }
        if let Some(place) = due.reset {
            self.client.place = Some(place);
            self.client.shown.clear();
        }
        due.events.iter().try_for_each(|event| self.show(event))
    }

    fn show(&mut self, event: &StoredEvent) -> Result<(), String> {
        let Some((_, seq)) = &mut self.client.place else { return Err("shown before it was told where it is".into()) };
        if event.seq != *seq + 1 {
            return Err(format!("{} follows {seq}", event.seq));
        }
        *seq = event.seq;
        self.client.shown.push(event.body.parse().expect("a message's number"));
        Ok(())
    }
}
