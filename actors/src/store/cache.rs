//! The chat response cache: finished answers, complete enough to be replayed.

use async_trait::async_trait;
use bytestring::ByteString;

use super::StoreResult;
use crate::protocol::Usage;

/// A finished answer as the cache keeps it, complete enough to be replayed chunk by chunk. Its JSON is what Django reads.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CachedAnswer {
    /// The model that wrote it.
    pub model: String,
    /// The text, for readers who want no more.
    pub text: String,
    /// Why it ended.
    pub finish_reason: String,
    /// RFC 3339.
    pub created_at: String,
    /// Tokens that it cost.
    pub usage: Option<Usage>,
    /// The stream's data lines, each one JSON text, as they came.
    pub chunks: Vec<ByteString>,
    /// The span that tells how it was written, where traces are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<String>,
}

/// What a cache holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheSize {
    /// Entries.
    pub entries: u64,
    /// Bytes of their JSON.
    pub bytes: u64,
}

/// The chat response cache.
#[async_trait]
pub trait AnswerCache: Send + Sync {
    /// The entry under a digest (lower-case hex).
    async fn get(&self, digest: &str) -> StoreResult<Option<CachedAnswer>>;
    /// Keeps an entry for so many seconds, `cache.ttl_seconds` without any.
    async fn put(&self, digest: &str, entry: &CachedAnswer, ttl_seconds: Option<u64>) -> StoreResult<()>;
    /// What it holds. Looks at every entry: for operators.
    async fn held(&self) -> StoreResult<CacheSize>;
    /// Drops the entries of a model, or all; returns how many. Looks at every entry.
    async fn purge(&self, model: Option<&str>) -> StoreResult<u64>;
}
