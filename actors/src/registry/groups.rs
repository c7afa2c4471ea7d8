//! One group on this node: its place in the log, the answers under way, and what arrives for it.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::time::Instant;

use super::GroupRegistry;
use super::answers::{Answers, Piece};
use super::presence::Presence;
use super::sequence::Sequence;
use crate::ids::{AnswerId, Epoch, GroupName};
use crate::protocol::{Event, Logged};
use crate::registry::messages::*;
use crate::socket::{Delta, Replay};
use crate::store::{AnswerRecord, StoredEvent};

/// Appends of one moment may report in another order than the log's: a gap is asked for only after this.
const GAP_PATIENCE: Duration = Duration::from_millis(30);
/// How soon a gap that could not be filled is asked for again.
const GAP_RETRY: Duration = Duration::from_secs(1);
/// How long a group that somebody is about to enter is kept without members.
const PREPARED_FOR: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, PartialEq)]
enum Filling {
    No,
    Asked,
    Failed,
}

/// The state.
pub(super) struct Group {
    pub(super) sequence: Sequence,
    pub(super) answers: Answers,
    pub(super) presence: Presence,
    filling: Filling,
    prepared_at: Instant,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            sequence: Sequence::default(),
            answers: Answers::default(),
            presence: Presence::default(),
            filling: Filling::No,
            prepared_at: Instant::now(),
        }
    }
}

impl Group {
    pub(super) fn prepare(&mut self) {
        self.prepared_at = Instant::now();
    }

    /// Nothing is lost when the state of a group without members is dropped.
    pub(super) fn is_idle(&self) -> bool {
        self.answers.is_empty() && self.prepared_at.elapsed() >= PREPARED_FOR
    }

    /// How soon the ear is to be asked for a gap, if it is not being asked already.
    pub(super) fn wants_filling(&mut self) -> Option<Duration> {
        if !self.sequence.has_questions() {
            return None;
        }
        let delay = match self.filling {
            Filling::Asked => return None,
            Filling::No => GAP_PATIENCE,
            Filling::Failed => GAP_RETRY,
        };
        self.filling = Filling::Asked;
        Some(delay)
    }

    pub(super) fn filling_ended(&mut self) {
        self.filling = Filling::No;
    }

    pub(super) fn filling_failed(&mut self) {
        self.filling = Filling::Failed;
    }
}

pub(super) fn piece(group: &GroupName, answer: &AnswerId, offset: usize, text: String) -> Arc<Delta> {
    Arc::new(Delta::new(group.clone(), answer.clone(), offset, text))
}

/// The answer that ends with an event. Messages are the many: only ends are parsed.
pub(super) fn ended(event: &StoredEvent) -> Option<AnswerId> {
    let logged = event.body.starts_with("{\"type\":\"answer.").then(|| serde_json::from_str::<Logged>(&event.body));
    logged?.ok()?.ended_answer().cloned()
}

/// What a client that saw `since` of epoch `seen` must be given, if the log still holds all of it.
/// `first` is the oldest event that is kept; `None` if that is not known, which matters only when something was missed.
pub(super) fn replay(
    group: &GroupName,
    at: (&Epoch, u64),
    first: Option<u64>,
    since: u64,
    seen: &Epoch,
) -> Option<Replay> {
    let (epoch, seq) = at;
    // `since` is the client's word: any number.
    let held = since == seq || first.is_some_and(|first| first <= since.saturating_add(1));
    (seen == epoch && since <= seq && held).then(|| Replay { group: group.clone(), epoch: epoch.clone(), after: since })
}

impl Handler<Deliver> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Deliver { group, epoch, event }: Deliver, ctx: &mut Context<Self>) {
        if let Some(state) = self.groups.get_mut(&group) {
            let due = state.sequence.arrived(&epoch, event);
            self.deliver(&group, due, ctx);
        }
    }
}

impl Handler<Reached> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Reached { group, seq }: Reached, ctx: &mut Context<Self>) {
        if let Some(state) = self.groups.get_mut(&group) {
            state.sequence.reached(seq);
            self.deliver(&group, Default::default(), ctx);
        }
    }
}

impl Handler<AnswerOver> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, AnswerOver { group, answer, seq }: AnswerOver, ctx: &mut Context<Self>) {
        let Some(state) = self.groups.get_mut(&group) else { return };
        state.sequence.reached(seq);
        // An end that was passed over, where another life of the log began behind it, comes no more.
        if state.sequence.at().is_some_and(|(_, at)| at >= seq) {
            state.answers.end(&answer);
        }
        self.deliver(&group, Default::default(), ctx);
    }
}

impl Handler<LoggedHere> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, LoggedHere { group, epoch, seq }: LoggedHere, ctx: &mut Context<Self>) {
        if let Some(state) = self.groups.get_mut(&group) {
            state.sequence.reached_in(&epoch, seq);
            self.deliver(&group, Default::default(), ctx);
        }
    }
}

