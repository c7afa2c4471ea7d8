//! A group's place in its log: events are delivered in `seq` order, each once. Pure.

use std::collections::BTreeMap;

use crate::ids::Epoch;
use crate::store::{LogState, StoredEvent};

/// Events that may wait for a gap to be filled; what is beyond is read from the log like the gap itself.
const MAX_STASHED: usize = 1_500;

/// Where one group's delivery stands on this node.
#[derive(Debug, Default)]
pub struct Sequence {
    /// The log's life and the last `seq` delivered; `None` until the log's state is known.
    at: Option<(Epoch, u64)>,
    /// Came too early.
    stash: BTreeMap<u64, StoredEvent>,
    /// The log is known to reach this far.
    reached: u64,
    /// It was known to reach this far when it was last asked for a gap.
    asked: u64,
}

/// What is to be done now.
#[derive(Debug, Default, PartialEq)]
pub struct Due {
    /// The log was lost: the sockets are told first.
    pub reset: Option<(Epoch, u64)>,
    /// To be delivered, in this order.
    pub events: Vec<StoredEvent>,
}

impl Sequence {
    /// Epoch and last delivered `seq`, once known.
    pub fn at(&self) -> Option<(&Epoch, u64)> {
        self.at.as_ref().map(|(epoch, seq)| (epoch, *seq))
    }

    /// The `seq` after which events are missing, if some are.
    pub fn gap(&self) -> Option<u64> {
        let (_, seq) = self.at.as_ref()?;
        (self.reached > *seq).then_some(*seq)
    }

    /// The `seq` after which the log is to be read now, if events are missing.
    pub fn ask(&mut self) -> Option<u64> {
        self.asked = self.reached;
        self.gap()
    }

    /// The log stands there now.
    pub fn opened(&mut self, state: &LogState) -> Due {
        match &self.at {
            None => {
                self.at = Some((state.head.epoch.clone(), state.head.seq));
                self.stash = self.stash.split_off(&(state.head.seq + 1));
                self.reached = self.reached.max(state.head.seq);
                Due { reset: None, events: self.take_ready() }
            }
            Some((epoch, _)) if *epoch == state.head.epoch => {
                self.reached(state.head.seq);
                Due::default()
            }
            Some(_) => {
                self.restart(state.head.epoch.clone(), state.head.seq);
                Due { reset: Some((state.head.epoch.clone(), state.head.seq)), events: Vec::new() }
            }
        }
    }

    /// An event of the log is here.
    pub fn arrived(&mut self, epoch: &Epoch, event: StoredEvent) -> Due {
        let mut reset = None;
        match &self.at {
            Some((known, _)) if known != epoch => {
                let before = event.seq.saturating_sub(1);
                self.restart(epoch.clone(), before);
                reset = Some((epoch.clone(), before));
            }
            Some((_, seq)) if event.seq <= *seq => return Due::default(),
            _ => {}
        }
        self.reached = self.reached.max(event.seq);
        self.stash.insert(event.seq, event);
        if self.stash.len() > MAX_STASHED {
            self.stash.pop_last();
        }
        Due { reset, events: self.take_ready() }
    }

    /// The log reaches this far, as somebody else saw.
    pub fn reached(&mut self, seq: u64) {
        self.reached = self.reached.max(seq);
    }

    /// What was read after a gap. What the log no longer holds cannot be delivered: it is passed over.
    pub fn filled(&mut self, epoch: &Epoch, events: Vec<StoredEvent>) -> Due {
        let Some((known, seq)) = &mut self.at else { return Due::default() };
        if known == epoch {
            match events.first() {
                Some(first) => *seq = (*seq).max(first.seq.saturating_sub(1)),
                None => match self.stash.keys().next() {
                    // Nothing is kept after the gap's beginning but what waits here.
                    Some(next) => *seq = (*seq).max(next - 1),
                    // Who said that the log reaches further spoke of what is gone, or of another life of it. To pass
                    // over events that are not written yet would lose them.
                    None if self.reached == self.asked => self.reached = *seq,
                    // Said after the log was asked: asked again.
                    None => {}
                },
            }
        }
        let mut due = Due::default();
        for event in events {
            let next = self.arrived(epoch, event);
            due.reset = due.reset.or(next.reset);
            due.events.extend(next.events);
        }
        due.events.extend(self.take_ready());
        due
    }

