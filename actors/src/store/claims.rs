//! What is claimed by whoever comes first, of those who may come at once to several nodes.

use async_trait::async_trait;

use super::StoreResult;

/// Names that are claimed, each with a word on what it was claimed for. A name is text of any kind, and of any length.
#[async_trait]
pub trait Claims: Send + Sync {
    /// Claims a name for so many seconds. `Some`: it was claimed before, for that. Of claims under one name at most one succeeds: so that
    /// a call may be repeated, `word` tells one claim from another.
    async fn claim(&self, name: &str, word: &str, seconds: u64) -> StoreResult<Option<String>>;
    /// For what a name was claimed.
    async fn find(&self, name: &str) -> StoreResult<Option<String>>;
    /// Notes something else under a name, whoever has claimed it, for so many seconds from now.
    async fn note(&self, name: &str, word: &str, seconds: u64) -> StoreResult<()>;
    /// Gives a name back that was claimed with this word.
    async fn release(&self, name: &str, word: &str) -> StoreResult<()>;
}
