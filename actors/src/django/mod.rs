//! Between Django and the groups: what Django's `group_send` and `send` mean here, and what Django is told.

mod inbound;
mod outbound;
mod worker;

pub use outbound::{Courier, Notifier};

pub(crate) use inbound::listen;
pub(crate) use worker::supply;
