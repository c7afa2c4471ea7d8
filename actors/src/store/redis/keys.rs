//! What Sophie's own keys in Redis are called.

use std::sync::Arc;

use crate::ids::digest;

use crate::ids::{AnswerId, GroupName, NodeId, SessionId};
use crate::store::{By, Once};

/// The names of Sophie's own keys. Those of logs and groups are made in `scripts/log.lua` and [`Keys::group`].
#[derive(Debug, Clone)]
pub struct Keys {
    prefix: Arc<str>,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.into() }
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn log(&self, group: &str) -> String {
        format!("{}:log:{group}", self.prefix)
    }

    pub(super) fn group(&self, group: &str) -> String {
        format!("{}:head:{group}", self.prefix)
    }

    pub(super) fn groups(&self) -> String {
        format!("{}:groups", self.prefix)
    }

    /// Ids are the clients' own text: only their digest becomes part of a key.
    pub(super) fn once(&self, once: &Once) -> String {
        format!("{}:once:{}:{}", self.prefix, once.scope, digest(&once.id))
    }

    pub(super) fn session(&self, session: &SessionId) -> String {
        format!("{}:session:{session}", self.prefix)
    }

    pub(super) fn answer_prefix(&self) -> String {
        format!("{}:answer:", self.prefix)
    }

    pub(super) fn answer(&self, answer: &AnswerId) -> String {
        format!("{}:answer:{answer}", self.prefix)
    }

    pub(super) fn answer_text(&self, answer: &AnswerId) -> String {
        format!("{}:answer:{answer}:text", self.prefix)
    }

    /// What the model thought of it. `scripts/end.lua` says the same.
    pub(super) fn answer_reasoning(&self, answer: &AnswerId) -> String {
        format!("{}:answer:{answer}:reasoning", self.prefix)
    }

    /// The generation of a question, by its digest.
    pub(super) fn flight(&self, digest: &str) -> String {
        format!("{}:flight:{digest}", self.prefix)
    }

    pub(super) fn flight_chunks(&self, id: &str) -> String {
        format!("{}:chunks:{id}", self.prefix)
    }

    /// What an answer consisted of.
    pub(super) fn recording(&self, answer: &AnswerId) -> String {
        format!("{}:recording:{answer}", self.prefix)
    }

    pub(super) fn recording_windows(&self, answer: &AnswerId) -> String {
        format!("{}:recording:{answer}:windows", self.prefix)
    }

    /// What is claimed under a name, which may hold text of clients.
    pub(super) fn claim(&self, name: &str) -> String {
        format!("{}:claim:{}", self.prefix, digest(name))
    }

    /// The number of what a node has flushed last.
    pub(super) fn usage_flushed(&self, node_key: &str) -> String {
        format!("{}:usage:flushed:{node_key}", self.prefix)
    }

    /// The names that something was counted for on a day; `:{name}` behind it is one's sums.
    pub(super) fn usage(&self, day: &str, by: By) -> String {
        format!("{}:usage:{day}:{}", self.prefix, by.as_str())
    }

    pub(super) fn answers(&self) -> String {
        format!("{}:answers", self.prefix)
    }

    /// The answers that are being written for a group.
    pub(super) fn answering(&self, group: &GroupName) -> String {
        format!("{}:answering:{group}", self.prefix)
    }

    /// The groups that wait for a person. `scripts/desk.lua` says the same.
    pub(super) fn waiting(&self) -> String {
        format!("{}:waiting", self.prefix)
    }

    /// What people said of answers and chats.
    pub(super) fn feedback(&self) -> String {
        format!("{}:feedback", self.prefix)
    }

    /// The same of one session. `scripts/log.lua` renews it with the session's record.
    pub(super) fn ratings(&self, session: &SessionId) -> String {
        format!("{}:ratings:{session}", self.prefix)
    }

    /// What operators did.
    pub(super) fn audit(&self) -> String {
        format!("{}:audit", self.prefix)
    }

    /// What is to be carried out at every node.
    pub(super) fn orders(&self) -> String {
        format!("{}:orders", self.prefix)
    }

    /// Who has carried an order out.
    pub(super) fn order(&self, id: &str) -> String {
        format!("{}:order:{id}", self.prefix)
    }

    /// What waits for the worker.
    pub(super) fn worker_queue(&self) -> String {
        format!("{}:outbox", self.prefix)
    }

    /// Who may do what one node does at a time.
    pub(super) fn turn(&self, name: &str) -> String {
        format!("{}:turn:{name}", self.prefix)
    }

    /// How often each node has heard something that has no name of its own.
    pub(super) fn heard(&self, digest: &str) -> String {
        format!("{}:heard:{digest}", self.prefix)
    }

    pub(super) fn node(&self, node: &NodeId) -> String {
        format!("{}:node:{node}", self.prefix)
    }

    pub(super) fn nodes(&self) -> String {
        format!("{}:nodes", self.prefix)
    }

    /// The rows of a session.
    pub(super) fn here(&self, session: &SessionId) -> String {
        format!("{}{session}", self.here_prefix())
    }

    pub(super) fn here_prefix(&self) -> String {
        format!("{}:here:", self.prefix)
    }

    /// The sessions that have a socket somewhere.
    pub(super) fn live(&self) -> String {
        format!("{}:live", self.prefix)
    }

    /// Those of a group.
    pub(super) fn members(&self, group: &GroupName) -> String {
        format!("{}:members:{group}", self.prefix)
    }

    /// How many of them are at each node.
    pub(super) fn at(&self, group: &GroupName) -> String {
        format!("{}:at:{group}", self.prefix)
    }

    /// The sessions that have rows of a node.
    pub(super) fn sessions(&self, node_key: &str) -> String {
        format!("{}:sessions:{node_key}", self.prefix)
    }

    /// What a node tells of itself.
    pub(super) fn info(&self, node_key: &str) -> String {
        format!("{}:info:{node_key}", self.prefix)
    }

    pub(super) fn joined_prefix(&self) -> String {
        format!("{}:joined:", self.prefix)
    }

    /// Who has slots of a session, or of the service.
    pub(super) fn slots(&self, room: &str) -> String {
        format!("{}:slots:{room}", self.prefix)
    }

    /// What is written so that replicas can be waited for.
    pub(super) fn waited(&self) -> String {
        format!("{}:waited", self.prefix)
    }

    /// A bucket's key.
    pub(crate) fn limit(&self, bucket: &str) -> String {
        format!("{}:limit:{bucket}", self.prefix)
    }
}
