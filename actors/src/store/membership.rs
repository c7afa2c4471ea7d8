//! That a node lives, and which groups it is in.

use async_trait::async_trait;

use super::{NodeInfo, StoreResult};
use crate::ids::GroupName;

/// Another process that has this node's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namesake {
    /// Its key.
    pub key: String,
    /// When its lease was renewed last, by the server's clock in Unix milliseconds.
    pub renewed_ms: u64,
}

/// What a heartbeat found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beat {
    /// This node was known, though its lease may have run out. `false`: it was cleaned up after, the store has lost its data,
    /// or this is the first time.
    pub known: bool,
    /// Another one than before: the store has lost its data.
    pub life: String,
    /// Who has this node's name. `None`: this node.
    pub namesake: Option<Namesake>,
    /// The keys of nodes whose lease has run out, for whoever is alive to clean up after.
    pub dead: Vec<String>,
}

/// Where the mirror notes which groups this node is in, and that it lives.
#[async_trait]
pub trait Membership: Send + Sync {
    /// Notes groups that this node is in, and renews the life of their logs: a group that somebody is in is in use,
    /// however silent.
    async fn join(&self, groups: &[GroupName]) -> StoreResult<()>;
    /// Notes groups that this node is no longer in.
    async fn leave(&self, groups: &[GroupName]) -> StoreResult<()>;
    /// Renews this node's lease and tells the others of it. The name in `info` becomes this node's unless another process
    /// has renewed its lease on it in the last few seconds.
    async fn heartbeat(&self, info: &NodeInfo) -> StoreResult<Beat>;
    /// Some of the groups that a dead node was in.
    async fn left_by(&self, dead: &str) -> StoreResult<Vec<GroupName>>;
    /// These groups have been cleaned up after a dead node.
    async fn cleared(&self, dead: &str, groups: &[GroupName]) -> StoreResult<()>;
    /// Everything has been cleaned up after a dead node.
    async fn bury(&self, dead: &str) -> StoreResult<()>;
    /// Gives up the node's lease.
    async fn resign(&self) -> StoreResult<()>;
    /// Waits until the store is back after having been away, however shortly; for ever where it cannot be away.
    async fn returned(&self);
}
