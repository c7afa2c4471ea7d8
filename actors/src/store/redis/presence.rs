//! Who is at which node, in Redis.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use redis::Script;

use super::RedisOptions;
use super::keys::Keys;
use super::written::{Along, Written};
use crate::ids::{GroupName, NodeKey, SessionId};
use crate::redis::Database;
use crate::redis::wrong;
use crate::store::{ChangedRow, Listing, NodeInfo, Presence, Row, Rows, Spread, StoreResult};

/// Memberships in one script run (of one session, if it has more): a few milliseconds of the server's time.
const BATCH: usize = 400;
/// Sessions whose rows one script run reads: a fraction of a millisecond of the server's time.
const PAGE: usize = 100;
/// Rows of a dead node that are removed at once.
const FORGET: usize = 100;

/// Sessions with their rows by node, as the script tells them.
type SessionsPage = Vec<(String, Vec<(String, String)>)>;

macro_rules! presence_script {
    ($name:literal) => {
        Script::new(concat!(include_str!("scripts/present.lua"), include_str!(concat!("scripts/", $name))))
    };
}

/// The rows: a hash for each session, with a sorted set of all, one for each group, and a count for each group and node.
pub struct RedisPresence {
    database: Database,
    keys: Keys,
    node_key: NodeKey,
    life: u64,
    written: Mutex<Written>,
    rows: Script,
    missing: Script,
    forget: Script,
    members: Script,
}

impl RedisPresence {
    pub(super) fn new(database: Database, keys: Keys, options: &RedisOptions) -> Self {
        Self {
            database,
            keys,
            node_key: options.node_key.clone(),
            life: options.group_expiry_seconds.max(1),
            written: Mutex::default(),
            rows: presence_script!("rows.lua"),
            missing: Script::new(include_str!("scripts/missing.lua")),
            forget: presence_script!("forget.lua"),
            members: Script::new(include_str!("scripts/members.lua")),
        }
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn put(&self, rows: &[ChangedRow], renew: bool) -> StoreResult<()> {
        let size = |(_, row): &ChangedRow| 1 + row.as_ref().map_or(0, |row| row.groups.len());
        let mut rest = rows;
        while let Some(first) = rest.first() {
            let mut taken = size(first);
            let more = rest[1..].iter().take_while(|row| {
                taken += size(row);
                taken <= BATCH
            });
            let (batch, later) = rest.split_at(1 + more.count());
            rest = later;
            let mut call = self.rows.prepare_invoke();
            call.arg(self.keys.prefix()).arg(self.life).arg(self.node_key.as_str()).arg(i32::from(renew));
            let Along { counts, left } = self.written().write(batch, renew);
            call.arg(counts.len());
            counts.iter().for_each(|(group, count)| _ = call.arg(group.as_str()).arg(*count));
            for ((session, row), left) in batch.iter().zip(left) {
                let json = row.as_ref().map(serde_json::to_string).transpose();
                let json = json.map_err(|error| wrong(&error.to_string()))?;
                let left: Vec<&str> = left.iter().map(GroupName::as_str).collect();
                call.arg(session.as_str()).arg(json.unwrap_or_default()).arg(left.join(" "));
            }
            let () = self.database.script(&call).await?;
            self.written().confirm(batch);
        }
        Ok(())
    }

    fn others(&self, rows: Vec<(String, String)>) -> Vec<Row> {
        let others = rows.into_iter().filter(|(node, _)| node != self.node_key.as_str());
        others.filter_map(|(_, json)| serde_json::from_str(&json).ok()).collect()
    }
}

#[async_trait]
impl Presence for RedisPresence {
    async fn write(&self, rows: &[ChangedRow]) -> StoreResult<()> {
        self.put(rows, false).await
    }

    async fn renew(&self, rows: &[ChangedRow]) -> StoreResult<()> {
        self.put(rows, true).await
    }

    async fn missing(&self, sessions: &[SessionId], groups: &[GroupName]) -> StoreResult<Vec<SessionId>> {
        let known: Vec<&SessionId> = {
            let written = self.written();
            sessions.iter().filter(|session| written.has(session)).collect()
        };
        let mut call = self.missing.prepare_invoke();
        known.iter().for_each(|session| _ = call.key(self.keys.here(session)));
        call.arg(self.node_key.as_str()).arg(self.keys.prefix());
        groups.iter().for_each(|group| _ = call.arg(group.as_str()));
        let places: Vec<usize> = self.database.script(&call).await?;
        let mut written = self.written();
        let gone = places.into_iter().filter_map(|place| known.get(place.checked_sub(1)?));
        // It may have gone meanwhile, as it should.
        let gone: Vec<SessionId> =
            gone.filter(|session| written.has(session)).map(|session| (*session).clone()).collect();
        gone.iter().for_each(|session| written.lost(session));
        Ok(gone)
    }

