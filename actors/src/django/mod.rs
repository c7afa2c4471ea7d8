//! Between Django and the groups: what Django's `group_send` and `send` mean here, and what Django is told.

mod inbound;
mod outbound;
mod worker;

pub use outbound::{Courier, Kind, Notifier};

pub(crate) use inbound::listen;
pub(crate) use worker::supply;

use crate::ids::SessionId;
use crate::layer::NodeKey;
use crate::layer::names::{NAME_LIMIT, digest};

/// What a session's own channel is called behind its node's key, before the session's name.
const SESSION_CHANNEL: &str = "session.";

/// The channel of a session at one node: with a digest of its name where the whole would be too long.
pub fn session_channel(channels: &NodeKey, session: &SessionId) -> String {
    let name = format!("{}{SESSION_CHANNEL}{session}", channels.as_str());
    match name.len() < NAME_LIMIT {
        true => name,
        false => format!("{}{SESSION_CHANNEL}{}", channels.as_str(), digest(session.as_str())),
    }
}
