//! Session records in Redis.

use std::collections::HashMap;

use async_trait::async_trait;
use redis::{Pipeline, Script};

use super::RedisOptions;
use super::keys::Keys;
use crate::ids::{GroupName, SessionId, UserId};
use crate::protocol::unix_ms;
use crate::redis::Database;
use crate::redis::wrong;
use crate::rights::{Issued, Shown};
use crate::store::{RECORD_SECONDS, SessionRecord, SessionRecords, StoreResult};

/// Session records, one hash each: `owner`, a field `g:{group}` with its place in the order of joining, and what may be
/// joined, `rights`, with since when, `granted`, and `until` when. Whatever renews a home group renews its session's record (`scripts/log.lua`).
pub struct RedisSessions {
    database: Database,
    keys: Keys,
    /// Seconds that a record lives without use.
    life: u64,
    join: Script,
    grant: Script,
    restore: Script,
}

impl RedisSessions {
    pub(super) fn new(database: Database, keys: Keys, options: &RedisOptions) -> Self {
        Self {
            database,
            keys,
            life: RECORD_SECONDS.max(options.group_life_seconds()),
            join: Script::new(include_str!("scripts/session_join.lua")),
            grant: Script::new(include_str!("scripts/session_grant.lua")),
            restore: Script::new(include_str!("scripts/sessions_restore.lua")),
        }
    }

    async fn run<T: redis::FromRedisValue + Send>(&self, commands: Pipeline) -> StoreResult<T> {
        self.database.call(|mut connection| async move { commands.query_async(&mut connection).await }).await
    }
}

fn field(group: &GroupName) -> String {
    format!("g:{group}")
}

fn read(fields: &HashMap<String, String>) -> SessionRecord {
    let mut groups: Vec<(u64, GroupName)> = fields
        .iter()
        .filter_map(|(field, place)| Some((place.parse().ok()?, GroupName::parse(field.strip_prefix("g:")?).ok()?)))
        .collect();
    groups.sort();
    let rights = fields.get("rights").and_then(|rights| serde_json::from_str(rights).ok());
    let until = fields.get("until").and_then(|until| until.parse::<u64>().ok());
    let is_good = until.is_none_or(|until| until > unix_ms() / 1_000);
    SessionRecord {
        owner: fields.get("owner").map(|owner| UserId::from(owner.as_str())),
        groups: groups.into_iter().map(|(_, group)| group).collect(),
        rights: rights.filter(|_| is_good),
    }
}

#[async_trait]
impl SessionRecords for RedisSessions {
    async fn claim(&self, session: &SessionId, user: &UserId) -> StoreResult<UserId> {
        let key = self.keys.session(session);
        let mut commands = redis::pipe();
        commands.atomic().cmd("HSETNX").arg(&key).arg("owner").arg(user.as_str()).ignore();
        commands.cmd("EXPIRE").arg(&key).arg(self.life).ignore().cmd("HGET").arg(&key).arg("owner");
        let (owner,): (String,) = self.run(commands).await?;
        Ok(UserId::from(owner.as_str()))
    }

    async fn load(&self, session: &SessionId) -> StoreResult<SessionRecord> {
        let key = self.keys.session(session);
        let mut commands = redis::pipe();
        commands.atomic().cmd("EXPIRE").arg(&key).arg(self.life).ignore();
        // What the session has rated lives as long.
        commands.cmd("EXPIRE").arg(self.keys.ratings(session)).arg(self.life).ignore();
        commands.cmd("HGETALL").arg(&key);
        let (fields,): (HashMap<String, String>,) = self.run(commands).await?;
        Ok(read(&fields))
    }

    async fn grant(&self, session: &SessionId, shown: &Shown) -> StoreResult<SessionRecord> {
        let (how, at) = match shown.issued {
            Issued::At(at) => ("at", at),
            Issued::Now(at) => ("now", at),
            Issued::Again(at) => ("again", at),
        };
        let rights = serde_json::to_string(&shown.rights).map_err(|error| wrong(&error.to_string()))?;
        let mut call = self.grant.key(self.keys.session(session));
        call.arg(rights)
            .arg(how)
            .arg(at)
            .arg(self.life)
            .arg(shown.until.map(|until| until.to_string()).unwrap_or_default());
        let fields: HashMap<String, String> = self.database.script(&call).await?;
        Ok(read(&fields))
    }

    async fn add_group(&self, session: &SessionId, group: &GroupName) -> StoreResult<()> {
        let mut call = self.join.prepare_invoke();
        call.key(self.keys.session(session)).arg(field(group)).arg(self.life);
        self.database.script(&call).await
    }

    async fn restore(&self, records: &[(SessionId, Vec<GroupName>)]) -> StoreResult<()> {
        let mut call = self.restore.prepare_invoke();
        call.arg(self.life);
        for (session, groups) in records {
            let fields: Vec<String> = groups.iter().map(field).collect();
            call.key(self.keys.session(session)).arg(fields.join(" "));
        }
        self.database.script(&call).await
    }

    async fn remove_group(&self, session: &SessionId, group: &GroupName) -> StoreResult<()> {
        let key = self.keys.session(session);
        let mut commands = redis::pipe();
        commands.atomic().cmd("HDEL").arg(&key).arg(field(group)).ignore();
        commands.cmd("EXPIRE").arg(&key).arg(self.life).ignore();
        self.run(commands).await
    }
}