    async fn members(&self, group: &GroupName, limit: usize) -> StoreResult<Vec<Rows>> {
        let (mut found, mut start) = (Vec::new(), 0);
        // As many pages again where all of some are gone.
        for _ in 0..2 * limit.div_ceil(PAGE) {
            let count = PAGE.min(limit - start);
            let mut call = self.members.key(self.keys.members(group));
            call.arg(self.keys.here_prefix()).arg("rank").arg(start).arg(start + count - 1).arg(count);
            let (gone, page): (usize, SessionsPage) = self.database.script(&call).await?;
            // Those behind the ones that were removed have moved up.
            start += page.len().saturating_sub(gone);
            let was_last = page.len() < count || start >= limit;
            let known = page.into_iter().filter_map(|(session, rows)| Some((SessionId::parse(&session).ok()?, rows)));
            let rows = known.map(|(session, rows)| (session, self.others(rows)));
            found.extend(rows.filter(|(_, rows)| !rows.is_empty()));
            if was_last {
                break;
            }
        }
        Ok(found)
    }

    async fn spread(&self, groups: &[GroupName]) -> StoreResult<Vec<Spread>> {
        let mut pipe = redis::pipe();
        // A key of a wrong type counts for nothing, and spoils no other count.
        pipe.ignore_errors();
        pipe.cmd("ZRANGE").arg(self.keys.nodes()).arg(0).arg(-1);
        for group in groups {
            pipe.cmd("ZCARD").arg(self.keys.members(group)).cmd("HKEYS").arg(self.keys.at(group));
        }
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let call = async |mut connection| pipe.query_async::<Vec<redis::Value>>(&mut connection).await;
        let mut replies = self.database.call(call).await?;
        // What a node left behind that nobody knows any more counts for nothing.
        let known: Vec<String> = match replies.is_empty() {
            true => Vec::new(),
            false => redis::from_redis_value(replies.remove(0)).map_err(|error| wrong(&error.to_string()))?,
        };
        let read = |pair: &[redis::Value]| {
            let members: usize = redis::from_redis_value(pair[0].clone()).ok()?;
            let nodes: Vec<String> = redis::from_redis_value(pair[1].clone()).ok()?;
            let other = |node: &&String| *node != self.node_key.as_str() && known.contains(node);
            let other_nodes = nodes.iter().filter(other).count();
            Some(Spread { members, other_nodes })
        };
        Ok(replies.chunks_exact(2).map(|pair| read(pair).unwrap_or_default()).collect())
    }

    async fn sessions(&self, prefix: &str, cursor: Option<&str>, limit: usize) -> StoreResult<Listing> {
        let from = match cursor {
            Some(cursor) if cursor >= prefix => format!("({cursor}"),
            _ => format!("[{prefix}"),
        };
        // Names are ASCII: nothing that begins with the prefix sorts after this.
        let to = if prefix.is_empty() { "+".to_owned() } else { format!("[{prefix}\u{7f}") };
        let count = limit.max(PAGE);
        let mut call = self.members.key(self.keys.live());
        call.arg(self.keys.here_prefix()).arg("lex").arg(&from).arg(&to).arg(count);
        let (_, page): (usize, SessionsPage) = self.database.script(&call).await?;
        let until = page.last().filter(|_| page.len() == count).map(|(last, _)| last.clone());
        let known = page.into_iter().filter_map(|(session, rows)| Some((SessionId::parse(&session).ok()?, rows)));
        let rows = known.map(|(session, rows)| (session, self.others(rows))).filter(|(_, rows)| !rows.is_empty());
        Ok(Listing { rows: rows.collect(), until })
    }

    async fn session(&self, session: &SessionId) -> StoreResult<Vec<Row>> {
        let mut get = redis::cmd("HGETALL");
        get.arg(self.keys.here(session));
        let rows = self.database.call(async |mut connection| get.query_async(&mut connection).await).await?;
        Ok(self.others(rows))
    }

    async fn nodes(&self) -> StoreResult<Vec<NodeInfo>> {
        let mut list = redis::pipe();
        list.cmd("TIME").cmd("ZRANGE").arg(self.keys.nodes()).arg(0).arg(-1).arg("WITHSCORES");
        let ((now, _), nodes): ((f64, u64), Vec<(String, f64)>) =
            self.database.call(async |mut connection| list.query_async(&mut connection).await).await?;
        let mut get = redis::cmd("MGET");
        let lives = |(node, until): (String, f64)| (until >= now && node != self.node_key.as_str()).then_some(node);
        let others: Vec<String> = nodes.into_iter().filter_map(lives).collect();
        if others.is_empty() {
            return Ok(Vec::new());
        }
        others.iter().for_each(|node| _ = get.arg(self.keys.info(node)));
        let infos: Vec<Option<String>> =
            self.database.call(async |mut connection| get.query_async(&mut connection).await).await?;
        Ok(infos.into_iter().flatten().filter_map(|json| serde_json::from_str(&json).ok()).collect())
    }

    async fn forget(&self, dead: &str) -> StoreResult<bool> {
        let mut call = self.forget.arg(self.keys.prefix());
        call.arg(self.life).arg(dead).arg(FORGET);
        self.database.script(&call).await
    }

    async fn forget_own(&self) -> StoreResult<bool> {
        self.forget(self.node_key.as_str()).await
    }
}
