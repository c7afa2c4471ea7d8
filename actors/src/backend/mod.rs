//! The AI backend as the core sees it: something that streams chunks.

mod demo;
mod demo_embeddings;

use std::pin::Pin;

use async_trait::async_trait;
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use demo::{DEMO_MODEL, Demo, WORD_PAUSE};

use crate::openai::error::ErrorObject;
use crate::openai::{BackendRequest, Chunk};
use crate::protocol::ErrorCode;

/// What a stream yields. After an end of the stream without `Done` the answer is whole only if every choice has ended.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamItem {
    /// A piece of the answer.
    Chunk(Chunk),
    /// The backend said that it is through (`[DONE]`).
    Done,
}

/// Why the backend did not answer, as a client may read it: no address, no key, no stack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{}: {detail}", code.as_str())]
pub struct BackendError {
    /// `ai_unavailable`, `ai_timeout`, `ai_rejected` or `interrupted`.
    pub code: ErrorCode,
    /// Whether the backend was asked again already, in vain: another try of the caller's would multiply that.
    #[serde(default)]
    pub retried: bool,
    /// One plain sentence for the client.
    pub reason: String,
    /// When trying again makes sense, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// For the operator's log: what really happened. Never sent to a client; never a key.
    pub detail: String,
    /// Which backend it was, for the operator's log; none, if none was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Box<AskedBackend>>,
    /// What the backend said to a request that it refused, for callers who speak its protocol: nothing of the account or of
    /// this service is in it.
    pub refusal: Option<BackendRefusal>,
}

impl BackendError {
    /// One of which nothing more is known.
    pub fn new(code: ErrorCode, reason: &str, detail: &str) -> Self {
        let (reason, detail) = (reason.to_owned(), detail.to_owned());
        Self { code, retried: false, reason, retry_after_ms: None, detail, asked: None, refusal: None }
    }

    /// A fault of this service's own.
    pub fn internal(detail: &str) -> Self {
        Self::new(ErrorCode::Internal, "something went wrong on the server; try again", detail)
    }

    /// The rest of it cannot be had any more: another generation would go on differently.
    pub fn cut_off(detail: &str) -> Self {
        Self::new(ErrorCode::Interrupted, "the answer was cut off; what was written is kept, try again", detail)
    }

    /// The node goes before the answer is through.
    pub fn drained() -> Self {
        let reason = "the server was stopped before the answer was through; what was written is kept, try again";
        Self::new(ErrorCode::Interrupted, reason, "the drain time was over")
    }

    /// It took longer than it may.
    pub fn too_long(detail: &str) -> Self {
        Self::new(ErrorCode::AiTimeout, "the AI took too long", detail)
    }
}

/// A backend that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedBackend {
    /// What it is called.
    pub backend: String,
    /// Where it was asked, without anything secret.
    pub url: String,
}

/// A backend's own words about a request that it refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendRefusal {
    /// The HTTP status.
    pub status: u16,
    /// The error object.
    pub error: ErrorObject,
}

/// The chunks of one answer.
pub type ChunkStream = Pin<Box<dyn Stream<Item = Result<StreamItem, BackendError>> + Send>>;

/// Whoever writes answers. Time-outs and retries before the first byte are its own affair; dropping the stream cancels the request.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Begins an answer.
    async fn stream(&self, request: &BackendRequest) -> Result<ChunkStream, BackendError>;
    /// The models that can be asked for, as OpenAI's model objects. Never fails: what cannot be found out is left out.
    async fn models(&self) -> Vec<Value> {
        Vec::new()
    }
    /// What it is, for the log: `demo`, `openai`.
    fn name(&self) -> &'static str;
}
