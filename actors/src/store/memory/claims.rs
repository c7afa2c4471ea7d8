//! Claims of a single node.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::Expiring;
use crate::store::{Claims, StoreResult};

/// Claims of a single node. Bounded by their lives, and by what may be asked in those.
pub(super) struct MemoryClaims(Mutex<Expiring<String, String>>);

impl MemoryClaims {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Expiring::new()))
    }

    fn lock(&self) -> MutexGuard<'_, Expiring<String, String>> {
        // Every change is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Claims for MemoryClaims {
    async fn claim(&self, name: &str, word: &str, seconds: u64) -> StoreResult<Option<String>> {
        let (mut claims, now) = (self.lock(), Instant::now());
        if let Some(before) = claims.get(name, now) {
            return Ok(Some(before.clone()).filter(|before| before != word));
        }
        claims.put(name.to_owned(), word.to_owned(), now + Duration::from_secs(seconds), now);
        Ok(None)
    }

    async fn find(&self, name: &str) -> StoreResult<Option<String>> {
        Ok(self.lock().get(name, Instant::now()).cloned())
    }

    async fn note(&self, name: &str, word: &str, seconds: u64) -> StoreResult<()> {
        let now = Instant::now();
        self.lock().put(name.to_owned(), word.to_owned(), now + Duration::from_secs(seconds), now);
        Ok(())
    }

    async fn release(&self, name: &str, word: &str) -> StoreResult<()> {
        let (mut claims, now) = (self.lock(), Instant::now());
        if claims.get(name, now).is_some_and(|claimed| claimed == word) {
            claims.remove(name, now);
        }
        Ok(())
    }
}
