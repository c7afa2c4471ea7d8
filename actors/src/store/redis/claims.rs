//! Claims in Redis.

use async_trait::async_trait;
use redis::Script;

use super::keys::Keys;
use crate::redis::Database;
use crate::store::{Claims, StoreResult};

/// Claims: a key each.
pub(super) struct RedisClaims {
    database: Database,
    keys: Keys,
    claim: Script,
    release: Script,
}

impl RedisClaims {
    pub(super) fn new(database: Database, keys: Keys) -> Self {
        let claim = Script::new(include_str!("scripts/name_claim.lua"));
        let release = Script::new(include_str!("scripts/name_release.lua"));
        Self { database, keys, claim, release }
    }
}

#[async_trait]
impl Claims for RedisClaims {
    async fn claim(&self, name: &str, word: &str, seconds: u64) -> StoreResult<Option<String>> {
        let mut call = self.claim.key(self.keys.claim(name));
        call.arg(word).arg(seconds.max(1));
        self.database.script(&call).await
    }

    async fn find(&self, name: &str) -> StoreResult<Option<String>> {
        let mut get = redis::cmd("GET");
        get.arg(self.keys.claim(name));
        self.database.call(async |mut connection| get.query_async(&mut connection).await).await
    }

    async fn note(&self, name: &str, word: &str, seconds: u64) -> StoreResult<()> {
        let mut set = redis::cmd("SET");
        set.arg(self.keys.claim(name)).arg(word).arg("EX").arg(seconds.max(1));
        self.database.call(async |mut connection| set.query_async(&mut connection).await).await
    }

    async fn release(&self, name: &str, word: &str) -> StoreResult<()> {
        let mut call = self.release.key(self.keys.claim(name));
        call.arg(word);
        self.database.script(&call).await
    }
}
