//! One group on this node: its place in the log, the answers under way, and what arrives for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::time::Instant;

use super::GroupRegistry;
use super::sequence::Sequence;
use crate::ids::{AnswerId, Epoch, GroupName, MessageId};
use crate::messages::*;
use crate::outbox::Delta;
use crate::protocol::{Event, Logged, RunningAnswer};
use crate::store::StoredEvent;

/// Appends of one moment may report in another order than the log's: a gap is asked for only after this.
const GAP_PATIENCE: Duration = Duration::from_millis(30);
/// How soon a gap that could not be filled is asked for again.
const GAP_RETRY: Duration = Duration::from_secs(1);
/// How long a group that somebody is about to enter is kept without members.
const PREPARED_FOR: Duration = Duration::from_secs(30);

struct Answer {
    message: MessageId,
    text: String,
    chars: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Filling {
    No,
    Asked,
    Failed,
}

/// The state.
pub(super) struct Group {
    pub(super) sequence: Sequence,
    answers: BTreeMap<AnswerId, Answer>,
    filling: Filling,
    prepared_at: Instant,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            sequence: Sequence::default(),
            answers: BTreeMap::new(),
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

    pub(super) fn has_answers(&self) -> bool {
        !self.answers.is_empty()
    }

    pub(super) fn running_answers<'a>(&'a self, name: &'a GroupName) -> impl Iterator<Item = RunningAnswer> + 'a {
        self.answers.iter().map(|(id, answer)| RunningAnswer {
            answer: id.clone(),
            group: name.clone(),
            message: answer.message.clone(),
            text: answer.text.clone(),
            offset: answer.chars,
        })
    }

    /// Takes note of an answer's end.
    pub(super) fn ended(&mut self, event: &StoredEvent) {
        // Messages are the many: only ends are parsed, and only while an answer is under way.
        if !self.answers.is_empty()
            && event.body.starts_with("{\"type\":\"answer.")
            && let Ok(logged) = serde_json::from_str::<Logged>(&event.body)
            && let Some(answer) = logged.ended_answer()
        {
            self.answers.remove(answer);
        }
    }

    /// How soon the relay is to be asked for a gap, if it is not being asked already.
    pub(super) fn wants_filling(&mut self) -> Option<Duration> {
        self.sequence.gap()?;
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

    fn handle(&mut self, Resynced(states): Resynced, ctx: &mut Context<Self>) {
        for (group, state) in states {
            if let Some(known) = self.groups.get_mut(&group) {
                let due = known.sequence.opened(&state);
                self.deliver(&group, due, ctx);
            }
        }
    }
}

impl Handler<Fanout> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Fanout { group, frame, except }: Fanout, _: &mut Context<Self>) {
        self.roster.for_each_socket(&group, except.as_ref(), |socket| _ = socket.push(frame.clone()));
    }
}

impl Handler<AnswerStarted> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, started: AnswerStarted, _: &mut Context<Self>) {
        let AnswerStarted { group, answer, message, model, cache } = started;
        let frame =
            Event::AnswerStart { group: &group, answer: &answer, message: &message, model: &model, cache }.encode();
        // Without a state here nobody has been in the group for a while, and nobody will ask.
        if let Some(state) = self.groups.get_mut(&group) {
            state.answers.insert(answer, Answer { message, text: String::new(), chars: 0 });
        }
        self.roster.for_each_socket(&group, None, |socket| _ = socket.push(frame.clone()));
    }
}

impl Handler<AnswerGrew> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, AnswerGrew { group, answer, text }: AnswerGrew, _: &mut Context<Self>) {
        let Some(running) = self.groups.get_mut(&group).and_then(|state| state.answers.get_mut(&answer)) else {
            return;
        };
        let offset = running.chars;
        running.chars += text.chars().count();
        running.text.push_str(&text);
        let delta = Arc::new(Delta::new(group.clone(), answer, offset, text));
        self.roster.for_each_socket(&group, None, |socket| _ = socket.push_delta(&delta));
    }
}

impl Handler<EndGroup> for GroupRegistry {
    type Result = MessageResult<EndGroup>;

    fn handle(&mut self, EndGroup(group): EndGroup, _: &mut Context<Self>) -> Self::Result {
        // A session cannot be put out of its own home group; its log begins anew.
        let home = group.home_of();
        let mut expelled = Vec::new();
        for (session, user) in self.roster.everyone(&group) {
            if Some(&session) == home.as_ref() {
                continue;
            }
            let frame = Event::Left { group: &group, session: &session, user: &user }.encode();
            self.roster.for_each_socket(&group, None, |socket| _ = socket.push(frame.clone()));
            expelled.push(session);
        }
        expelled.iter().for_each(|session| _ = self.roster.leave(session, &group));
        self.forget_group_if_empty(&group);
        MessageResult(expelled)
    }
}
