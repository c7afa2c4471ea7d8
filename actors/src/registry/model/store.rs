//! The store as the model has it: what `scripts/life.lua` and `scripts/log.lua` do to one log, in the same steps.

use std::collections::BTreeMap;

use crate::ids::Epoch;
use crate::protocol::LogHead;
use crate::store::{LogState, Renewed, StoredEvent};

/// How a life of the store began, as in `life.lua`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum How {
    First,
    Kept,
    Lost,
    Doubted,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Life {
    id: u8,
    base: u64,
    how: How,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Log {
    epoch: u8,
    began: u64,
    life: u8,
    mark: u64,
    events: Vec<u8>,
}

/// What a node knows of the store, and tells it with each script.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Known {
    pub(super) life: Option<u8>,
    pub(super) count: u64,
    others: Vec<(u8, u64)>,
}

impl Known {
    /// The store itself says so.
    fn told(&mut self, life: u8, count: u64) {
        if self.life != Some(life) {
            let before = (self.life.replace(life), std::mem::take(&mut self.count));
            if let (Some(id), count) = before {
                self.note(id, count);
            }
        }
        self.count = self.count.max(count);
    }

    /// Another node's append was heard.
    pub(super) fn noticed(&mut self, life: u8, count: u64) {
        match self.life == Some(life) {
            true => self.count = self.count.max(count),
            false => self.note(life, count),
        }
    }

    fn note(&mut self, life: u8, count: u64) {
        match self.others.iter_mut().find(|(known, _)| *known == life) {
            Some((_, known)) => *known = count.max(*known),
            None => self.others.push((life, count)),
        }
    }
}

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

/// What the store knows of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Record {
    state: State,
    node: u8,
    is_started: bool,
    /// Nobody has renewed the lease in time.
    has_lapsed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum State {
    Owed,
    Running,
    Ended(u64),
}

