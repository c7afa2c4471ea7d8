//! Names in the channel layer, as channels_redis forms them.

use std::fmt;
use std::sync::Arc;

use rand::RngExt;

use super::ring;
use crate::ids::GroupName;
pub(crate) use crate::store::redis::digest;

/// Names of the channel layer are shorter than this many characters.
pub const NAME_LIMIT: usize = 100;
/// What the key of every node begins with.
const KIND: &str = "sophie.";
/// Hex digits of a node's key.
const DIGITS: usize = 32;

/// This node's name in the channel layer, `sophie.{32 hex}!`: the queue that Django writes to, and what a member of a
/// group begins with. Never used twice.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeKey(Arc<str>);

impl NodeKey {
    /// A fresh one.
    pub fn random() -> Self {
        Self(format!("{KIND}{:0DIGITS$x}!", rand::rng().random::<u128>()).into())
    }

    /// A fresh one whose queue is on the first of `ring` hosts, where all nodes have theirs: so the copies of one
    /// message are written in one call and share a score.
    pub fn on_first_shard(ring: usize) -> Self {
        loop {
            let key = Self::random();
            if ring::index(key.as_str(), ring) == 0 {
                return key;
            }
        }
    }

    /// The name, `!` included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The hex digits alone.
    pub fn hex(&self) -> &str {
        self.0.trim_start_matches(KIND).trim_end_matches('!')
    }

    /// The channel name under which this node is a member of a group.
    pub fn member(&self, group: &GroupName) -> String {
        format!("{}{}", self.0, local_name(group))
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands for a group behind a node's key: its name, or a digest of it where the whole would be too long.
pub fn local_name(group: &GroupName) -> String {
    const KEY: usize = KIND.len() + DIGITS + "!".len();
    if KEY + group.as_str().len() < NAME_LIMIT { group.as_str().to_owned() } else { digest(group.as_str()) }
}

/// Whether a channel name is that of a Sophie node's membership.
#[cfg(test)]
pub(super) fn is_node(channel: &str) -> bool {
    channel
        .strip_prefix(KIND)
        .and_then(|rest| rest.split_once('!'))
        .is_some_and(|(hex, _)| hex.len() == DIGITS && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

/// What names the queue of a channel: everything up to its first `!`, or all of a plain channel's name.
pub(super) fn queue(channel: &str) -> &str {
    channel.find('!').map_or(channel, |end| &channel[..=end])
}
