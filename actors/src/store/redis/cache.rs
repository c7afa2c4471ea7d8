//! The response cache in Redis.

use std::time::Duration;

use async_trait::async_trait;

use crate::redis::{Database, Link};
use crate::store::{AnswerCache, CacheSize, CachedAnswer, StoreError, StoreResult};

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

    /// Those of the keys whose entries are a model's.
    async fn of_model(&self, keys: Vec<String>, model: &str) -> StoreResult<Vec<String>> {
        let mut ours = Vec::new();
        for keys in keys.chunks(READ) {
            let mut get = redis::cmd("MGET");
            get.arg(keys);
            let ask = async |mut connection| get.query_async::<Vec<Option<Vec<u8>>>>(&mut connection).await;
            let entries = self.database.call(ask).await?;
            let is_ours = |json: &Option<Vec<u8>>| {
                let answer = json.as_ref().and_then(|json| serde_json::from_slice::<CachedAnswer>(json).ok());
                answer.is_some_and(|answer| answer.model == model)
            };
            ours.extend(keys.iter().zip(&entries).filter(|(_, json)| is_ours(json)).map(|(key, _)| key.clone()));
        }
        Ok(ours)
    }

    /// Some of the entries' keys, and where to go on; 0 at the end.
    async fn scan(&self, cursor: u64) -> StoreResult<(u64, Vec<String>)> {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(key("*")).arg("COUNT").arg(SCANNED);
        self.database.call(async |mut connection| scan.query_async(&mut connection).await).await
    }
}

/// Keys that are looked at in one call.
const SCANNED: usize = 500;
/// Entries that are read in one call; each may have `cache.max_entry_bytes`.
const READ: usize = 20;

/// What the entries' keys begin with.
pub(super) const PREFIX: &str = ":1:sophie:answer:";

/// django-redis's default: an empty KEY_PREFIX, version 1.
fn key(digest: &str) -> String {
    format!("{PREFIX}{digest}")
}

#[async_trait]
impl AnswerCache for RedisCache {
    async fn get(&self, digest: &str) -> StoreResult<Option<CachedAnswer>> {
        let mut get = redis::cmd("GET");
        get.arg(key(digest));
        let get = &get;
        let ask = |left| {
            self.database.call_within(left, async move |mut link: Link| get.query_async(&mut link.connection).await)
        };
        let json: Option<Vec<u8>> = self.database.insist(self.database.budgets().other, ask).await?;
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

    async fn held(&self) -> StoreResult<CacheSize> {
        let (mut held, mut cursor) = (CacheSize::default(), 0);
        loop {
            let (next, keys) = self.scan(cursor).await?;
            let mut lengths = redis::pipe();
            keys.iter().for_each(|key| _ = lengths.cmd("STRLEN").arg(key));
            if !keys.is_empty() {
                let ask = async |mut connection| lengths.query_async::<Vec<u64>>(&mut connection).await;
                let lengths = self.database.call(ask).await?;
                held.entries += lengths.len() as u64;
                held.bytes += lengths.iter().sum::<u64>();
            }
            cursor = next;
            if cursor == 0 {
                return Ok(held);
            }
        }
    }

    async fn purge(&self, model: Option<&str>) -> StoreResult<u64> {
        let (mut purged, mut cursor) = (0, 0);
        loop {
            let (next, mut keys) = self.scan(cursor).await?;
            if let Some(model) = model {
                keys = self.of_model(keys, model).await?;
            }
            if !keys.is_empty() {
                let mut unlink = redis::cmd("UNLINK");
                unlink.arg(&keys);
                purged +=
                    self.database.call(async |mut connection| unlink.query_async::<u64>(&mut connection).await).await?;
            }
            cursor = next;
            if cursor == 0 {
                return Ok(purged);
            }
        }
    }
}
