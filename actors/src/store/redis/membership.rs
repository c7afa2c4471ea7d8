use async_trait::async_trait;
use redis::Script;

use super::RedisOptions;
use super::connection::Database;
use super::keys::Keys;
use crate::ids::{GroupName, NodeId};
pub use crate::layer::names::{NodeKey, local_name};
use crate::store::{Membership, StoreResult};

/// How long a node counts as alive after its last heartbeat, in seconds.
const LEASE_SECONDS: u64 = 10;
/// Groups in one script run: a few milliseconds of the server's time.
const BATCH: usize = 500;
/// Memberships of dead nodes that one heartbeat removes at most.
const SWEEP: usize = 500;

/// This node's memberships, as members of the channel layer's groups.
pub struct RedisMembership {
    database: Database,
    keys: Keys,
    channel_prefix: String,
    expiry: u64,
    group_life: u64,
    node: NodeId,
    node_key: NodeKey,
    join: Script,
    leave: Script,
    heartbeat: Script,
    resign: Script,
}

impl RedisMembership {
    pub(super) fn new(database: Database, options: &RedisOptions, keys: Keys) -> Self {
        Self {
            database,
            keys,
            channel_prefix: options.channel_prefix.clone(),
            expiry: options.group_expiry_seconds.max(1),
            group_life: options.group_life_seconds(),
            node: options.node.clone(),
            node_key: options.node_key.clone(),
            join: Script::new(include_str!("scripts/join.lua")),
            leave: Script::new(include_str!("scripts/leave.lua")),
            heartbeat: Script::new(include_str!("scripts/heartbeat.lua")),
            resign: Script::new(include_str!("scripts/resign.lua")),
        }
    }

    fn joined(&self) -> String {
        format!("{}{}", self.keys.joined_prefix(), self.node_key.as_str())
    }

    fn members_of(&self, group: &GroupName) -> String {
        format!("{}:group:{group}", self.channel_prefix)
    }
}

#[async_trait]
impl Membership for RedisMembership {
    async fn join(&self, groups: &[GroupName]) -> StoreResult<()> {
        for groups in groups.chunks(BATCH) {
            let mut call = self.join.prepare_invoke();
            call.arg(self.expiry).arg(self.node_key.as_str()).arg(self.joined());
            call.arg(self.keys.prefix()).arg(self.group_life);
            for group in groups {
                call.key(self.members_of(group)).arg(group.as_str()).arg(local_name(group));
            }
            let () = self.database.script(&call).await?;
        }
        Ok(())
    }

    async fn leave(&self, groups: &[GroupName]) -> StoreResult<()> {
        for groups in groups.chunks(BATCH) {
            let mut call = self.leave.prepare_invoke();
            call.arg(self.node_key.as_str()).arg(self.joined());
            for group in groups {
                call.key(self.members_of(group)).arg(local_name(group));
            }
            let () = self.database.script(&call).await?;
        }
        Ok(())
    }

    async fn heartbeat(&self) -> StoreResult<bool> {
        let mut call = self.heartbeat.key(self.keys.node(&self.node));
        call.key(self.keys.nodes())
            .arg(self.node_key.as_str())
            .arg(LEASE_SECONDS)
            .arg(self.keys.joined_prefix())
            .arg(self.expiry)
            .arg(SWEEP);
        self.database.script(&call).await
    }

    async fn resign(&self) -> StoreResult<()> {
        let mut call = self.resign.key(self.keys.node(&self.node));
        call.key(self.keys.nodes()).arg(self.node_key.as_str()).arg(self.keys.joined_prefix());
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
