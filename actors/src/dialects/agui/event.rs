//! The events of AG-UI, as its schema has them.

use serde::Serialize;

use crate::dialects::Json;
use crate::openai::TokenCounts;

/// The version of the protocol that is spoken.
pub const PROTOCOL_VERSION: &str = "1.0";
/// The largest number that all readers of JSON hold exactly.
const MOST: u64 = (1 << 53) - 1;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
#[allow(missing_docs, reason = "the fields are AG-UI's own, described in its specification")]
pub enum AguiEvent {
    /// First, once.
    RunStarted {
        thread_id: String,
        run_id: String,
        protocol_version: &'static str,
    },
    /// What the client knows, but for the answer: right after the first event, to a client that has half of it.
    MessagesSnapshot {
        messages: Json,
    },
    TextMessageStart {
        message_id: String,
        role: &'static str,
    },
    TextMessageContent {
        message_id: String,
        delta: String,
    },
    TextMessageEnd {
        message_id: String,
    },
    ReasoningMessageStart {
        message_id: String,
        role: &'static str,
    },
    ReasoningMessageContent {
        message_id: String,
        delta: String,
    },
    ReasoningMessageEnd {
        message_id: String,
    },
    ToolCallStart {
        tool_call_id: String,
        tool_call_name: String,
        parent_message_id: String,
    },
    ToolCallArgs {
        tool_call_id: String,
        delta: String,
    },
    ToolCallEnd {
        tool_call_id: String,
    },
    /// Last: the run is over.
    RunFinished {
        thread_id: String,
        run_id: String,
        outcome: RunOutcome,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        usage: Vec<RunUsage>,
    },
    /// Last: it failed.
    RunError {
        message: String,
        code: &'static str,
    },
}

/// What came of a run that did not fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum RunOutcome {
    /// The model was through.
    Success {
        /// The tool calls that have no result yet.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pending_tool_call_ids: Vec<String>,
    },
    /// It was stopped before that.
    Cancelled,
}

/// Tokens of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunUsage {
    /// Who wrote.
    pub model: String,
    /// Of the request.
    pub input_tokens: u64,
    /// Of the answer.
    pub output_tokens: u64,
    /// Of both.
    pub total_tokens: u64,
    /// Of the request's, those that the backend had in its cache.
    pub cached_input_tokens: u64,
    /// Of the answer's, those that the model thought with.
    pub reasoning_tokens: u64,
}

impl RunUsage {
    /// Those that were counted. The client takes no number beyond those that it holds exactly.
    pub fn new(model: &str, counts: TokenCounts) -> Self {
        let most = |count: u64| count.min(MOST);
        Self {
            model: model.to_owned(),
            input_tokens: most(counts.usage.prompt_tokens),
            output_tokens: most(counts.usage.completion_tokens),
            total_tokens: most(counts.usage.total_tokens),
            cached_input_tokens: most(counts.cached),
            reasoning_tokens: most(counts.reasoning),
        }
    }
}
