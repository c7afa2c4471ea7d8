//! The response itself, as it is retrieved and as its first and last events bear it.

use serde::Serialize;

use super::{Echo, Item};
use crate::dialects::Outcome;
use crate::openai::{Finish, TokenCounts};
use crate::protocol::ErrorCode;

/// A response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the fields are OpenAI's own, described in its API reference")]
pub struct Response {
    pub id: String,
    pub object: &'static str,
    pub created_at: u64,
    pub status: Status,
    pub error: Option<Fault>,
    pub incomplete_details: Option<Incomplete>,
    pub model: String,
    pub output: Vec<Item>,
    pub usage: Option<ResponseUsage>,
    #[serde(flatten)]
    pub echo: Echo,
}

/// How far a response has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It runs in the background, and nothing has come.
    Queued,
    /// More will come.
    InProgress,
    /// It is whole.
    Completed,
    /// It failed.
    Failed,
    /// Somebody stopped it.
    Cancelled,
    /// It ended before the model was through.
    Incomplete,
}

/// Why a response ended before the model was through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Incomplete {
    /// In OpenAI's words.
    pub reason: &'static str,
}

/// Why a response failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// In OpenAI's words where it has one.
    pub code: &'static str,
    /// The same for people.
    pub message: String,
}

/// Tokens of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the fields are OpenAI's own, described in its API reference")]
pub struct ResponseUsage {
    pub input_tokens: u64,
    pub input_tokens_details: InputDetails,
    pub output_tokens: u64,
    pub output_tokens_details: OutputDetails,
    pub total_tokens: u64,
}

/// Tokens of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the fields are OpenAI's own, described in its API reference")]
pub struct InputDetails {
    pub cached_tokens: u64,
    pub cache_write_tokens: u64,
}

/// Tokens of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the fields are OpenAI's own, described in its API reference")]
pub struct OutputDetails {
    pub reasoning_tokens: u64,
}

/// What a response says of its end.
pub struct Ending {
    /// How it ended.
    pub status: Status,
    /// Why it is not whole.
    pub incomplete: Option<Incomplete>,
    /// Why it failed.
    pub fault: Option<Fault>,
}

impl From<Outcome<'_>> for Ending {
    fn from(outcome: Outcome<'_>) -> Self {
        let incomplete =
            |reason| Self { status: Status::Incomplete, incomplete: Some(Incomplete { reason }), fault: None };
        let plain = |status| Self { status, incomplete: None, fault: None };
        match outcome {
            Outcome::Finished(Finish::Length) => incomplete("max_output_tokens"),
            Outcome::Finished(Finish::Filter) => incomplete("content_filter"),
            Outcome::Finished(_) => plain(Status::Completed),
            Outcome::Steered => incomplete("steered"),
            Outcome::Cancelled => plain(Status::Cancelled),
            Outcome::Failed { code, reason } => {
                let fault = Fault { code: openai_code(code), message: reason.to_owned() };
                Self { status: Status::Failed, incomplete: None, fault: Some(fault) }
            }
        }
    }
}

fn openai_code(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Interrupted => "interrupted",
        ErrorCode::RateLimited | ErrorCode::Busy => "rate_limit_exceeded",
        ErrorCode::AiRejected | ErrorCode::BadRequest | ErrorCode::TooLarge => "invalid_prompt",
        _ => "server_error",
    }
}

impl From<TokenCounts> for ResponseUsage {
    fn from(counts: TokenCounts) -> Self {
        Self {
            input_tokens: counts.usage.prompt_tokens,
            input_tokens_details: InputDetails {
                cached_tokens: counts.cached,
                cache_write_tokens: counts.cache_written,
            },
            output_tokens: counts.usage.completion_tokens,
            output_tokens_details: OutputDetails { reasoning_tokens: counts.reasoning },
            total_tokens: counts.usage.total_tokens,
        }
    }
}
