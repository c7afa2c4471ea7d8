use std::time::Duration;

use async_trait::async_trait;

use super::connection::Database;
use crate::store::{AnswerCache, CachedAnswer, StoreError, StoreResult};

/// The response cache, in the keys and JSON of django-redis, so that a Django application can read and drop entries.
pub struct RedisCache {
    database: Database,
    ttl: Duration,
    max_entry_bytes: usize,
}

impl RedisCache {
    pub(super) fn new(database: Database, ttl: Duration, max_entry_bytes: usize) -> Self {
        Self { database, ttl, max_entry_bytes }
    }
}

/// django-redis's default: an empty KEY_PREFIX, version 1.
fn key(digest: &str) -> String {
    format!(":1:sophie:answer:{digest}")
}

#[async_trait]
impl AnswerCache for RedisCache {
    async fn get(&self, digest: &str) -> StoreResult<Option<CachedAnswer>> {
        let mut get = redis::cmd("GET");
        get.arg(key(digest));
        let json: Option<Vec<u8>> =
            self.database.call(|mut connection| async move { get.query_async(&mut connection).await }).await?;
        // What somebody else wrote there, or an earlier version of this type, is a miss and will be overwritten.
        Ok(json.and_then(|json| serde_json::from_slice(&json).ok()))
    }

    async fn put(&self, digest: &str, entry: &CachedAnswer, ttl_seconds: Option<u64>) -> StoreResult<()> {
        let json = serde_json::to_vec(entry).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        if json.len() > self.max_entry_bytes {
            return Ok(());
        }
        let ttl = ttl_seconds.map_or(self.ttl, Duration::from_secs);
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut set = redis::cmd("SET");
        set.arg(key(digest)).arg(json).arg("PX").arg(ttl_ms);
        self.database.call(|mut connection| async move { set.query_async(&mut connection).await }).await
    }
}
