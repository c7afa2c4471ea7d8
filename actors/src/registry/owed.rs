//! Texts of answers that are too long to be shown at once: who connects or joins gets so much of them at first, and the rest
//! as it reads. However much is being written in its groups, nobody's way out is filled by one event.

use actix::prelude::*;

use super::payment::pay_owed;
use super::shown::{Shown, ShownAnswers};
use super::{GroupRegistry, RegistryHandle};
use crate::ids::{AnswerId, GroupName, SessionId};
use crate::protocol::{AnswerText, Event, RunningAnswer, Strand};
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

    /// The text, if it is told at once; else nothing, and it is added to `owed`.
    fn take<'a>(&mut self, text: &'a str, group: &GroupName, of: AnswerText, owed: &mut Vec<Owed>) -> &'a str {
        if let Some(left) = self.0.checked_sub(text.len()) {
            self.0 = left;
            return text;
        }
        owed.push(Owed { group: group.clone(), of });
        ""
    }
}

/// The answers of a group as `session.ready` shows them; the texts that did not fit are added to `owed`.
pub(super) fn shown(
    group: &GroupName,
    answers: &ShownAnswers,
    budget: &mut Budget,
    owed: &mut Vec<Owed>,
) -> Vec<RunningAnswer> {
    let show = |Shown { answer, message, text, reasoning, .. }: Shown<'_>| {
        let text = budget.take(text, group, AnswerText::of(answer), owed);
        let reasoning = budget.take(reasoning, group, AnswerText::reasoning(answer), owed);
        RunningAnswer {
            answer: answer.clone(),
            group: group.clone(),
            message: message.clone(),
            text: text.to_owned(),
            offset: text.chars().count(),
            reasoning: reasoning.to_owned(),
        }
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
        for Shown { answer, message, start, text, reasoning } in state.answers.starts() {
            let frame = Event::AnswerStart { group, answer, message, model: &start.model, cache: start.cache }.encode();
            sockets.iter().for_each(|socket| _ = socket.push(frame.clone()));
            for of in AnswerText::both(answer) {
                let text = if of.strand == Strand::Text { text } else { reasoning };
                let so_far = budget.take(text, group, of.clone(), &mut owed);
                if !so_far.is_empty() {
                    let so_far = super::answers::piece(group, &of, 0, so_far.to_owned());
                    sockets.iter().for_each(|socket| _ = socket.push_delta(&so_far));
                }
            }
        }
        sockets.into_iter().for_each(|socket| pay_owed(registry.clone(), socket, owed.clone()));
    }

    /// An answer is about to end: who has not got all of it gets the rest before that.
    pub(super) fn pay_rest(&self, group: &GroupName, answer: &AnswerId) {
        let Some(state) = self.groups.get(group) else { return };
        for of in AnswerText::both(answer) {
            let Some(text) = state.answers.text(&of) else { return };
            let owed = Owed { group: group.clone(), of };
            self.roster.for_each_socket(group, None, |socket| _ = socket.pay(&owed, text, usize::MAX));
        }
    }
}

impl Handler<MoreOf> for GroupRegistry {
    type Result = bool;

    fn handle(&mut self, MoreOf { owed, socket }: MoreOf, _: &mut Context<Self>) -> bool {
        self.show_waiting(&owed.group, &owed.of);
        let text = self.groups.get(&owed.group).and_then(|state| state.answers.text(&owed.of));
        text.is_some_and(|text| socket.pay(&owed, text, PIECE))
    }
}
