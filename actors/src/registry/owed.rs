//! Texts of answers that are too long to be shown at once: who connects or joins gets so much of them at first, and the rest
//! as it reads. However much is being written in its groups, nobody's way out is filled by one event.

use actix::prelude::*;

use super::payment::pay_owed;
use super::shown::ShownAnswers;
use super::{GroupRegistry, RegistryHandle};
use crate::ids::{AnswerId, GroupName, SessionId};
use crate::protocol::{Event, RunningAnswer};
use crate::registry::messages::MoreOf;
use crate::socket::{Attached, Owed, SocketHandle};

/// Bytes of texts in one `session.ready`, or behind one `ack` (the protocol's 256 KiB).
const AT_ONCE: usize = 256 * 1024;
/// Bytes of one piece of what is owed.
const PIECE: usize = 32 * 1024;

/// What may still be told at once.
pub(super) struct Budget(usize);

impl Budget {
    pub(super) fn new() -> Self {
        Self(AT_ONCE)
    }

    /// Whether a text is told at once.
    fn takes(&mut self, text: &str) -> bool {
        let fits = text.len() <= self.0;
        if fits {
            self.0 -= text.len();
        }
        fits
    }
}

/// The answers of a group as `session.ready` shows them; those whose text did not fit are added to `owed`.
pub(super) fn shown(
    group: &GroupName,
    answers: &ShownAnswers,
    budget: &mut Budget,
    owed: &mut Vec<Owed>,
) -> Vec<RunningAnswer> {
    let show = |(answer, message, _, text): (&AnswerId, _, _, &str)| {
        let fits = budget.takes(text);
        if !fits {
            owed.push(Owed { group: group.clone(), answer: answer.clone() });
        }
        let text = if fits { text } else { "" };
        let offset = text.chars().count();
        let (answer, message) = (answer.clone(), Clone::clone(message));
        RunningAnswer { answer, group: group.clone(), message, text: text.to_owned(), offset }
    };
    answers.starts().map(show).collect()
}

impl GroupRegistry {
    /// Shows a session that has just entered what is being written there.
    pub(super) fn show_running(&self, session: &SessionId, group: &GroupName, registry: &RegistryHandle) {
        let Some(state) = self.groups.get(group) else { return };
        let sockets: Vec<SocketHandle> =
            self.roster.sockets(session).into_iter().map(|Attached { handle, .. }| handle).collect();
        let (mut budget, mut owed) = (Budget::new(), Vec::new());
        for (answer, message, start, text) in state.answers.starts() {
            let frame = Event::AnswerStart { group, answer, message, model: &start.model, cache: start.cache }.encode();
            let fits = budget.takes(text);
            let so_far = (fits && !text.is_empty()).then(|| super::answers::piece(group, answer, 0, text.to_owned()));
            for socket in &sockets {
                socket.push(frame.clone());
                _ = so_far.as_ref().is_none_or(|so_far| socket.push_delta(so_far));
            }
            if !fits {
                owed.push(Owed { group: group.clone(), answer: answer.clone() });
            }
        }
        sockets.into_iter().for_each(|socket| pay_owed(registry.clone(), socket, owed.clone()));
    }

    /// An answer is about to end: who has not got all of it gets the rest before that.
    pub(super) fn pay_rest(&self, group: &GroupName, answer: &AnswerId) {
        let Some(text) = self.groups.get(group).and_then(|state| state.answers.text(answer)) else { return };
        self.roster.for_each_socket(group, None, |socket| _ = socket.pay(group, answer, text, usize::MAX));
    }
}

impl Handler<MoreOf> for GroupRegistry {
    type Result = bool;

    fn handle(&mut self, MoreOf { group, answer, socket }: MoreOf, _: &mut Context<Self>) -> bool {
        self.show_waiting(&group, &answer);
        let text = self.groups.get(&group).and_then(|state| state.answers.text(&answer));
        text.is_some_and(|text| socket.pay(&group, &answer, text, PIECE))
    }
}
