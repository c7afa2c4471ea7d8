//! The chunks of a UI message stream, as `uiMessageChunkSchema` of the AI SDK has them.

use serde::Serialize;
use serde_json::Value;

use crate::dialects::Json;
use crate::openai::{Finish, TokenCounts};
use crate::protocol::CacheStatus;

/// One chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[allow(missing_docs, reason = "the fields are the AI SDK's own, described in its stream protocol")]
pub enum UiChunk {
    /// First, once.
    Start {
        message_id: String,
    },
    /// An answer is one step.
    StartStep,
    ReasoningStart {
        id: String,
    },
    ReasoningDelta {
        id: String,
        delta: String,
    },
    ReasoningEnd {
        id: String,
    },
    TextStart {
        id: String,
    },
    TextDelta {
        id: String,
        delta: String,
    },
    TextEnd {
        id: String,
    },
    ToolInputStart {
        tool_call_id: String,
        tool_name: String,
    },
    ToolInputDelta {
        tool_call_id: String,
        input_text_delta: String,
    },
    /// The call is whole: the client carries it out.
    ToolInputAvailable {
        tool_call_id: String,
        tool_name: String,
        input: Json,
    },
    /// The model wrote arguments that nobody can read.
    ToolInputError {
        tool_call_id: String,
        tool_name: String,
        input: String,
        error_text: String,
    },
    /// What came of a call, told again to who begins the message anew.
    ToolOutputAvailable {
        tool_call_id: String,
        output: Value,
    },
    /// A call came to nothing, told again.
    ToolOutputError {
        tool_call_id: String,
        error_text: String,
    },
    FinishStep,
    /// Last: the answer is over.
    Finish {
        finish_reason: FinishReason,
        message_metadata: Metadata,
    },
    /// Last: somebody stopped it.
    Abort {
        reason: &'static str,
    },
    /// Last: it failed.
    Error {
        error_text: String,
    },
}

/// Why an answer is over. The client takes no other word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FinishReason {
    /// The model was through.
    Stop,
    /// It had written as much as it may.
    Length,
    /// A filter cut it off.
    ContentFilter,
    /// It asks for tools.
    ToolCalls,
    /// It broke off.
    Error,
    /// The node that wrote it is gone.
    Interrupted,
    /// Something else.
    Other,
}

impl From<Finish> for FinishReason {
    fn from(finish: Finish) -> Self {
        match finish {
            Finish::Stop => Self::Stop,
            Finish::Length => Self::Length,
            Finish::Filter => Self::ContentFilter,
            Finish::Calls => Self::ToolCalls,
            Finish::Error => Self::Error,
            Finish::Other => Self::Other,
        }
    }
}

/// What the message says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Metadata {
    /// Tokens, if they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Tokens>,
    /// How it came about, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheStatus>,
}

/// Tokens, as the AI SDK's `LanguageModelUsage` has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// Of the request.
    pub input_tokens: u64,
    /// Some of them.
    pub input_token_details: InputTokens,
    /// Of the answer.
    pub output_tokens: u64,
    /// Some of them.
    pub output_token_details: OutputTokens,
    /// Of both.
    pub total_tokens: u64,
}

/// Tokens of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InputTokens {
    /// The backend had them in its cache.
    pub cache_read_tokens: u64,
}

/// Tokens of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputTokens {
    /// The model thought with them.
    pub reasoning_tokens: u64,
}

impl From<TokenCounts> for Tokens {
    fn from(counts: TokenCounts) -> Self {
        Self {
            input_tokens: counts.usage.prompt_tokens,
            input_token_details: InputTokens { cache_read_tokens: counts.cached },
            output_tokens: counts.usage.completion_tokens,
            output_token_details: OutputTokens { reasoning_tokens: counts.reasoning },
            total_tokens: counts.usage.total_tokens,
        }
    }
}
