use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::ids::{AnswerId, NodeId, SessionId};
use crate::store::Once;

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
        format!("{}:group:{group}", self.prefix)
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

    pub(super) fn answers(&self) -> String {
        format!("{}:answers", self.prefix)
    }

    pub(super) fn node(&self, node: &NodeId) -> String {
        format!("{}:node:{node}", self.prefix)
    }

    pub(super) fn nodes(&self) -> String {
        format!("{}:nodes", self.prefix)
    }

    pub(super) fn joined_prefix(&self) -> String {
        format!("{}:joined:", self.prefix)
    }

    /// A bucket's key.
    pub(crate) fn limit(&self, bucket: &str) -> String {
        format!("{}:limit:{bucket}", self.prefix)
    }
}

/// 128 bits of SHA-256 in lower-case hex.
pub(crate) fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
