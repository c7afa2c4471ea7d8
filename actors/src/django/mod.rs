//! Between Django and the groups: what Django's `group_send` and `send` mean here, and what Django is told.

mod inbound;
mod outbound;
mod worker;

pub use outbound::{Courier, Kind, Notifier};

pub(crate) use inbound::listen;
pub(crate) use worker::supply;

/// What a session's own channel is called behind its node's key, before the session's name.
pub const SESSION_CHANNEL: &str = "session.";
