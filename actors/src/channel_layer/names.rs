//! Names in the channel layer, as channels_redis forms them.

use super::ring;
use crate::ids::NodeKey;

/// A fresh key of a node whose queue is on the first of `ring` hosts, where all nodes have theirs: so the copies of one
/// message are written in one call and share a score.
pub fn key_on_first_shard(ring: usize) -> NodeKey {
    loop {
        let key = NodeKey::random();
        if ring::index(key.as_str(), ring) == 0 {
            return key;
        }
    }
}

/// What names the queue of a channel: everything up to its first `!`, or all of a plain channel's name.
pub(super) fn queue(channel: &str) -> &str {
    channel.find('!').map_or(channel, |end| &channel[..=end])
}
