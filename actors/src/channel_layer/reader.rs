//! What both twins do with what comes in: read it, find out whom it is for, count what is passed over.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::time::Instant;

use super::codec::{Codec, PREFIX, Unreadable};
use super::{Addressee, Fields, HeardAt, Inbound};
use crate::ids::{GroupName, NodeKey, local_name};
use crate::metrics::Metrics;
use crate::repeated::Reminder;

/// The field in which the core layer names the recipients.
pub(super) const CHANNEL: &str = "__asgi_channel__";
/// The field that marks, in the pubsub layer, what a node has sent.
pub(super) const NODE: &str = "sophie_node";
/// Seconds that channels_redis allows a token beyond a message's life.
const GRACE: u64 = 10;

/// Reads messages for one node.
pub(super) struct MessageReader {
    pub(super) node_key: NodeKey,
    pub(super) codec: Codec,
    pub(super) metrics: Metrics,
    ttl: u64,
    /// The groups that this node is a member of, by what stands for them behind its key.
    joined: Mutex<HashMap<String, GroupName>>,
    complaints: Mutex<Complaints>,
}

/// Messages that could not be read and were not told of yet.
#[derive(Default)]
struct Complaints {
    count: u64,
    reminder: Reminder,
}

impl MessageReader {
    pub(super) fn new(node_key: NodeKey, codec: Codec, metrics: Metrics, expiry_seconds: u64) -> Self {
        Self {
            node_key,
            codec,
            metrics,
            ttl: expiry_seconds + GRACE,
            joined: Mutex::default(),
            complaints: Mutex::default(),
        }
    }

    fn joined(&self) -> MutexGuard<'_, HashMap<String, GroupName>> {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, groups: &[GroupName]) {
        self.joined().extend(groups.iter().map(|group| (local_name(group), group.clone())));
    }

    pub(super) fn remove(&self, groups: &[GroupName]) {
        let mut joined = self.joined();
        groups.iter().for_each(|group| drop(joined.remove(&local_name(group))));
    }

    pub(super) fn has(&self, group: &GroupName) -> bool {
        self.joined().contains_key(&local_name(group))
    }

    pub(super) fn count(&self, outcome: &str, by: usize) {
        self.metrics.layer_messages.with_label_values(&[outcome]).inc_by(by as u64);
    }

    /// A member of this node's queue in the core layer.
    pub(super) fn stored(&self, member: &[u8], score: String) -> Option<Inbound> {
        let opened = member.get(PREFIX..).ok_or(Unreadable::Bad);
        let mut fields = self.readable(opened.and_then(|body| self.codec.open(body, Some(self.ttl))))?;
        let to = match fields.remove(CHANNEL) {
            Some(Value::String(name)) => {
                name.strip_prefix(self.node_key.as_str()).map(|local| Addressee::Channel(local.into()))
            }
            Some(Value::Array(names)) => {
                let joined = self.joined();
                let local = |name: &Value| joined.get(name.as_str()?.strip_prefix(self.node_key.as_str())?).cloned();
                let groups: Vec<_> = names.iter().filter_map(local).collect();
                (!groups.is_empty()).then_some(Addressee::Groups(groups))
            }
            _ => None,
        };
        self.addressed(to, Some(score), None, fields)
    }

    /// What was published in the pubsub layer, for somebody.
    pub(super) fn published(&self, to: Option<Addressee>, heard: HeardAt, payload: &[u8]) -> Option<Inbound> {
        let fields = self.readable(self.codec.open(payload, None))?;
        if fields.contains_key(NODE) {
            self.count("own", 1);
            return None;
        }
        self.addressed(to, None, Some(heard), fields)
    }

    fn addressed(
        &self,
        to: Option<Addressee>,
        sent_at: Option<String>,
        heard: Option<HeardAt>,
        fields: Fields,
    ) -> Option<Inbound> {
        self.count(if to.is_some() { "received" } else { "foreign" }, 1);
        Some(Inbound { to: to?, sent_at, heard, fields })
    }

    fn readable(&self, opened: Result<Fields, Unreadable>) -> Option<Fields> {
        let outcome = match opened {
            Ok(fields) => return Some(fields),
            Err(Unreadable::Bad) => "bad",
            Err(Unreadable::Undecryptable) => "undecryptable",
        };
        self.count(outcome, 1);
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        complaints.count += 1;
        if complaints.reminder.is_due(Instant::now()) {
            log::warn!(
                event = "layer_unreadable", messages = complaints.count, last = outcome;
                "messages of the channel layer cannot be read"
            );
            complaints.count = 0;
        }
        None
    }
}
