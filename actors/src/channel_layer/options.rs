//! The channel layer's options, as a Django site sets them.

use std::fmt;

use crate::ids::NodeKey;
use crate::redis::{Bound, Source};

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serializer {
    /// The library's default.
    Msgpack,
    /// `serializer_format = "json"`.
    Json,
}

/// The channel layer as the Django site has configured it. Its `Debug` shows no secrets.
#[derive(Clone)]
pub struct LayerOptions {
    /// Redis URLs of the shards, in the site's order; one: no ring.
    pub hosts: Vec<String>,
    /// What the layer's keys begin with.
    pub prefix: String,
    /// Messages that may wait in one queue.
    pub capacity: u64,
    /// Seconds that a message may wait.
    pub expiry_seconds: u64,
    /// Seconds that a membership lasts unless it is renewed.
    pub group_expiry_seconds: u64,
    /// The first encrypts, all decrypt; empty: no encryption.
    pub encryption_keys: Vec<String>,
    /// How messages are written.
    pub serializer: Serializer,
    /// This node.
    pub node_key: NodeKey,
    /// Connections to all hosts together, at most, and to whatever else counts with them.
    pub bound: Bound,
}

impl fmt::Debug for LayerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<_> = self.hosts.iter().map(|url| Source::shown(url)).collect();
        f.debug_struct("LayerOptions")
            .field("hosts", &hosts)
            .field("prefix", &self.prefix)
            .field("capacity", &self.capacity)
            .field("expiry_seconds", &self.expiry_seconds)
            .field("group_expiry_seconds", &self.group_expiry_seconds)
            .field("encryption_keys", &self.encryption_keys.len())
            .field("serializer", &self.serializer)
            .field("node_key", &self.node_key)
            .finish_non_exhaustive()
    }
}
