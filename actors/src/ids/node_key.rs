//! Names of a node in the channel layer, as channels_redis forms names.

use std::fmt;
use std::sync::Arc;

use rand::RngExt;

use super::{GroupName, SessionId, digest};

/// Names of the channel layer are shorter than this many characters.
pub const NAME_LIMIT: usize = 100;
/// What the key of every node begins with.
const KIND: &str = "sophie.";
/// Hex digits of a node's key.
const DIGITS: usize = 32;
/// What a session's own channel is called behind its node's key, before the session's name.
pub const SESSION_CHANNEL: &str = "session.";

/// This node's name in the channel layer, `sophie.{32 hex}!`: the queue that Django writes to, and what a member of a
/// group begins with. Never used twice.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeKey(Arc<str>);

impl NodeKey {
    /// A fresh one.
    pub fn random() -> Self {
        Self(format!("{KIND}{:0DIGITS$x}!", rand::rng().random::<u128>()).into())
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

    /// The channel of a session at this node: with a digest of its name where the whole would be too long.
    pub fn session_channel(&self, session: &SessionId) -> String {
        let name = format!("{}{SESSION_CHANNEL}{session}", self.0);
        match name.len() < NAME_LIMIT {
            true => name,
            false => format!("{}{SESSION_CHANNEL}{}", self.0, digest(session.as_str())),
        }
    }

    /// Whether a channel name is that of a node's membership.
    pub fn is_of_a_node(channel: &str) -> bool {
        channel
            .strip_prefix(KIND)
            .and_then(|rest| rest.split_once('!'))
            .is_some_and(|(hex, _)| hex.len() == DIGITS && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
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
