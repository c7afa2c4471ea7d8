//! Between Django and the groups: what Django's `group_send` and `send` mean here, and what Django is told.

mod inbound;
mod outbound;
mod worker;

pub use outbound::{Courier, Kind, Notifier};

pub(crate) use inbound::{ingest_turn, listen};
pub(crate) use worker::supply;

use crate::ids::SessionId;
use crate::layer::names::{NAME_LIMIT, NodeKey};

/// What a session's own channel is called behind its node's key, before the session's name.
const SESSION_CHANNEL: &str = "session.";

/// The channel of a session at one node; none for a session whose name is too long for that.
pub fn session_channel(channels: &NodeKey, session: &SessionId) -> Option<String> {
    let name = format!("{}{SESSION_CHANNEL}{session}", channels.as_str());
    (name.len() < NAME_LIMIT).then_some(name)
}
