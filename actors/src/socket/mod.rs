//! One client as the core sees it: its way out, what it may do, and what it is owed. Whatever carries its frames is the edge's
//! affair.

mod access;
mod bell;
mod intake;
mod outbox;
mod promise;
#[cfg(test)]
mod properties;
mod reply;
mod session;

pub use access::Access;
pub use bell::{Bell, Burst};
pub use intake::{Intake, Taken};
pub use outbox::{Delta, OutboxLimits, Outgoing, Owed, Replay, ReplayPage, SocketHandle};
pub use promise::Promise;
pub use reply::Reply;
pub use session::{AttachSocket, Attached, AwaitLoaded, Commanded, Full, SessionHandle, SocketClosed};
