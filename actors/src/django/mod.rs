//! What comes from Django: what its `group_send` and `send` mean here, and the supply of its worker.

mod inbound;
mod worker;

pub(crate) use inbound::listen;
pub(crate) use worker::supply;
