//! The log of one group, as `scripts/log.lua` and the scripts about logs have it.

use super::answer::is_end;
use super::life::{How, Known};
use super::{Data, Published, Store, epoch, event};
use crate::ids::Epoch;
use crate::protocol::LogHead;
use crate::store::{LogState, StoredEvent};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Log {
    epoch: u8,
    began: u64,
    life: u8,
    mark: u64,
    events: Vec<u8>,
}

impl Store {
    /// The log in the present life, which is made if there is none.
    fn log(&mut self) -> &mut Log {
        let life = self.data.life.unwrap_or_default();
        let fresh = self.fresh + 1;
        let Data { lives, log, .. } = &mut self.data;
        let made = log.is_none();
        let log = log.get_or_insert_with(|| Log { epoch: fresh, began: 0, life, mark: 0, events: Vec::new() });
        let mut named = made;
        if log.life != life {
            let seq = log.events.len() as u64;
            let at = lives.iter().position(|it| it.id == log.life);
            let first = at.and_then(|at| {
                let later = lives[at + 1..].iter();
                later.clone().position(|it| matches!(it.how, How::Lost | How::Doubted)).map(|place| at + 1 + place)
            });
            match (at, first) {
                (Some(_), None) => {}
                (at, first) => {
                    let doubted = at.zip(first).is_some_and(|(at, first)| {
                        lives[at].how == How::Kept && first == at + 1 && lives[first].how == How::Doubted
                    });
                    log.began = if doubted { log.mark } else { seq };
                    log.epoch = fresh;
                    named = true;
                }
            }
            (log.life, log.mark) = (life, seq);
        }
        if named {
            self.fresh = fresh;
        }
        self.data.log.as_mut().expect("made above")
    }

    /// `append.lua`. What the reply tells of the store is known when the reply is read: [`Self::replied`].
    pub(in super::super) fn append(&mut self, by: usize, known: &Known, message: u8) -> Published {
        self.enter(known);
        let log = self.log();
        log.events.push(message);
        let (epoch, seq) = (log.epoch, log.events.len() as u64);
        self.data.count += 1;
        Published { by, life: self.data.life.unwrap_or_default(), count: self.data.count, epoch, seq, message }
    }

    /// The reply of an append was read.
    pub(in super::super) fn replied(known: &mut Known, published: &Published) {
        known.told(published.life, published.count);
    }

    /// `open.lua`.
    pub(in super::super) fn open(&mut self, known: &mut Known) -> LogState {
        self.enter(known);
        self.tell(known);
        self.state()
    }

    /// `confirm.lua`.
    pub(in super::super) fn confirm(&mut self, known: &mut Known, head: &LogHead) -> LogState {
        let state = self.open(known);
        if self.is_mended && state.head.epoch == head.epoch && state.head.seq < head.seq {
            self.begin_life(How::Lost);
            self.tell(known);
            return self.state();
        }
        state
    }

    fn state(&mut self) -> LogState {
        let log = self.log();
        let seq = log.events.len() as u64;
        LogState { head: LogHead { epoch: epoch(log.epoch), seq }, first: 1, began: log.began }
    }

    /// `read.lua`.
    pub(in super::super) fn read_after(&mut self, known: &mut Known, after: u64) -> (Epoch, Vec<StoredEvent>) {
        self.enter(known);
        self.tell(known);
        let log = self.log();
        let events = (1..).zip(&log.events).filter(|(seq, _)| *seq > after).map(|(seq, message)| event(seq, *message));
        (epoch(log.epoch), events.collect())
    }

    /// What is in the log, and in which epoch.
    pub(in super::super) fn logged(&self) -> (Epoch, Vec<u8>) {
        let log = self.data.log.as_ref();
        (epoch(log.map_or(0, |log| log.epoch)), log.map_or_else(Vec::new, |log| log.events.clone()))
    }

    /// Where the log has an end, as `answers/ending.rs` looks for it.
    pub(in super::super) fn look(&mut self, known: &mut Known) -> Option<u64> {
        let (_, events) = self.read_after(known, 0);
        events.iter().find(|event| is_end(&event.body)).map(|event| event.seq)
    }
}
