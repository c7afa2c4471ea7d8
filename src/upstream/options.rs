//! How a backend is reached, as the settings say it.

use std::time::Duration;

use sophie_actors::openai::Api;

use super::secrets::BackendKey;

/// The longest that any time-out can be set to, so that adding it to the clock cannot overflow.
pub const LONGEST_SECONDS: u64 = 24 * 60 * 60;

/// How a backend is reached: one of `[[ai.backends]]`, or the rest of `[ai]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenAiOptions {
    /// What it is called in the log.
    pub name: String,
    /// Its address up to `/chat/completions`; empty for [`DEFAULT_BASE_URL`].
    pub base_url: String,
    /// By which API it is asked for what it is to say.
    pub api: Api,
    /// Sent as a bearer token.
    pub api_key: Option<BackendKey>,
    /// Further headers (Azure's `api-key`). One of them takes the place of the bearer token if it has its name.
    pub headers: Vec<(String, BackendKey)>,
    /// Sent as the model in place of the one that was asked for; empty: that one.
    pub model: String,
    /// For a connection.
    pub connect_seconds: u64,
    /// For the first chunk, of each attempt.
    pub first_chunk_seconds: u64,
    /// Between two chunks.
    pub idle_seconds: u64,
    /// For everything, retries and their pauses included.
    pub total_seconds: u64,
    /// How often a request is sent again at most.
    pub retries: u32,
    /// The most data that an answer may have, in bytes.
    pub max_answer_bytes: usize,
    /// The most data that one event of a stream may have, in bytes.
    pub max_event_bytes: usize,
}

/// Options with which no backend can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadOptions {
    /// Not an address. It is not repeated, as it may bear a password.
    #[error("ai.base_url must be an http:// or https:// address")]
    BaseUrl,
    /// Not fit for a header.
    #[error("ai.api_key has characters that no key has, such as a line end")]
    BackendKey,
    /// Not fit for a header.
    #[error("the header {0:?} has a name or characters that no header has")]
    Header(String),
    /// No HTTP client can be made on this machine.
    #[error("the HTTP client for the AI backend cannot be made: {0}")]
    Client(String),
}

/// Seconds of the settings.
pub fn span(seconds: u64) -> Duration {
    Duration::from_secs(seconds.min(LONGEST_SECONDS))
}
