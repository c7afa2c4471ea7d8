//! The general cache: facts that a Django application shares.

use async_trait::async_trait;

use super::StoreResult;

/// The general cache: small facts about users and services, in a form that a Django application shares.
#[async_trait]
pub trait GeneralCache: Send + Sync {
    /// The entry of a name.
    async fn get(&self, name: &str) -> StoreResult<Option<serde_json::Value>>;
    /// Keeps an entry for so many seconds, at least one.
    async fn set(&self, name: &str, value: &serde_json::Value, seconds: u64) -> StoreResult<()>;
}
