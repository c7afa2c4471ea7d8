//! The store as the model has it: what `scripts/life.lua` and `scripts/log.lua` do to one log, in the same steps.

mod answer;
mod life;
mod log;

use std::collections::BTreeMap;

use self::answer::Record;
pub(super) use self::answer::{END, ERROR, End, is_end};
pub(super) use self::life::Known;
use self::life::Life;
use self::log::Log;
use crate::ids::Epoch;
use crate::store::StoredEvent;

/// What an append publishes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Published {
    pub(super) by: usize,
    pub(super) life: u8,
    pub(super) count: u64,
    pub(super) epoch: u8,
    pub(super) seq: u64,
    pub(super) message: u8,
}

/// The data of a Redis server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Data {
    life: Option<u8>,
    run: u8,
    count: u64,
    lives: Vec<Life>,
    log: Option<Log>,
    /// The nodes that have a lease, and the life in which each was last heard of.
    leases: BTreeMap<u8, u8>,
    answer: Option<Record>,
}

/// A Redis server that may be started again with the data of an earlier moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Store {
    data: Data,
    saved: Data,
    run: u8,
    /// Names that nobody had before, of lives and epochs.
    fresh: u8,
    /// Whether anything is done about a store that goes back.
    pub(super) is_mended: bool,
    /// Whether an end looks if the answer has ended before.
    pub(super) ends_once: bool,
}

impl Store {
    pub(super) fn new(is_mended: bool) -> Self {
        Self { data: Data::default(), saved: Data::default(), run: 1, fresh: 0, is_mended, ends_once: true }
    }

    pub(super) fn save(&mut self) {
        self.saved = self.data.clone();
    }

    /// Killed, and started again with what was saved.
    pub(super) fn go_back(&mut self) {
        self.data = self.saved.clone();
        self.run += 1;
    }

    fn name(&mut self) -> u8 {
        self.fresh += 1;
        self.fresh
    }
}

pub(super) fn epoch(id: u8) -> Epoch {
    Epoch::from(id.to_string().as_str())
}

pub(super) fn event(seq: u64, message: u8) -> StoredEvent {
    StoredEvent { seq, body: message.to_string().into() }
}