impl Handler<Confirmed> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Confirmed { group, state }: Confirmed, ctx: &mut Context<Self>) {
        let Some(known) = self.groups.get_mut(&group) else { return };
        let due = match state {
            Some(state) => {
                known.filling_ended();
                known.sequence.confirmed(&state)
            }
            None => {
                known.filling_failed();
                Default::default()
            }
        };
        self.deliver(&group, due, ctx);
    }
}

impl Handler<Filled> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Filled { group, page }: Filled, ctx: &mut Context<Self>) {
        let Some(state) = self.groups.get_mut(&group) else { return };
        let due = match page {
            Some((epoch, events)) => {
                state.filling_ended();
                state.sequence.filled(&epoch, events)
            }
            None => {
                state.filling_failed();
                Default::default()
            }
        };
        self.deliver(&group, due, ctx);
    }
}

impl Handler<Resynced> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Resynced { logs, answers }: Resynced, ctx: &mut Context<Self>) {
        let node = self.roster.node();
        for (group, state) in logs {
            if let Some(known) = self.groups.get_mut(&group) {
                let due = known.sequence.opened(&state);
                let unknown = known.answers.unknown_to(&answers, &group, &node);
                self.deliver(&group, due, ctx);
                for record in unknown {
                    let gap = Gap::Lost(record);
                    // If that is not taken, the next look finds it again.
                    _ = self.ear.try_send(FillGap { group: group.clone(), gap, reply_to: ctx.address().into() });
                }
            }
        }
        answers.into_iter().for_each(|record| self.learn(record));
    }
}

impl Handler<AnswerFound> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, AnswerFound { group, answer, record }: AnswerFound, ctx: &mut Context<Self>) {
        if let Some(record) = record {
            self.learn(record);
        }
        let Some(state) = self.groups.get_mut(&group) else { return };
        if state.answers.asked(&answer) {
            self.ask_for_answer(group, answer, ctx);
        }
    }
}

impl Handler<Fanout> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Fanout { group, frame, except }: Fanout, _: &mut Context<Self>) {
        self.roster.for_each_socket(&group, except.as_ref(), |socket| _ = socket.push(frame.clone()));
    }
}

impl Handler<SendTo> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, SendTo { session, frame }: SendTo, _: &mut Context<Self>) {
        self.roster.sockets(&session).iter().for_each(|socket| _ = socket.handle.push(frame.clone()));
    }
}

impl Handler<CloseGroup> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, CloseGroup { group, close }: CloseGroup, _: &mut Context<Self>) {
        self.roster.for_each_socket(&group, None, |socket| socket.close(close));
    }
}

impl Handler<AnswerStarted> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, started: AnswerStarted, _: &mut Context<Self>) {
        // Without a state here nobody has been in the group for a while, and nobody will ask.
        if let Some(state) = self.groups.get_mut(&started.group)
            && state.answers.start(&started.answer, &started.message, &started.start)
        {
            self.show_start(&started);
        }
    }
}

impl Handler<AnswerGrew> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, AnswerGrew { group, answer, offset, text }: AnswerGrew, ctx: &mut Context<Self>) {
        let Some(state) = self.groups.get_mut(&group) else { return };
        match state.answers.grow(&answer, offset, text) {
            Piece::New(offset, text) => self.show_piece(&group, &answer, offset, text),
            Piece::Known => {}
            Piece::Early => self.ask_for_answer(group, answer, ctx),
        }
    }
}

impl GroupRegistry {
    fn show_start(&self, started: &AnswerStarted) {
        let AnswerStarted { group, answer, message, start } = started;
        let frame = Event::AnswerStart { group, answer, message, model: &start.model, cache: start.cache }.encode();
        self.roster.for_each_socket(group, None, |socket| _ = socket.push(frame.clone()));
    }

    fn show_piece(&self, group: &GroupName, answer: &AnswerId, offset: usize, text: String) {
        let delta = piece(group, answer, offset, text);
        self.roster.for_each_socket(group, None, |socket| _ = socket.push_delta(&delta));
    }

    /// Takes in what the store knows of an answer.
    pub(super) fn learn(&mut self, record: AnswerRecord) {
        let (group, answer) = (record.group.clone(), record.answer.clone());
        let Some(state) = self.groups.get_mut(&group) else { return };
        let learned = state.answers.learn(record);
        if let Some((message, start)) = learned.start {
            self.show_start(&AnswerStarted { group: group.clone(), answer: answer.clone(), message, start });
        }
        if let Some((offset, more)) = learned.more {
            self.show_piece(&group, &answer, offset, more);
        }
    }

    pub(super) fn ask_for_answer(&mut self, group: GroupName, answer: AnswerId, ctx: &mut Context<Self>) {
        let Some(state) = self.groups.get_mut(&group) else { return };
        if state.answers.missing(&answer) {
            let gap = Gap::Answer(answer.clone());
            if self.ear.try_send(FillGap { group: group.clone(), gap, reply_to: ctx.address().into() }).is_err() {
                // Asked when the next piece shows the same gap.
                _ = self.groups.get_mut(&group).map(|state| state.answers.asked(&answer));
            }
        }
    }
}
