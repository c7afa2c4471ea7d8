//! The channel layer that Sophie shares with Django: what channels_redis reads and writes, byte for byte. Two twins,
//! `core` (sorted sets) and `pubsub`, and one contract suite that both must pass.

mod codec;
mod drain;
mod fernet;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod hosts;
mod moving;
mod names;
mod options;
mod plain;
mod reader;
mod redis_core;
mod redis_pubsub;
mod ring;
mod round_trip;
mod subscriptions;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
mod wire;

use async_trait::async_trait;
use serde_json::{Map, Value};
use tokio::time::Instant;

pub use self::hosts::{connections_per_host, inspect_host};
pub use self::names::key_on_first_shard;
pub use self::options::{LayerOptions, Serializer};
pub use self::redis_core::core;
pub use self::redis_pubsub::pubsub;
pub use self::round_trip::{BrokenTrip, round_trip};
use crate::ids::{GroupName, NodeKey};
use crate::store::StoreResult;

/// A message as Django's consumers see it, without what the layer itself adds. Byte strings are base64 texts, numbers
/// that JSON does not have are null.
pub type Fields = Map<String, Value>;

/// To whom a message was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addressee {
    /// By `group_send`, to these groups that this node is a member of.
    Groups(Vec<GroupName>),
    /// By `send`, to one channel of this node: the part of its name behind the node's key.
    Channel(String),
}

/// When a node heard what others may have heard as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeardAt {
    /// When.
    pub at: Instant,
    /// Since when it has heard everything of this kind, at the latest.
    pub since: Instant,
}

impl HeardAt {
    /// Of something that nobody else has heard.
    pub fn now() -> Self {
        let now = Instant::now();
        Self { at: now, since: now }
    }
}

/// A message from Django.
#[derive(Debug, Clone, PartialEq)]
pub struct Inbound {
    /// To whom.
    pub to: Addressee,
    /// What tells this sending from another of equal content: the score that its sender gave it. `None` where the layer
    /// has no such thing (pubsub): there every node gets the same bytes, and one of them must be chosen to log them.
    pub sent_at: Option<String>,
    /// Where it has no such thing: when this node heard it.
    pub heard: Option<HeardAt>,
    /// The message.
    pub fields: Fields,
}

/// How a message to Django went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Queues (processes of Django) that got it.
    pub reached: usize,
    /// Queues that were full: for them it is lost, as it would be with channels_redis.
    pub full: usize,
}

/// A member of a group that is not a Sophie node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DjangoMember {
    /// Its channel name.
    pub channel: String,
    /// Unix milliseconds.
    pub since_ms: u64,
}

/// This node's place in the channel layer.
#[async_trait]
pub trait ChannelLayer: Send + Sync {
    /// What the channels of this node begin with, `!` included; none where nothing is shared with Django.
    fn channels(&self) -> Option<&NodeKey> {
        None
    }
    /// Makes this node a member of groups, or renews that.
    async fn join(&self, groups: &[GroupName]) -> StoreResult<()>;
    /// Those of `groups` that this node was made a member of and is no longer.
    async fn missing(&self, _groups: &[GroupName]) -> StoreResult<Vec<GroupName>> {
        Ok(Vec::new())
    }
    /// Takes this node out of groups.
    async fn leave(&self, groups: &[GroupName]) -> StoreResult<()>;
    /// Takes out the memberships that a dead node (its key in the layer, `!` included) has left.
    async fn expel(&self, node_key: &str, groups: &[GroupName]) -> StoreResult<()>;
    /// Waits for messages of Django and returns them in the order in which they came; for ever where there is no
    /// Django. What cannot be read is counted and passed over; a Redis that is away is waited for.
    async fn receive(&self) -> Vec<Inbound>;
    /// Sends to the members of a group that are not Sophie nodes.
    async fn tell_group(&self, group: &GroupName, fields: &Fields) -> StoreResult<Delivered>;
    /// Sends to a plain channel, as of a worker. `token` names this sending: repeated, it is not doubled while it waits.
    /// `false`: the channel is full.
    async fn tell_channel(&self, channel: &str, fields: &Fields, token: &str) -> StoreResult<bool>;
    /// Keeps what waits in a plain channel from expiring. To be called once a second or so by whoever supplies it.
    async fn keep_fresh(&self, _channel: &str) -> StoreResult<()> {
        Ok(())
    }
    /// Sees that the reader of a plain channel finds what waits there, at whichever host it reads. To be called many times a
    /// second by whoever supplies it.
    async fn spread(&self, _channel: &str) -> StoreResult<()> {
        Ok(())
    }
    /// The members of a group that are not Sophie nodes, at most `limit` of them. The pubsub layer cannot know any.
    async fn members(&self, group: &GroupName, limit: usize) -> StoreResult<Vec<DjangoMember>>;
}

/// The layer of a service that shares nothing with Django.
pub struct NoLayer;

#[async_trait]
impl ChannelLayer for NoLayer {
    async fn join(&self, _: &[GroupName]) -> StoreResult<()> {
        Ok(())
    }

    async fn leave(&self, _: &[GroupName]) -> StoreResult<()> {
        Ok(())
    }

    async fn expel(&self, _: &str, _: &[GroupName]) -> StoreResult<()> {
        Ok(())
    }

    async fn receive(&self) -> Vec<Inbound> {
        std::future::pending().await
    }

    async fn tell_group(&self, _: &GroupName, _: &Fields) -> StoreResult<Delivered> {
        Ok(Delivered::default())
    }

    async fn tell_channel(&self, _: &str, _: &Fields, _: &str) -> StoreResult<bool> {
        Ok(true)
    }

    async fn members(&self, _: &GroupName, _: usize) -> StoreResult<Vec<DjangoMember>> {
        Ok(Vec::new())
    }
}