    fn restart(&mut self, epoch: Epoch, seq: u64) {
        self.at = Some((epoch, seq));
        self.stash.clear();
        self.reached = seq;
    }

    fn take_ready(&mut self) -> Vec<StoredEvent> {
        let Some((_, seq)) = &mut self.at else { return Vec::new() };
        let mut ready = Vec::new();
        while let Some(event) = self.stash.remove(&(*seq + 1)) {
            *seq += 1;
            ready.push(event);
        }
        ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::LogHead;

    fn event(seq: u64) -> StoredEvent {
        StoredEvent { seq, body: format!("{{{seq}}}").into() }
    }

    fn state(epoch: &str, seq: u64) -> LogState {
        LogState { head: LogHead { epoch: Epoch::from(epoch), seq }, first: 1 }
    }

    fn seqs(due: &Due) -> Vec<u64> {
        due.events.iter().map(|event| event.seq).collect()
    }

    #[test]
    fn events_come_out_in_order_and_once() {
        let e = Epoch::from("e");
        let mut sequence = Sequence::default();
        assert!(sequence.arrived(&e, event(3)).events.is_empty(), "held back until the log's state is known");
        assert!(seqs(&sequence.opened(&state("e", 1))).is_empty());
        assert_eq!(sequence.gap(), Some(1));
        assert_eq!(seqs(&sequence.arrived(&e, event(2))), [2, 3]);
        assert!(seqs(&sequence.arrived(&e, event(2))).is_empty());
        assert_eq!(sequence.gap(), None);
    }

    #[test]
    fn a_gap_is_filled_from_the_log() {
        let e = Epoch::from("e");
        let mut sequence = Sequence::default();
        sequence.opened(&state("e", 0));
        sequence.arrived(&e, event(4));
        assert_eq!(seqs(&sequence.filled(&e, vec![event(1), event(2), event(3)])), [1, 2, 3, 4]);
    }

    #[test]
    fn what_the_log_no_longer_holds_is_passed_over() {
        let e = Epoch::from("e");
        let mut sequence = Sequence::default();
        sequence.opened(&state("e", 0));
        sequence.arrived(&e, event(9));
        assert_eq!(seqs(&sequence.filled(&e, vec![event(7), event(8)])), [7, 8, 9]);
        sequence.reached(20);
        sequence.ask();
        assert!(seqs(&sequence.filled(&e, Vec::new())).is_empty());
        assert_eq!(sequence.gap(), None);
    }

    #[test]
    fn an_empty_page_never_makes_events_pass_that_are_still_to_come() {
        let e = Epoch::from("e");
        let mut sequence = Sequence::default();
        sequence.opened(&state("e", 3));
        // A place in an earlier life of the log.
        sequence.reached(500);
        assert_eq!(sequence.ask(), Some(3));
        sequence.filled(&e, Vec::new());
        assert_eq!(seqs(&sequence.arrived(&e, event(4))), [4]);
        sequence.reached(6);
        sequence.ask();
        sequence.reached(7);
        sequence.filled(&e, Vec::new());
        assert_eq!(sequence.gap(), Some(4), "7 was heard of after the log had been asked");
    }

    #[test]
    fn a_new_epoch_begins_anew_and_says_so() {
        let mut sequence = Sequence::default();
        sequence.opened(&state("old", 8));
        let due = sequence.arrived(&Epoch::from("new"), event(1));
        assert_eq!(due.reset, Some((Epoch::from("new"), 0)));
        assert_eq!(seqs(&due), [1]);
        assert_eq!(sequence.opened(&state("newer", 0)).reset, Some((Epoch::from("newer"), 0)));
    }
}
