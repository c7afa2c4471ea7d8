//! WebSockets (RFC 6455) on the raw stream, after the HTTP library has done the handshake: framing, heartbeat, closing, compression,
//! and the way out of the core's queue. What is said over it is its [`Receiver`]'s affair; sockets of every protocol stand on this.

mod connection;
mod decoder;
mod deflate;
mod encoding;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod handshake;
mod heads;
mod heartbeat;
mod receiver;
mod unsent;
mod upgrade;
mod utf8;
mod worker;

pub use connection::{Connection, Options};
pub use decoder::Message;
pub use deflate::Deflate;
pub use heads::{Allowed, Opcode};
pub use heartbeat::Heartbeat;
pub use receiver::Receiver;
pub use unsent::Unsent;
pub use upgrade::{Raw, Upgrade, serve};
pub use worker::Worker;
