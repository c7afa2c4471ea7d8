//! Who is where in the cluster: a row for each session that has a socket at a node, written by that node.

use std::collections::BTreeMap;
use std::net::IpAddr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{NodeFigures, StoreResult};
use crate::ids::{GroupName, NodeId, SessionId, UserId};

/// A socket of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowSocket {
    /// Since when, in Unix milliseconds.
    pub since_ms: u64,
    /// The client's address.
    pub address: IpAddr,
    /// Bytes that waited for it when the row was written.
    pub queued_bytes: usize,
}

/// A session with sockets at one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The node.
    pub node: NodeId,
    /// The session's channel in Django's layer, by which `send` reaches its sockets at this node.
    #[serde(default)]
    pub channel: Option<String>,
    /// The session's user.
    pub user: UserId,
    /// Its groups, with the Unix milliseconds at which it came.
    pub groups: BTreeMap<GroupName, u64>,
    /// Its sockets there, oldest first.
    pub sockets: Vec<RowSocket>,
}

/// A session's rows at the other nodes.
pub type Rows = (SessionId, Vec<Row>);

/// A session of this node, and its row if it still has one.
pub type ChangedRow = (SessionId, Option<Row>);

/// What a node tells of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// Its name.
    pub node: NodeId,
    /// The program's version.
    pub version: String,
    /// When it began to serve; RFC 3339.
    pub since: String,
    /// Open sockets.
    pub sockets: usize,
    /// Sessions with an actor.
    pub sessions: usize,
    /// Groups with a member there.
    pub groups: usize,
    /// Whether it is going, and sends its sockets away.
    #[serde(default)]
    pub draining: bool,
    /// Milliseconds that a message waited in the mailbox of each essential actor, at the last beat.
    pub mailbox_ms: BTreeMap<String, u64>,
    /// What it counts. A node of an earlier version tells none.
    #[serde(default)]
    pub figures: NodeFigures,
    /// Whom its limits refused of late, the last one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edge: Vec<RefusedThere>,
}

/// Somebody whom a limit refused at a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedThere {
    /// Who, as operators name them: `user:alice`.
    pub subject: String,
    /// The limit, by its label.
    pub limit: String,
    /// How often of late.
    pub times: u64,
    /// When last, in Unix milliseconds.
    pub last_ms: u64,
}

/// How many are in a group, as the cluster knows it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spread {
    /// Sessions with a socket, each once.
    pub members: usize,
    /// Nodes with one of them, this node not among them.
    pub other_nodes: usize,
}

/// A part of a list of sessions, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Those with rows of other nodes.
    pub rows: Vec<Rows>,
    /// The name up to which every session was looked at; none: to the end.
    pub until: Option<String>,
}

/// The rows. This node writes its own and reads those of the others: of itself it knows better.
#[async_trait]
pub trait Presence: Send + Sync {
    /// Writes this node's rows: what is new, what has changed, what is gone.
    async fn write(&self, rows: &[ChangedRow]) -> StoreResult<()>;
    /// The same with rows that may not have changed, so that they and all that follows from them live on, or are there again.
    async fn renew(&self, rows: &[ChangedRow]) -> StoreResult<()>;
    /// Those of this node's `sessions` whose rows were written and are gone. Looks at some members of `groups` as well, and
    /// removes those that no node has a row for.
    async fn missing(&self, sessions: &[SessionId], groups: &[GroupName]) -> StoreResult<Vec<SessionId>>;
    /// The sessions of a group at other nodes, at most `limit` of them.
    async fn members(&self, group: &GroupName, limit: usize) -> StoreResult<Vec<Rows>>;
    /// How many are in groups, in their order.
    async fn spread(&self, groups: &[GroupName]) -> StoreResult<Vec<Spread>>;
    /// Whether somebody in a group has a socket at another node. A store that is away says yes: nothing is dropped for it.
    async fn is_heard_elsewhere(&self, group: &GroupName) -> bool {
        let spread = self.spread(std::slice::from_ref(group)).await;
        spread.map_or(true, |spread| spread.first().is_some_and(|spread| spread.other_nodes > 0))
    }
    /// Looks at the sessions after `cursor` whose names begin with `prefix`, by name: at `limit` of them or some more, and
    /// tells those that are at other nodes.
    async fn sessions(&self, prefix: &str, cursor: Option<&str>, limit: usize) -> StoreResult<Listing>;
    /// A session's rows at other nodes.
    async fn session(&self, session: &SessionId) -> StoreResult<Vec<Row>>;
    /// The living nodes but this one.
    async fn nodes(&self) -> StoreResult<Vec<NodeInfo>>;
    /// Removes some rows of a dead node (its key in the channel layer). `true`: there are no more.
    async fn forget(&self, dead: &str) -> StoreResult<bool>;
    /// Removes some rows of this node, before all are written anew: a store that went back may have rows of sessions that
    /// have gone. `true`: there are no more.
    async fn forget_own(&self) -> StoreResult<bool>;
}
