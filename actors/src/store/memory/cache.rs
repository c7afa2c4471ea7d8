use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use moka::sync::Cache;

use crate::store::{AnswerCache, CachedAnswer, StoreError, StoreResult};

/// Cached answers in memory, bounded by the bytes of their JSON and their keys.
pub struct MemoryCache {
    entries: Cache<String, Arc<[u8]>>,
    max_entry_bytes: usize,
}

impl MemoryCache {
    pub(super) fn new(bytes: u64, ttl: Duration, max_entry_bytes: usize) -> Self {
        let entries = Cache::builder()
            .max_capacity(bytes)
            .weigher(|digest: &String, json: &Arc<[u8]>| u32::try_from(digest.len() + json.len()).unwrap_or(u32::MAX))
            .time_to_live(ttl)
            .build();
        Self { entries, max_entry_bytes }
    }
}

#[async_trait]
impl AnswerCache for MemoryCache {
    async fn get(&self, digest: &str) -> StoreResult<Option<CachedAnswer>> {
        // JSON, as in Redis: it is what is weighed, and the twins cannot differ in what they give back.
        Ok(self.entries.get(digest).and_then(|json| serde_json::from_slice(&json).ok()))
    }

    async fn put(&self, digest: &str, entry: &CachedAnswer) -> StoreResult<()> {
        let json = serde_json::to_vec(entry).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        if json.len() <= self.max_entry_bytes {
            self.entries.insert(digest.to_owned(), json.into());
        }
        Ok(())
    }
}
