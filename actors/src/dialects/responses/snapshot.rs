//! The response as it is at some time.

use super::response::Ending;
use super::{Head, Item, ItemStatus, Response, ResponseFold, Status};
use crate::dialects::{AnswerEnd, Outcome, PartKind};
use crate::openai::{Chunk, Finish};

impl Response {
    /// That of an answer of which this has come, and which has ended so, if it has.
    pub fn of<'a>(head: Head, chunks: impl IntoIterator<Item = &'a Chunk>, end: Option<&AnswerEnd>) -> Self {
        let mut fold = ResponseFold::new(head);
        chunks.into_iter().for_each(|chunk| _ = fold.parts.chunk(chunk));
        match end {
            Some(end) => {
                fold.parts.close();
                fold.ended(end)
            }
            None => fold.so_far(fold.first_status()),
        }
    }
}

impl ResponseFold {
    /// Its status while nothing has ended it.
    pub(super) fn first_status(&self) -> Status {
        let waits = self.head.echo.is_background() && self.parts.all().is_empty();
        if waits { Status::Queued } else { Status::InProgress }
    }

    /// It while nothing has ended it.
    pub(super) fn so_far(&self, status: Status) -> Response {
        let status_of = |number: usize| match self.parts.get(number).is_open {
            true => ItemStatus::InProgress,
            false => ItemStatus::Completed,
        };
        Response {
            id: format!("resp_{}", self.head.answer),
            object: "response",
            created_at: self.head.created_at,
            status,
            error: None,
            incomplete_details: None,
            model: self.head.model.clone(),
            output: self.items(status_of),
            usage: None,
            echo: self.head.echo.clone(),
        }
    }

    /// It when it has ended.
    pub(super) fn ended(&self, end: &AnswerEnd) -> Response {
        let outcome = end.outcome(self.parts.is_flawed());
        let Ending { status, incomplete, fault } = outcome.into();
        Response {
            error: fault,
            incomplete_details: incomplete,
            output: self.items(|number| self.status(number, outcome)),
            usage: self.parts.counts(end.usage()).map(Into::into),
            ..self.so_far(status)
        }
    }

    /// How far an item had come at the end.
    pub(super) fn status(&self, number: usize, outcome: Outcome<'_>) -> ItemStatus {
        let is_last = number + 1 == self.parts.all().len();
        match outcome {
            _ if !self.parts.get(number).is_open => ItemStatus::Completed,
            Outcome::Finished(Finish::Length | Finish::Filter) if is_last => ItemStatus::Incomplete,
            Outcome::Finished(_) => ItemStatus::Completed,
            _ => ItemStatus::Incomplete,
        }
    }

    /// Whether an item is a call that did not come to its end.
    pub(super) fn is_lost(&self, number: usize, outcome: Outcome<'_>) -> bool {
        let is_call = matches!(self.parts.get(number).kind, PartKind::Call { .. });
        is_call && !matches!(outcome, Outcome::Finished(_))
    }

    fn items(&self, status: impl Fn(usize) -> ItemStatus) -> Vec<Item> {
        let parts = self.parts.all().iter().enumerate();
        parts.map(|(number, part)| Item::of(&self.head.answer, number, part, status(number))).collect()
    }
}
