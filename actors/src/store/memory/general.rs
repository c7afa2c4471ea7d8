//! The general cache of a single node.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::time::Instant;

use super::Expiring;
use crate::store::{GeneralCache, StoreResult};

/// The general cache of a single node. Bounded by the lives of its entries, which are minutes.
pub struct MemoryGeneralCache {
    entries: Mutex<Expiring<String, Value>>,
}

impl Default for MemoryGeneralCache {
    fn default() -> Self {
        Self { entries: Mutex::new(Expiring::new()) }
    }
}

#[async_trait]
impl GeneralCache for MemoryGeneralCache {
    async fn get(&self, name: &str) -> StoreResult<Option<Value>> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(entries.get(name, Instant::now()).cloned())
    }

    async fn set(&self, name: &str, value: &Value, seconds: u64) -> StoreResult<()> {
        let now = Instant::now();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.put(name.to_owned(), value.clone(), now + Duration::from_secs(seconds.max(1)), now);
        Ok(())
    }
}
