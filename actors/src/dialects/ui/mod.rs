//! The AI SDK's UI message stream, which `useChat` reads.

mod chunk;
mod merge;
pub mod request;
mod step;

pub use chunk::{FinishReason, InputTokens, Metadata, OutputTokens, Tokens, UiChunk};
pub use merge::merge;
pub use step::{GoesOn, calls, shown, to_chat, told_again};

use super::{AnswerEnd, Change, Fold, Json, Outcome, PartKind, Parts};
use crate::openai::Chunk;
use crate::protocol::{CacheStatus, ErrorCode, Usage};

/// An answer as chunks of a UI message stream. What ends the stream on the wire (`[DONE]`) is not among them.
#[derive(Debug)]
pub struct UiFold {
    message: String,
    cache: Option<CacheStatus>,
    parts: Parts,
}

impl UiFold {
    /// That of an answer. Its message has the answer's id at every replay: so the client begins it anew instead of adding to it.
    pub fn new(answer: &str, cache: Option<CacheStatus>) -> Self {
        Self::of_message(answer, answer, cache)
    }

    /// That of an answer which is a step of a message.
    pub fn of_message(message: &str, answer: &str, cache: Option<CacheStatus>) -> Self {
        Self { message: message.to_owned(), cache, parts: Parts::new(answer) }
    }

    fn told(&self, change: Change) -> Option<UiChunk> {
        Some(match change {
            Change::Opened(number) => match &self.parts.get(number).kind {
                PartKind::Reasoning => UiChunk::ReasoningStart { id: reasoning(number) },
                PartKind::Text | PartKind::Refusal => UiChunk::TextStart { id: text(number) },
                PartKind::Call { id, name } => {
                    UiChunk::ToolInputStart { tool_call_id: id.clone(), tool_name: name.clone() }
                }
                PartKind::Item => return None,
            },
            Change::Grew(number, delta) => match &self.parts.get(number).kind {
                PartKind::Reasoning => UiChunk::ReasoningDelta { id: reasoning(number), delta },
                PartKind::Text | PartKind::Refusal => UiChunk::TextDelta { id: text(number), delta },
                PartKind::Call { id, .. } => {
                    UiChunk::ToolInputDelta { tool_call_id: id.clone(), input_text_delta: delta }
                }
                PartKind::Item => return None,
            },
            Change::Closed(number) => match &self.parts.get(number).kind {
                PartKind::Reasoning => UiChunk::ReasoningEnd { id: reasoning(number) },
                PartKind::Text | PartKind::Refusal => UiChunk::TextEnd { id: text(number) },
                PartKind::Call { .. } | PartKind::Item => return None,
            },
        })
    }

    /// The inputs of the tool calls. The client carries a call out when it has its input, so there is none for a call that did not come to
    /// its end with its answer.
    fn inputs(&self) -> impl Iterator<Item = UiChunk> {
        self.parts.all().iter().filter_map(|part| {
            let PartKind::Call { id, name } = &part.kind else { return None };
            let (tool_call_id, tool_name) = (id.clone(), name.clone());
            Some(match Json::of_arguments(&part.text) {
                Some(input) => UiChunk::ToolInputAvailable { tool_call_id, tool_name, input },
                None => {
                    let error_text = "the arguments of this call are not JSON".to_owned();
                    UiChunk::ToolInputError { tool_call_id, tool_name, input: part.text.clone(), error_text }
                }
            })
        })
    }

    fn finish(&self, finish_reason: FinishReason, usage: Option<Usage>) -> [UiChunk; 2] {
        let metadata = Metadata { usage: self.parts.counts(usage).map(Into::into), cache: self.cache };
        [UiChunk::FinishStep, UiChunk::Finish { finish_reason, message_metadata: metadata }]
    }
}

impl Fold for UiFold {
    type Event = UiChunk;

    fn begin(&mut self) -> Vec<UiChunk> {
        vec![UiChunk::Start { message_id: self.message.clone() }, UiChunk::StartStep]
    }

    fn chunk(&mut self, chunk: &Chunk) -> Vec<UiChunk> {
        let changes = self.parts.chunk(chunk);
        changes.into_iter().filter_map(|change| self.told(change)).collect()
    }

    fn end(&mut self, end: &AnswerEnd) -> Vec<UiChunk> {
        let changes = self.parts.close();
        let mut told: Vec<_> = changes.into_iter().filter_map(|change| self.told(change)).collect();
        match end.outcome(self.parts.is_flawed()) {
            Outcome::Finished(finish) => {
                told.extend(self.inputs());
                told.extend(self.finish(finish.into(), end.usage()));
            }
            Outcome::Failed { code: ErrorCode::Interrupted, .. } => {
                told.extend(self.finish(FinishReason::Interrupted, None));
            }
            Outcome::Failed { reason, .. } => told.push(UiChunk::Error { error_text: reason.to_owned() }),
            Outcome::Cancelled => told.push(UiChunk::Abort { reason: "cancelled" }),
            Outcome::Steered => told.extend(self.finish(FinishReason::Other, None)),
        }
        told
    }
}

fn text(number: usize) -> String {
    format!("t{number}")
}

fn reasoning(number: usize) -> String {
    format!("r{number}")
}
