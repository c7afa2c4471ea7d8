//! The response cache of a single node.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use moka::Expiry;
use moka::sync::Cache;

use crate::store::{AnswerCache, CacheSize, CachedAnswer, StoreError, StoreResult};

/// Cached answers in memory, bounded by the bytes of their JSON and their keys.
pub struct MemoryCache {
    entries: Cache<String, Entry>,
    ttl: Duration,
    max_entry_bytes: usize,
}

#[derive(Clone)]
struct Entry {
    json: Arc<[u8]>,
    ttl: Duration,
}

/// Each entry has a life of its own.
struct Lives;

impl Expiry<String, Entry> for Lives {
    fn expire_after_create(&self, _: &String, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.ttl)
    }

    fn expire_after_update(&self, _: &String, entry: &Entry, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(entry.ttl)
    }
}

impl MemoryCache {
    pub(super) fn new(bytes: u64, ttl: Duration, max_entry_bytes: usize) -> Self {
        let entries = Cache::builder()
            .max_capacity(bytes)
            .weigher(|digest: &String, entry: &Entry| {
                u32::try_from(digest.len() + entry.json.len()).unwrap_or(u32::MAX)
            })
            .expire_after(Lives)
            .build();
        Self { entries, ttl, max_entry_bytes }
    }
}

#[async_trait]
impl AnswerCache for MemoryCache {
    async fn get(&self, digest: &str) -> StoreResult<Option<CachedAnswer>> {
        // JSON, as in Redis: it is what is weighed, and the twins cannot differ in what they give back.
        Ok(self.entries.get(digest).and_then(|entry| serde_json::from_slice(&entry.json).ok()))
    }

    async fn put(&self, digest: &str, entry: &CachedAnswer, ttl_seconds: Option<u64>) -> StoreResult<()> {
        let json = serde_json::to_vec(entry).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        if json.len() <= self.max_entry_bytes {
            let ttl = ttl_seconds.map_or(self.ttl, Duration::from_secs);
            self.entries.insert(digest.to_owned(), Entry { json: json.into(), ttl });
        }
        Ok(())
    }

    async fn held(&self) -> StoreResult<CacheSize> {
        let lengths = self.entries.iter().map(|(_, entry)| entry.json.len() as u64);
        Ok(lengths.fold(CacheSize::default(), |held, bytes| CacheSize {
            entries: held.entries + 1,
            bytes: held.bytes + bytes,
        }))
    }

    async fn purge(&self, model: Option<&str>) -> StoreResult<u64> {
        let of_model = |entry: &Entry| {
            let answer = serde_json::from_slice::<CachedAnswer>(&entry.json);
            model.is_none_or(|model| answer.is_ok_and(|answer| answer.model == model))
        };
        let digests: Vec<_> =
            self.entries.iter().filter(|(_, entry)| of_model(entry)).map(|(digest, _)| digest).collect();
        digests.iter().for_each(|digest| self.entries.invalidate(&**digest));
        Ok(digests.len() as u64)
    }
}
