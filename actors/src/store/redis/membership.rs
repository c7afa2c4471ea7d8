//! What this node is in, and that it lives, in Redis.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use redis::Script;

use super::RedisOptions;
use super::keys::Keys;
use super::log_scripts::LogScripts;
use crate::ids::{GroupName, NodeId, NodeKey};
use crate::redis::Database;
use crate::redis::wrong;
use crate::store::{BLANK_GROUP_HELD_SECONDS, BLANK_GROUP_SECONDS, Beat, Membership, Namesake, NodeInfo, StoreResult};

/// How long a node counts as alive after its last heartbeat, in seconds.
const LEASE_SECONDS: u64 = 10;
/// How long after its last heartbeat a node that was started under a name is taken for gone by another one of that name, in
/// seconds: three of its beats.
const SILENT_SECONDS: u64 = 3;
/// Groups in one script run: a few milliseconds of the server's time.
const BATCH: usize = 500;

/// What this node is in, for those who clean up after it, and its lease.
pub struct RedisMembership {
    database: Database,
    scripts: Arc<LogScripts>,
    keys: Keys,
    expiry: u64,
    group_life: u64,
    /// The life of the store at the last beat, and the nodes that there were with the ends of their leases.
    others: Mutex<(String, Vec<(String, String)>)>,
    /// The name in use, to be given up.
    name: Mutex<Option<NodeId>>,
    node_key: NodeKey,
    join: Script,
    heartbeat: Script,
    resign: Script,
    cleared: Script,
}

impl RedisMembership {
    pub(super) fn new(database: Database, options: &RedisOptions, scripts: Arc<LogScripts>) -> Self {
        Self {
            database,
            keys: scripts.keys.clone(),
            scripts,
            expiry: options.group_expiry_seconds.max(1),
            group_life: options.group_life_seconds(),
            others: Mutex::default(),
            name: Mutex::default(),
            node_key: options.node_key.clone(),
            join: Script::new(include_str!("scripts/join.lua")),
            heartbeat: Script::new(include_str!("scripts/heartbeat.lua")),
            resign: Script::new(include_str!("scripts/resign.lua")),
            cleared: Script::new(include_str!("scripts/cleared.lua")),
        }
    }

    fn joined(&self, node_key: &str) -> String {
        format!("{}{node_key}", self.keys.joined_prefix())
    }
}

#[async_trait]
impl Membership for RedisMembership {
    async fn join(&self, groups: &[GroupName]) -> StoreResult<()> {
        for groups in groups.chunks(BATCH) {
            let mut call = self.join.key(self.joined(self.node_key.as_str()));
            call.arg(self.expiry).arg(self.keys.prefix()).arg(self.group_life).arg(BLANK_GROUP_HELD_SECONDS);
            groups.iter().for_each(|group| _ = call.arg(group.as_str()));
            let () = self.database.script(&call).await?;
        }
        Ok(())
    }

    async fn leave(&self, groups: &[GroupName]) -> StoreResult<()> {
        self.cleared(self.node_key.as_str(), groups).await
    }

    async fn heartbeat(&self, info: &NodeInfo) -> StoreResult<Beat> {
        // First of all, since the rest may be written into a store that went back.
        let life = self.scripts.claim(&self.database).await?;
        let own = self.node_key.as_str();
        let mut call = self.heartbeat.key(self.keys.node(&info.node));
        call.key(self.keys.nodes()).key(self.keys.info(own));
        call.arg(own).arg(LEASE_SECONDS).arg(self.expiry.max(2 * LEASE_SECONDS));
        call.arg(serde_json::to_string(info).map_err(|error| wrong(&error.to_string()))?);
        call.arg(SILENT_SECONDS);
        let known_before = self.others.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if known_before.0 != life {
            known_before.1.iter().for_each(|(node, until)| _ = call.arg(node).arg(until));
        }
        let (known, key, renewed_ms, dead, others): (_, String, _, _, _) = self.database.script(&call).await?;
        *self.others.lock().unwrap_or_else(PoisonError::into_inner) = (life.clone(), others);
        let namesake = (!key.is_empty()).then_some(Namesake { key, renewed_ms });
        if namesake.is_none() {
            *self.name.lock().unwrap_or_else(PoisonError::into_inner) = Some(info.node.clone());
        }
        Ok(Beat { known, life, namesake, dead })
    }

    async fn left_by(&self, dead: &str) -> StoreResult<Vec<GroupName>> {
        loop {
            let mut some = redis::cmd("SRANDMEMBER");
            some.arg(self.joined(dead)).arg(BATCH);
            let names: Vec<String> =
                self.database.call(async |mut connection| some.query_async(&mut connection).await).await?;
            let groups: Vec<GroupName> = names.iter().filter_map(|name| GroupName::parse(name).ok()).collect();
            if !groups.is_empty() || names.is_empty() {
                return Ok(groups);
            }
            // Nothing but junk, which would hide what comes behind it.
            let mut remove = redis::cmd("SREM");
            remove.arg(self.joined(dead)).arg(&names);
            let () = self.database.call(async |mut connection| remove.query_async(&mut connection).await).await?;
        }
    }

    async fn cleared(&self, dead: &str, groups: &[GroupName]) -> StoreResult<()> {
        for groups in groups.chunks(BATCH) {
            let mut call = self.cleared.key(self.joined(dead));
            call.arg(self.keys.prefix()).arg(dead).arg(BLANK_GROUP_SECONDS);
            groups.iter().for_each(|group| _ = call.arg(group.as_str()));
            let () = self.database.script(&call).await?;
        }
        Ok(())
    }

    async fn bury(&self, dead: &str) -> StoreResult<()> {
        self.scripts.doubt(&self.database, dead, LEASE_SECONDS).await?;
        let mut remove = redis::pipe();
        remove.zrem(self.keys.nodes(), dead).ignore().del(self.keys.info(dead)).ignore();
        self.database.call(async |mut connection| remove.query_async(&mut connection).await).await
    }

    async fn resign(&self) -> StoreResult<()> {
        let own = self.node_key.as_str();
        let name = self.name.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Without one, a key that holds nothing of this node.
        let mut call = self.resign.key(name.map_or_else(|| self.keys.info(own), |name| self.keys.node(&name)));
        call.key(self.keys.nodes())
            .key(self.keys.info(own))
            .key(self.joined(own))
            .key(self.keys.sessions(own))
            .arg(own);
        self.database.script(&call).await
    }

    async fn returned(&self) {
        let mut available = self.database.available();
        let away = available.wait_for(|available| !available).await.is_ok();
        if away && available.wait_for(|available| *available).await.is_ok() {
            return;
        }
        // The database is gone for good, and this process with it.
        std::future::pending().await
    }
}
