//! AG-UI 1.0, which CopilotKit and others read.

mod event;
pub mod request;

pub use event::{AguiEvent, PROTOCOL_VERSION, RunOutcome, RunUsage};

use super::{AnswerEnd, Change, Fold, Outcome, PartKind, Parts};
use crate::openai::{Chunk, TokenCounts};

/// What is constant for a run, beside its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The conversation, as the client calls it.
    pub thread: String,
    /// The run, as the client calls it.
    pub run: String,
    /// The answer that it is.
    pub answer: String,
    /// Who writes it.
    pub model: String,
}

/// An answer as the events of a run.
///
/// Its text is one message, which has the answer's id: after a tool call it is opened again and goes on, and the client adds to it. So the
/// calls are in that message too, as in what a backend is sent, and not in the middle of two.
#[derive(Debug)]
pub struct AguiFold {
    run: Run,
    parts: Parts,
}

impl AguiFold {
    /// That of a run.
    pub fn new(run: Run) -> Self {
        let parts = Parts::new(&run.answer);
        Self { run, parts }
    }

    fn told(&self, change: Change) -> Option<AguiEvent> {
        let message_id = || self.run.answer.clone();
        let reasoning_id = |number: usize| format!("{}-r{number}", self.run.answer);
        Some(match change {
            Change::Opened(number) => match &self.parts.get(number).kind {
                PartKind::Reasoning => {
                    AguiEvent::ReasoningMessageStart { message_id: reasoning_id(number), role: "reasoning" }
                }
                PartKind::Text | PartKind::Refusal => {
                    AguiEvent::TextMessageStart { message_id: message_id(), role: "assistant" }
                }
                PartKind::Call { id, name } => AguiEvent::ToolCallStart {
                    tool_call_id: id.clone(),
                    tool_call_name: name.clone(),
                    parent_message_id: message_id(),
                },
                PartKind::Item => return None,
            },
            Change::Grew(number, delta) => match &self.parts.get(number).kind {
                PartKind::Reasoning => AguiEvent::ReasoningMessageContent { message_id: reasoning_id(number), delta },
                PartKind::Text | PartKind::Refusal => AguiEvent::TextMessageContent { message_id: message_id(), delta },
                PartKind::Call { id, .. } => AguiEvent::ToolCallArgs { tool_call_id: id.clone(), delta },
                PartKind::Item => return None,
            },
            Change::Closed(number) => match &self.parts.get(number).kind {
                PartKind::Reasoning => AguiEvent::ReasoningMessageEnd { message_id: reasoning_id(number) },
                PartKind::Text | PartKind::Refusal => AguiEvent::TextMessageEnd { message_id: message_id() },
                PartKind::Call { id, .. } => AguiEvent::ToolCallEnd { tool_call_id: id.clone() },
                PartKind::Item => return None,
            },
        })
    }

    fn finished(&self, outcome: RunOutcome, counts: Option<TokenCounts>) -> AguiEvent {
        AguiEvent::RunFinished {
            thread_id: self.run.thread.clone(),
            run_id: self.run.run.clone(),
            outcome,
            usage: counts.map(|counts| RunUsage::new(&self.run.model, counts)).into_iter().collect(),
        }
    }

    /// The calls whose results the run's client owes.
    fn pending(&self) -> Vec<String> {
        let id = |kind: &PartKind| match kind {
            PartKind::Call { id, .. } => Some(id.clone()),
            _ => None,
        };
        self.parts.all().iter().filter_map(|part| id(&part.kind)).collect()
    }
}

impl Fold for AguiFold {
    type Event = AguiEvent;

    fn begin(&mut self) -> Vec<AguiEvent> {
        let (thread_id, run_id) = (self.run.thread.clone(), self.run.run.clone());
        vec![AguiEvent::RunStarted { thread_id, run_id, protocol_version: PROTOCOL_VERSION }]
    }

    fn chunk(&mut self, chunk: &Chunk) -> Vec<AguiEvent> {
        let changes = self.parts.chunk(chunk);
        changes.into_iter().filter_map(|change| self.told(change)).collect()
    }

    fn end(&mut self, end: &AnswerEnd) -> Vec<AguiEvent> {
        let changes = self.parts.close();
        let mut told: Vec<_> = changes.into_iter().filter_map(|change| self.told(change)).collect();
        let counts = self.parts.counts(end.usage());
        told.push(match end.outcome(self.parts.is_flawed()) {
            Outcome::Finished(_) => {
                self.finished(RunOutcome::Success { pending_tool_call_ids: self.pending() }, counts)
            }
            Outcome::Failed { code, reason } => AguiEvent::RunError { message: reason.to_owned(), code: code.as_str() },
            // A call that nobody heard to its end is not to be carried out.
            Outcome::Cancelled | Outcome::Steered => self.finished(RunOutcome::Cancelled, counts),
        });
        told
    }
}
