//! What a client is told when a command cannot be carried out: one table of codes.

use serde::{Deserialize, Serialize};

/// The error codes of `error` and `answer.error` events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not JSON, or not an object.
    BadJson,
    /// A field is missing or wrong.
    BadRequest,
    /// No such command.
    UnknownType,
    /// The text is longer than `session.max_text_chars`.
    TooLarge,
    /// The session is not in that group.
    NotMember,
    /// The user may not do that.
    NotAllowed,
    /// No such message or answer.
    NotFound,
    /// A rate limit.
    RateLimited,
    /// The session has as many answers running as it may.
    Busy,
    /// Not confirmed: the store did not answer in time.
    StoreUnavailable,
    /// The AI backend cannot be reached or refuses service.
    AiUnavailable,
    /// The AI backend did not answer in time.
    AiTimeout,
    /// The AI backend refused this request.
    AiRejected,
    /// The answer was cut off.
    Interrupted,
    /// A fault of the server.
    Internal,
}

impl ErrorCode {
    /// Every code, for documents and tests.
    pub const ALL: [Self; 15] = [
        Self::BadJson,
        Self::BadRequest,
        Self::UnknownType,
        Self::TooLarge,
        Self::NotMember,
        Self::NotAllowed,
        Self::NotFound,
        Self::RateLimited,
        Self::Busy,
        Self::StoreUnavailable,
        Self::AiUnavailable,
        Self::AiTimeout,
        Self::AiRejected,
        Self::Interrupted,
        Self::Internal,
    ];

    /// The code on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadJson => "bad_json",
            Self::BadRequest => "bad_request",
            Self::UnknownType => "unknown_type",
            Self::TooLarge => "too_large",
            Self::NotMember => "not_member",
            Self::NotAllowed => "not_allowed",
            Self::NotFound => "not_found",
            Self::RateLimited => "rate_limited",
            Self::Busy => "busy",
            Self::StoreUnavailable => "store_unavailable",
            Self::AiUnavailable => "ai_unavailable",
            Self::AiTimeout => "ai_timeout",
            Self::AiRejected => "ai_rejected",
            Self::Interrupted => "interrupted",
            Self::Internal => "internal",
        }
    }
}

/// Why something was refused, as a client may read it: nothing internal is ever in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The code.
    pub code: ErrorCode,
    /// One plain sentence that says what to do.
    pub message: String,
    /// When to come back, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl Refusal {
    /// A refusal without a time to come back.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after_ms: None }
    }

    /// The store did not confirm in time.
    pub fn store_unavailable() -> Self {
        Self {
            code: ErrorCode::StoreUnavailable,
            message: "this is not confirmed: the store did not answer in time; try again with the same id".into(),
            retry_after_ms: Some(1_000),
        }
    }

    /// A fault of ours; the log has the details.
    pub fn internal() -> Self {
        Self::new(ErrorCode::Internal, "something went wrong on the server; try again with the same id")
    }
}
