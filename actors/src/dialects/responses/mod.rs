//! OpenAI's Responses: the stream of events, and the response itself.

mod echo;
mod event;
mod item;
mod items;
pub mod request;
mod response;
mod snapshot;
mod stored;
#[cfg(test)]
mod tests;
mod told;

pub use echo::Echo;
pub use event::{ResponseEvent, Says};
pub use item::{ContentPart, Item, ItemStatus, SummaryPart};
pub use items::{Items, id_of};
pub use response::{Fault, Incomplete, InputDetails, OutputDetails, Response, ResponseUsage, Status};
pub use stored::StoredRequest;

use super::{AnswerEnd, Change, Fold, Parts};
use crate::openai::Chunk;
use told::Place;

const IN_PROGRESS: (&str, Status) = ("response.in_progress", Status::InProgress);

/// What is constant for a response, beside its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The answer that it is.
    pub answer: String,
    /// When it was asked for, in seconds since 1970.
    pub created_at: u64,
    /// Who writes it.
    pub model: String,
    /// What it says of its request.
    pub echo: Echo,
}

/// An answer as the events of a response.
#[derive(Debug)]
pub struct ResponseFold {
    head: Head,
    parts: Parts,
    /// The number of the next event.
    next: u64,
}

impl ResponseFold {
    /// That of a response.
    pub fn new(head: Head) -> Self {
        let parts = Parts::new(&head.answer);
        Self { head, parts, next: 0 }
    }

    fn told(&self, change: Change) -> Vec<(&'static str, Says)> {
        match change {
            Change::Opened(number) => told::begun(&self.place(number), self.parts.get(number)),
            Change::Grew(number, delta) => vec![told::grown(&self.place(number), &self.parts.get(number).kind, delta)],
            Change::Closed(number) => self.done(number, ItemStatus::Completed),
        }
    }

    fn done(&self, number: usize, status: ItemStatus) -> Vec<(&'static str, Says)> {
        told::done(&self.place(number), self.parts.get(number), status)
    }

    fn place(&self, number: usize) -> Place<'_> {
        Place { answer: &self.head.answer, number }
    }

    fn numbered(&mut self, told: Vec<(&'static str, Says)>) -> Vec<ResponseEvent> {
        let numbers = self.next..;
        self.next += told.len() as u64;
        let event = |(sequence_number, (kind, says))| ResponseEvent { kind, sequence_number, says };
        numbers.zip(told).map(event).collect()
    }
}

impl Fold for ResponseFold {
    type Event = ResponseEvent;

    fn begin(&mut self) -> Vec<ResponseEvent> {
        let first = self.first_status();
        let states: &[_] = match first {
            Status::Queued => &[("response.created", first), ("response.queued", first), IN_PROGRESS],
            _ => &[("response.created", first), IN_PROGRESS],
        };
        let told = states.iter().map(|(kind, status)| (*kind, Says::response(self.so_far(*status)))).collect();
        self.numbered(told)
    }

    fn chunk(&mut self, chunk: &Chunk) -> Vec<ResponseEvent> {
        let changes = self.parts.chunk(chunk);
        let told = changes.into_iter().flat_map(|change| self.told(change)).collect();
        self.numbered(told)
    }

    fn end(&mut self, end: &AnswerEnd) -> Vec<ResponseEvent> {
        let changes = self.parts.close();
        let outcome = end.outcome(self.parts.is_flawed());
        let mut told: Vec<_> = changes
            .into_iter()
            .flat_map(|change| match change {
                // A client carries a call out when it is done, so one that did not come to its end with its answer never is.
                Change::Closed(number) if self.is_lost(number, outcome) => Vec::new(),
                Change::Closed(number) => self.done(number, self.status(number, outcome)),
                change => self.told(change),
            })
            .collect();
        let response = self.ended(end);
        let kind = match response.status {
            Status::Completed => "response.completed",
            // Without an `error` before it: on one the stream of the SDK for JavaScript ends, and this event is never read.
            Status::Failed => "response.failed",
            // There is none of its own for a response that was stopped.
            _ => "response.incomplete",
        };
        told.push((kind, Says::response(response)));
        self.numbered(told)
    }
}
