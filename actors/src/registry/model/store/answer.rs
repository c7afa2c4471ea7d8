//! What the store knows of one answer, as the scripts about answers have it.

use super::life::Known;
use super::{Published, Store};
use crate::store::Renewed;

/// What the store knows of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Record {
    state: State,
    node: u8,
    is_started: bool,
    /// Nobody has renewed the lease in time.
    has_lapsed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum State {
    Owed,
    Running,
    Ended(u64),
}

/// How an end went, as in `end.lua`.
pub(in super::super) enum End {
    Now(Published),
    Before(u64),
    Unknown,
}

/// The end that its writer gives an answer, and the one that others give it.
pub(in super::super) const END: u8 = 100;
pub(in super::super) const ERROR: u8 = 101;

pub(in super::super) fn is_end(body: &str) -> bool {
    body.parse().is_ok_and(|message: u8| message >= END)
}

impl Store {
    /// `append.lua` with a question: its answer is owed.
    pub(in super::super) fn ask(&mut self, by: usize, node: u8, known: &Known, message: u8) -> Published {
        let published = self.append(by, known, message);
        self.data.answer = Some(Record { state: State::Owed, node, is_started: false, has_lapsed: false });
        published
    }

    /// `begin.lua`.
    pub(in super::super) fn begin(&mut self, node: u8) -> bool {
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
    pub(in super::super) fn start(&mut self) -> bool {
        match &mut self.data.answer {
            Some(known) if !matches!(known.state, State::Ended(_)) => {
                known.is_started = true;
                true
            }
            _ => false,
        }
    }

    /// `renew.lua`.
    pub(in super::super) fn renew(&mut self) -> Renewed {
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
    pub(in super::super) fn end(&mut self, by: usize, known: &Known, message: u8) -> End {
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
    pub(in super::super) fn orphan(&mut self) -> Option<bool> {
        let known =
            self.data.answer.as_mut().filter(|known| known.has_lapsed && !matches!(known.state, State::Ended(_)));
        known.map(|known| {
            known.has_lapsed = false;
            known.is_started
        })
    }

    /// `owe.lua`: an answer of which nothing is known is owed. Whether it is, or is being written.
    pub(in super::super) fn owe(&mut self, node: u8) -> bool {
        let owed = Record { state: State::Owed, node, is_started: false, has_lapsed: false };
        !matches!(self.data.answer.get_or_insert(owed).state, State::Ended(_))
    }

    /// `running.lua`.
    pub(in super::super) fn is_running(&self) -> bool {
        self.data.answer.as_ref().is_some_and(|known| known.state == State::Running && known.is_started)
    }

    /// So much time passes that a lease runs out which nobody renews.
    pub(in super::super) fn lapse(&mut self) {
        if let Some(known) = &mut self.data.answer {
            known.has_lapsed = true;
        }
    }

    pub(in super::super) fn may_lapse(&self) -> bool {
        self.data.answer.as_ref().is_some_and(|known| !known.has_lapsed && !matches!(known.state, State::Ended(_)))
    }

    pub(in super::super) fn has_ended(&self) -> bool {
        self.data.answer.as_ref().is_some_and(|known| matches!(known.state, State::Ended(_)))
    }

    /// The end is no longer known.
    pub(in super::super) fn forget(&mut self) {
        self.data.answer = None;
    }
}
