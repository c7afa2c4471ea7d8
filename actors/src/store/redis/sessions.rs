use std::collections::HashMap;

use async_trait::async_trait;
use redis::{Pipeline, Script};

use super::connection::Database;
use super::keys::Keys;
use crate::ids::{GroupName, SessionId, UserId};
use crate::store::{RECORD_SECONDS, SessionRecord, SessionRecords, StoreResult};

/// Session records, one hash each: `owner`, and a field `g:{group}` with its place in the order of joining.
pub struct RedisSessions {
    database: Database,
    keys: Keys,
    join: Script,
}

impl RedisSessions {
    pub(super) fn new(database: Database, keys: Keys) -> Self {
        Self { database, keys, join: Script::new(include_str!("scripts/session_join.lua")) }
    }

    async fn run<T: redis::FromRedisValue + Send>(&self, commands: Pipeline) -> StoreResult<T> {
        self.database.call(|mut connection| async move { commands.query_async(&mut connection).await }).await
    }
}

fn field(group: &GroupName) -> String {
    format!("g:{group}")
}

#[async_trait]
impl SessionRecords for RedisSessions {
    async fn claim(&self, session: &SessionId, user: &UserId) -> StoreResult<UserId> {
        let key = self.keys.session(session);
        let mut commands = redis::pipe();
        commands.atomic().cmd("HSETNX").arg(&key).arg("owner").arg(user.as_str()).ignore();
        commands.cmd("EXPIRE").arg(&key).arg(RECORD_SECONDS).ignore().cmd("HGET").arg(&key).arg("owner");
        let (owner,): (String,) = self.run(commands).await?;
        Ok(UserId::from(owner.as_str()))
    }

    async fn load(&self, session: &SessionId) -> StoreResult<SessionRecord> {
        let key = self.keys.session(session);
        let mut commands = redis::pipe();
        commands.atomic().cmd("EXPIRE").arg(&key).arg(RECORD_SECONDS).ignore().cmd("HGETALL").arg(&key);
        let (fields,): (HashMap<String, String>,) = self.run(commands).await?;
        let mut groups: Vec<(u64, GroupName)> = fields
            .iter()
            .filter_map(|(field, place)| Some((place.parse().ok()?, GroupName::parse(field.strip_prefix("g:")?).ok()?)))
            .collect();
        groups.sort();
        Ok(SessionRecord {
            owner: fields.get("owner").map(|owner| UserId::from(owner.as_str())),
            groups: groups.into_iter().map(|(_, group)| group).collect(),
        })
    }

    async fn add_group(&self, session: &SessionId, group: &GroupName) -> StoreResult<()> {
        let mut call = self.join.prepare_invoke();
        call.key(self.keys.session(session)).arg(field(group)).arg(RECORD_SECONDS);
        self.database.script(&call).await
    }

    async fn remove_group(&self, session: &SessionId, group: &GroupName) -> StoreResult<()> {
        let key = self.keys.session(session);
        let mut commands = redis::pipe();
        commands.atomic().cmd("HDEL").arg(&key).arg(field(group)).ignore();
        commands.cmd("EXPIRE").arg(&key).arg(RECORD_SECONDS).ignore();
        self.run(commands).await
    }
}