/// How an end went, as in `end.lua`.
pub(super) enum End {
    Now(Published),
    Before(u64),
    Unknown,
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

pub(super) fn epoch(id: u8) -> Epoch {
    Epoch::from(id.to_string().as_str())
}

/// The end that its writer gives an answer, and the one that others give it.
pub(super) const END: u8 = 100;
pub(super) const ERROR: u8 = 101;

pub(super) fn is_end(body: &str) -> bool {
    body.parse().is_ok_and(|message: u8| message >= END)
}

pub(super) fn event(seq: u64, message: u8) -> StoredEvent {
    StoredEvent { seq, body: message.to_string().into() }
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

    fn begin_life(&mut self, how: How) {
        let id = self.name();
        let run = self.run;
        let data = &mut self.data;
        data.lives.push(Life { id, base: data.count, how });
        (data.life, data.run) = (Some(id), run);
    }

    fn wrong_with(&self, id: u8, known: u64, strict: bool) -> Option<How> {
        let data = &self.data;
        if data.life == Some(id) {
            return (known > data.count).then_some(How::Lost);
        }
        let Some(at) = data.lives.iter().position(|life| life.id == id) else { return strict.then_some(How::Lost) };
        let later = &data.lives[at + 1..];
        if later.iter().any(|life| matches!(life.how, How::Lost | How::Doubted)) {
            return None;
        }
        match later.first() {
            Some(next) => (known > next.base).then_some(How::Doubted),
            None => strict.then_some(How::Lost),
        }
    }

    /// What every script begins with.
    fn enter(&mut self, known: &Known) {
        if !self.is_mended && self.data.life.is_some() {
            return;
        }
        if self.data.life.is_none() {
            return self.begin_life(if known.life.is_none() { How::First } else { How::Lost });
        }
        if self.run != self.data.run {
            let whole = self.data.life == known.life && known.count <= self.data.count;
            self.begin_life(if whole { How::Kept } else { How::Lost });
        } else if self.data.life != known.life || known.count > self.data.count {
            let wrong = known.life.and_then(|life| self.wrong_with(life, known.count, true));
            if let Some(how) = wrong {
                self.begin_life(how);
            }
        }
    }

    /// `claim.lua`, and the heartbeat behind it: a node tells all that it knows, and renews its lease.
    pub(super) fn claim(&mut self, node: u8, known: &mut Known) {
        self.enter(known);
        if self.is_mended {
            let wrong = known.others.iter().find_map(|(life, count)| self.wrong_with(*life, *count, false));
            if let Some(how) = wrong {
                self.begin_life(how);
            }
        }
        known.others.clear();
        self.tell(known);
        self.data.leases.insert(node, self.data.life.unwrap_or_default());
    }

    /// Nodes whose leases have run out are buried: one that did not live to see a life that was kept may have known better.
    pub(super) fn bury(&mut self, living: &[u8]) {
        let dead: Vec<u8> = self.data.leases.keys().copied().filter(|node| !living.contains(node)).collect();
        for node in dead {
            let last = self.data.leases.remove(&node);
            let kept = self.data.lives.last().is_some_and(|life| life.how == How::Kept);
            if self.is_mended && kept && last != self.data.life {
                self.begin_life(How::Doubted);
            }
        }
    }

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
    pub(super) fn append(&mut self, by: usize, known: &Known, message: u8) -> Published {
        self.enter(known);
        let log = self.log();
        log.events.push(message);
        let (epoch, seq) = (log.epoch, log.events.len() as u64);
        self.data.count += 1;
        Published { by, life: self.data.life.unwrap_or_default(), count: self.data.count, epoch, seq, message }
    }

    /// The reply of an append was read.
    pub(super) fn replied(known: &mut Known, published: &Published) {
        known.told(published.life, published.count);
    }

    /// `open.lua`.
    pub(super) fn open(&mut self, known: &mut Known) -> LogState {
        self.enter(known);
        self.tell(known);
        self.state()
    }

    /// What every reply tells of the store.
    fn tell(&self, known: &mut Known) {
        known.told(self.data.life.unwrap_or_default(), self.data.count);
    }

    /// `confirm.lua`.
    pub(super) fn confirm(&mut self, known: &mut Known, head: &LogHead) -> LogState {
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
    pub(super) fn read_after(&mut self, known: &mut Known, after: u64) -> (Epoch, Vec<StoredEvent>) {
        self.enter(known);
        self.tell(known);
        let log = self.log();
        let events = (1..).zip(&log.events).filter(|(seq, _)| *seq > after).map(|(seq, message)| event(seq, *message));
        (epoch(log.epoch), events.collect())
    }

    /// What is in the log, and in which epoch.
    pub(super) fn logged(&self) -> (Epoch, Vec<u8>) {
        let log = self.data.log.as_ref();
        (epoch(log.map_or(0, |log| log.epoch)), log.map_or_else(Vec::new, |log| log.events.clone()))
    }

    /// `append.lua` with a question: its answer is owed.
    pub(super) fn ask(&mut self, by: usize, node: u8, known: &Known, message: u8) -> Published {
        let published = self.append(by, known, message);
        self.data.answer = Some(Record { state: State::Owed, node, is_started: false, has_lapsed: false });
        published
    }

    /// `begin.lua`.
    pub(super) fn begin(&mut self, node: u8) -> bool {
        match &self.data.answer {
            Some(Record { state: State::Ended(_), .. }) => return false,
            Some(Record { state: State::Running, node: by, .. }) if *by != node => return false,
            _ => {}
        }
        let is_started = self.data.answer.as_ref().is_some_and(|known| known.is_started);
        self.data.answer = Some(Record { state: State::Running, node, is_started, has_lapsed: false });
        true
    }

    /// `start.lua`. Whether it was told to the others.
    pub(super) fn start(&mut self) -> bool {
        match &mut self.data.answer {
            Some(known) if !matches!(known.state, State::Ended(_)) => {
                known.is_started = true;
                true
            }
            _ => false,
        }
    }

    /// `renew.lua`.
    pub(super) fn renew(&mut self) -> Renewed {
        match &mut self.data.answer {
            Some(Record { state: State::Ended(_), .. }) => Renewed::Ended,
            Some(known) if known.state == State::Running => {
                known.has_lapsed = false;
                Renewed::Held
            }
            _ => Renewed::Unknown,
        }
    }

    /// `end.lua`. What the reply tells of the store is known when it is read.
    pub(super) fn end(&mut self, by: usize, known: &Known, message: u8) -> End {
        self.enter(known);
        let Some(record) = &self.data.answer else { return End::Unknown };
        if let State::Ended(seq) = record.state
            && self.ends_once
        {
            return End::Before(seq);
        }
        let published = self.append(by, known, message);
        if let Some(record) = &mut self.data.answer {
            record.state = State::Ended(published.seq);
        }
        End::Now(published)
    }

    /// `orphan.lua`: whether there is one; whether clients have heard of its start.
    pub(super) fn orphan(&mut self) -> Option<bool> {
        let known =
            self.data.answer.as_mut().filter(|known| known.has_lapsed && !matches!(known.state, State::Ended(_)));
        known.map(|known| {
            known.has_lapsed = false;
            known.is_started
        })
    }

    /// `owe.lua`: an answer of which nothing is known is owed. Whether it is, or is being written.
    pub(super) fn owe(&mut self, node: u8) -> bool {
        let owed = Record { state: State::Owed, node, is_started: false, has_lapsed: false };
        !matches!(self.data.answer.get_or_insert(owed).state, State::Ended(_))
    }

    /// `running.lua`.
    pub(super) fn is_running(&self) -> bool {
        self.data.answer.as_ref().is_some_and(|known| known.state == State::Running && known.is_started)
    }

    /// So much time passes that a lease runs out which nobody renews.
    pub(super) fn lapse(&mut self) {
        if let Some(known) = &mut self.data.answer {
            known.has_lapsed = true;
        }
    }

    pub(super) fn may_lapse(&self) -> bool {
        self.data.answer.as_ref().is_some_and(|known| !known.has_lapsed && !matches!(known.state, State::Ended(_)))
    }

    pub(super) fn has_ended(&self) -> bool {
        self.data.answer.as_ref().is_some_and(|known| matches!(known.state, State::Ended(_)))
    }

    /// The end is no longer known.
    pub(super) fn forget(&mut self) {
        self.data.answer = None;
    }

    /// Where the log has an end, as `answers/ending.rs` looks for it.
    pub(super) fn look(&mut self, known: &mut Known) -> Option<u64> {
        let (_, events) = self.read_after(known, 0);
        events.iter().find(|event| is_end(&event.body)).map(|event| event.seq)
    }
}
