//! An answer in the words of other protocols. Each dialect is a fold of the answer's chunks: the same chunks give the same events with the
//! same numbers, on every node and at every replay, so who comes back is given all of them again, but for those that it has. Nothing goes
//! in but what is constant for the answer. Pure.

pub mod agui;
mod answer_end;
mod bad_request;
#[cfg(test)]
mod contract;
mod function_tool;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod json;
mod parts;
pub mod responses;
pub mod text;
pub mod ui;
mod user_message;

pub use answer_end::{AnswerEnd, Outcome};
pub use bad_request::BadRequest;
pub use function_tool::function_tool;
pub use json::Json;
pub use parts::{Change, Part, PartKind, Parts};
pub use user_message::UserMessage;

use crate::openai::Chunk;

/// A fold of one answer's chunks into the events of a protocol.
pub trait Fold {
    /// What its readers are sent.
    type Event;
    /// What comes before the first chunk. Called once, and first.
    fn begin(&mut self) -> Vec<Self::Event>;
    /// What a chunk adds.
    fn chunk(&mut self, chunk: &Chunk) -> Vec<Self::Event>;
    /// What comes after the last chunk. Called once, and last.
    fn end(&mut self, end: &AnswerEnd) -> Vec<Self::Event>;
}
