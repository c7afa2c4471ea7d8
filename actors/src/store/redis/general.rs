use async_trait::async_trait;
use serde_json::Value;

use super::connection::Database;
use crate::store::{GeneralCache, StoreResult};

/// The general cache, in the keys and JSON of django-redis, so that a Django application can warm and drop entries.
pub struct RedisGeneralCache {
    database: Database,
}

impl RedisGeneralCache {
    pub(super) fn new(database: Database) -> Self {
        Self { database }
    }
}

/// django-redis's default: an empty KEY_PREFIX, version 1.
fn key(name: &str) -> String {
    format!(":1:{name}")
}

#[async_trait]
impl GeneralCache for RedisGeneralCache {
    async fn get(&self, name: &str) -> StoreResult<Option<Value>> {
        let mut get = redis::cmd("GET");
        get.arg(key(name));
        let json: Option<Vec<u8>> =
            self.database.call(async |mut connection| get.query_async(&mut connection).await).await?;
        // What is not JSON (another serializer, a compressed value) is a miss.
        Ok(json.and_then(|json| serde_json::from_slice(&json).ok()).filter(|value: &Value| !value.is_null()))
    }

    async fn set(&self, name: &str, value: &Value, seconds: u64) -> StoreResult<()> {
        let mut set = redis::cmd("SET");
        set.arg(key(name)).arg(value.to_string()).arg("PX").arg(seconds.max(1).saturating_mul(1_000));
        self.database.call(async |mut connection| set.query_async(&mut connection).await).await
    }
}
