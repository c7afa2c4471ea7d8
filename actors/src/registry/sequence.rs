//! A group's place in its log: events are delivered in `seq` order, each once. Pure.

use std::collections::BTreeMap;

use crate::ids::Epoch;
use crate::protocol::LogHead;
use crate::store::{LogState, StoredEvent};

/// Events that may wait for a gap to be filled; what is beyond is read from the log like the gap itself.
const MAX_STASHED: usize = 1_500;

/// Where one group's delivery stands on this node.
///
/// Only the log itself says that another life of it has begun ([`Self::opened`], [`Self::confirmed`]): what others tell of
/// another epoch, and a log that stands behind what was delivered, are a doubt, and the log is asked.
#[derive(Debug, Default, Clone, PartialEq, Eq, Hash)]
pub struct Sequence {
    /// The log's life and the last `seq` delivered; `None` until the log's state is known.
    at: Option<(Epoch, u64)>,
    /// Came too early.
    stash: BTreeMap<u64, StoredEvent>,
    /// The epoch of what is stashed.
    stashed: Option<Epoch>,
    /// The log is known to reach this far.
    reached: u64,
    /// It was known to reach this far when it was last asked for a gap; `None`: that was in another life, so the reply does not begin
    /// where this one stands.
    asked: Option<u64>,
    /// Reasons there were to doubt that the log is the one that was delivered, and how many there were when the log was last
    /// asked.
    doubts: u64,
    doubts_asked: u64,
    /// The log has been asked about all doubts before this one.
    doubts_settled: u64,
}

/// What is to be done now.
#[derive(Debug, Default, PartialEq)]
pub struct Due {
    /// The log was lost: the sockets are told first.
    pub reset: Option<(Epoch, u64)>,
    /// To be delivered, in this order.
    pub events: Vec<StoredEvent>,
}

/// What the log is to be asked.
#[derive(Debug, PartialEq)]
pub enum LogQuestion {
    /// The events after this `seq`.
    After(u64),
    /// Whether it is the one that was delivered up to here.
    Is(LogHead),
}

impl Sequence {
    /// Epoch and last delivered `seq`, once known.
    pub fn at(&self) -> Option<(&Epoch, u64)> {
        self.at.as_ref().map(|(epoch, seq)| (epoch, *seq))
    }

    /// Whether there is something to ask the log.
    pub fn has_questions(&self) -> bool {
        self.gap().is_some() || self.is_doubted()
    }

    /// What the log is to be asked now.
    pub fn ask(&mut self) -> Option<LogQuestion> {
        if self.is_doubted()
            && let Some((epoch, seq)) = &self.at
        {
            self.doubts_asked = self.doubts;
            return Some(LogQuestion::Is(LogHead { epoch: epoch.clone(), seq: *seq }));
        }
        self.asked = Some(self.reached);
        self.gap().map(LogQuestion::After)
    }

    /// The `seq` after which events are missing, if some are.
    fn gap(&self) -> Option<u64> {
        let (_, seq) = self.at.as_ref()?;
        (self.reached > *seq).then_some(*seq)
    }

    fn is_doubted(&self) -> bool {
        self.at.is_some() && self.doubts > self.doubts_settled
    }

    fn doubt(&mut self) {
        self.doubts += 1;
    }

    /// The log stands there now.
    pub fn opened(&mut self, state: &LogState) -> Due {
        match &self.at {
            None => {
                self.at = Some((state.head.epoch.clone(), state.head.seq));
                if self.stashed.as_ref().is_some_and(|epoch| *epoch != state.head.epoch) {
                    self.stash.clear();
                    self.reached = state.head.seq;
                    // Of the life before, or of one that has begun since.
                    self.doubt();
                }
                self.stash = self.stash.split_off(&(state.head.seq + 1));
                self.reached = self.reached.max(state.head.seq);
                Due { reset: None, events: self.take_ready() }
            }
            Some((epoch, seq)) if *epoch == state.head.epoch => {
                // It went back, or it was asked before the last of it came.
                if state.head.seq < *seq {
                    self.doubt();
                }
                self.reached(state.head.seq);
                Due::default()
            }
            Some(_) => self.restart(state),
        }
    }

    /// The log was asked whether it is the one that was delivered ([`LogQuestion::Is`]); it stands there now.
    pub fn confirmed(&mut self, state: &LogState) -> Due {
        self.doubts_settled = self.doubts_asked;
        let Some((epoch, seq)) = &mut self.at else { return self.opened(state) };
        if *epoch != state.head.epoch {
            return self.restart(state);
        }
        // What is no longer kept cannot be delivered.
        *seq = (*seq).max(state.first.saturating_sub(1));
        self.reached = self.reached.max(state.head.seq);
        let seq = *seq;
        self.stash = self.stash.split_off(&(seq + 1));
        Due { reset: None, events: self.take_ready() }
    }

    /// An event of the log is here.
    pub fn arrived(&mut self, epoch: &Epoch, event: StoredEvent) -> Due {
        match &self.at {
            Some((known, _)) if known != epoch => {
                // Which of the two is over, the log knows; there it can be read.
                self.doubt();
                return Due::default();
            }
            Some((_, seq)) if event.seq <= *seq => return Due::default(),
            None if self.stashed.as_ref() != Some(epoch) => {
                self.stash.clear();
                self.reached = 0;
                self.stashed = Some(epoch.clone());
            }
            _ => {}
        }
        self.reached = self.reached.max(event.seq);
        self.stash.insert(event.seq, event);
        if self.stash.len() > MAX_STASHED {
            self.stash.pop_last();
        }
        Due { reset: None, events: self.take_ready() }
    }

    /// The log reaches this far, as somebody else saw.
    pub fn reached(&mut self, seq: u64) {
        self.reached = self.reached.max(seq);
    }

    /// The log of this epoch reaches this far, as was heard.
    pub fn reached_in(&mut self, epoch: &Epoch, seq: u64) {
        match &self.at {
            Some((known, _)) if known != epoch => self.doubt(),
            _ => self.reached(seq),
        }
    }

    /// What was read after a gap. What the log no longer holds cannot be delivered: it is passed over.
    pub fn filled(&mut self, epoch: &Epoch, events: Vec<StoredEvent>) -> Due {
        let Some((known, seq)) = &mut self.at else { return Due::default() };
        if known != epoch {
            self.doubt();
            return Due::default();
        }
        match events.first() {
            Some(first) if self.asked.is_some() => *seq = (*seq).max(first.seq.saturating_sub(1)),
            Some(_) => {}
            // Who said that the log reaches further spoke of what is gone, or of another life of it. To pass over events
            // that are not written yet would lose them, and so would to pass over what came before those that wait here.
            None if !self.stash.is_empty() => self.doubt(),
            None if self.asked == Some(self.reached) => {
                self.reached = *seq;
                self.doubt();
            }
            // Said after the log was asked: asked again.
            None => {}
        }
        let mut due = Due::default();
        for event in events {
            due.events.extend(self.arrived(epoch, event).events);
        }
        due.events.extend(self.take_ready());
        due
    }

    /// Begins with another life of the log, after what was in it before; the rest is read.
    fn restart(&mut self, state: &LogState) -> Due {
        let LogState { head, began, .. } = state;
        self.at = Some((head.epoch.clone(), *began));
        self.stash.clear();
        self.reached = head.seq;
        self.asked = None;
        Due { reset: Some((head.epoch.clone(), *began)), events: Vec::new() }
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
mod tests;
