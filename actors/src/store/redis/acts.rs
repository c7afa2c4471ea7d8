//! What operators did, in Redis.

use async_trait::async_trait;

use super::feedback::newest;
use super::keys::Keys;
use crate::redis::{Database, wrong};
use crate::store::{ACTS_KEPT, ACTS_SECONDS, ActRecords, OperatorAct, StoreResult};

/// The acts: one stream for the cluster.
pub struct RedisActs {
    database: Database,
    keys: Keys,
}

impl RedisActs {
    pub(super) fn new(database: Database, keys: Keys) -> Self {
        Self { database, keys }
    }
}

#[async_trait]
impl ActRecords for RedisActs {
    async fn add(&self, act: &OperatorAct) -> StoreResult<()> {
        let json = serde_json::to_string(act).map_err(|error| wrong(&error.to_string()))?;
        let (mut pipe, key) = (redis::pipe(), self.keys.audit());
        pipe.atomic().cmd("XADD").arg(&key).arg("MAXLEN").arg(ACTS_KEPT).arg("*").arg("f").arg(json).ignore();
        pipe.cmd("EXPIRE").arg(&key).arg(ACTS_SECONDS).ignore();
        self.database.call(async |mut connection| pipe.query_async(&mut connection).await).await
    }

    async fn newest(&self, before: Option<&str>, limit: usize) -> StoreResult<Vec<(String, OperatorAct)>> {
        let entries = newest(&self.database, &self.keys.audit(), (before, ACTS_SECONDS), limit).await?;
        Ok(entries.into_iter().filter_map(|(id, json)| serde_json::from_str(&json).ok().map(|act| (id, act))).collect())
    }
}
