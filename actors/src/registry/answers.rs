//! What arrives of answers that are being written, and how it is shown.

use std::sync::Arc;

use actix::prelude::*;

use super::GroupRegistry;
use super::delta_window::When;
use super::messages::*;
use super::sequence::Due;
use super::written::Piece;
use crate::ids::{AnswerId, GroupName};
use crate::protocol::{AnswerText, Event};
use crate::socket::Delta;
use crate::store::AnswerRecord;

impl GroupRegistry {
    fn show_start(&self, started: &AnswerStarted) {
        let AnswerStarted { group, answer, message, start } = started;
        let frame = Event::AnswerStart { group, answer, message, model: &start.model, cache: start.cache }.encode();
        self.roster.for_each_socket(group, None, |socket| _ = socket.push(frame.clone()));
    }

    fn show_piece(&self, group: &GroupName, of: &AnswerText, offset: usize, text: String) {
        let delta = piece(group, of, offset, text);
        self.roster.for_each_socket(group, None, |socket| _ = socket.push_delta(&delta));
    }

    /// Shows a piece, at once or together with those that follow it soon.
    fn grow(&mut self, group: &GroupName, of: &AnswerText, piece: (usize, String), ctx: &mut Context<Self>) {
        let within = self.options.delta_window;
        match self.group(group).windows.add(of, piece, within) {
            When::Now((offset, text)) => self.show_piece(group, of, offset, text),
            When::WithOthers => {}
            When::After(left) => {
                let (group, of) = (group.clone(), of.clone());
                ctx.run_later(left, move |registry, _| registry.show_waiting(&group, &of));
            }
        }
    }

    /// Shows what waits of one of an answer's texts.
    pub(super) fn show_waiting(&mut self, group: &GroupName, of: &AnswerText) {
        if let Some((offset, text)) = self.groups.get_mut(group).and_then(|state| state.windows.take(of)) {
            self.show_piece(group, of, offset, text);
        }
    }

    /// Shows what waits of an answer.
    pub(super) fn show_rest(&mut self, group: &GroupName, answer: &AnswerId) {
        AnswerText::both(answer).iter().for_each(|of| self.show_waiting(group, of));
    }

    /// Shows what waits of all answers of a group: who comes now is shown all of their texts, and the others must be as far.
    pub(super) fn show_all_waiting(&mut self, group: &GroupName) {
        let waiting = self.groups.get(group).map(|state| state.windows.waiting()).unwrap_or_default();
        waiting.iter().for_each(|of| self.show_waiting(group, of));
    }

    /// Takes in what the store knows of an answer.
    pub(super) fn learn(&mut self, record: AnswerRecord) {
        let (group, answer) = (record.group.clone(), record.answer.clone());
        let Some(state) = self.groups.get_mut(&group) else { return };
        let learned = state.answers.learn(record);
        if let Some((message, start)) = learned.start {
            self.show_start(&AnswerStarted { group: group.clone(), answer: answer.clone(), message, start });
        }
        for (of, offset, more) in learned.more {
            self.show_waiting(&group, &of);
            self.show_piece(&group, &of, offset, more);
        }
    }

    pub(super) fn ask_for_answer(&mut self, group: GroupName, answer: AnswerId) {
        let Some(state) = self.groups.get_mut(&group) else { return };
        if state.answers.missing(&answer) {
            let gap = Gap::Answer(answer.clone());
            if !self.reader.ask(group.clone(), gap) {
                // Asked when the next piece shows the same gap.
                _ = self.groups.get_mut(&group).map(|state| state.answers.asked(&answer));
            }
        }
    }

    /// Has answers of a group looked for of which the store knows nothing.
    pub(super) fn look_for(&mut self, group: GroupName, lost: Vec<AnswerRecord>) {
        if lost.is_empty() {
            return;
        }
        let answers: Vec<_> = lost.iter().map(|record| record.answer.clone()).collect();
        if !self.reader.ask(group.clone(), Gap::Lost(lost))
            && let Some(state) = self.groups.get_mut(&group)
        {
            // The next look at the logs finds them again.
            _ = state.answers.looked_for(&answers, &group, &self.roster.node());
        }
    }
}

pub(super) fn piece(group: &GroupName, of: &AnswerText, offset: usize, text: String) -> Arc<Delta> {
    Arc::new(Delta::new(group.clone(), of.clone(), offset, text))
}

impl Handler<AnswerStarted> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, started: AnswerStarted, _: &mut Context<Self>) {
        self.roster.answer_begun(&started.group);
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

    fn handle(&mut self, AnswerGrew { group, of, offset, text }: AnswerGrew, ctx: &mut Context<Self>) {
        let Some(state) = self.groups.get_mut(&group) else { return };
        match state.answers.grow(&of, offset, text) {
            Piece::New(offset, text) => self.grow(&group, &of, (offset, text), ctx),
            Piece::Known => {}
            Piece::Early => self.ask_for_answer(group, of.answer),
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
            self.show_rest(&group, &answer);
            self.group(&group).end_answer(&answer);
        }
        self.deliver(&group, Due::default(), ctx);
    }
}

impl Handler<LostSettled> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, LostSettled { group, answers }: LostSettled, _: &mut Context<Self>) {
        let node = self.roster.node();
        let Some(state) = self.groups.get_mut(&group) else { return };
        let again = state.answers.looked_for(&answers, &group, &node);
        self.look_for(group, again);
    }
}

impl Handler<AnswerFound> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, AnswerFound { group, answer, record }: AnswerFound, _: &mut Context<Self>) {
        if let Some(record) = record {
            self.learn(record);
        }
        let Some(state) = self.groups.get_mut(&group) else { return };
        if state.answers.asked(&answer) {
            self.ask_for_answer(group, answer);
        }
    }
}
