//! The session that a socket belongs to, as it is seen from below it.

use std::net::IpAddr;
use std::sync::Arc;

use actix::dev::ToEnvelope;
use actix::prelude::*;

use super::{Access, Promise, Reply, SocketHandle};
use crate::actor::PATIENCE;
use crate::ids::{Epoch, SocketId};
use crate::protocol::{CloseCode, CommandBody, Refusal};

/// A socket on its way to a session.
#[derive(Debug, Clone)]
pub struct Attached {
    /// Its way out.
    pub handle: SocketHandle,
    /// What its client may do.
    pub access: Arc<dyn Access>,
    /// Where it comes from.
    pub address: IpAddr,
    /// Unix milliseconds.
    pub since_ms: u64,
}

/// Waits until a session has read its record. One that cannot read it ends, and so does not answer.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AwaitLoaded;

/// A new socket.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AttachSocket {
    /// The socket.
    pub socket: Attached,
    /// Where the client left off.
    pub resume: Option<(u64, Epoch)>,
    /// That it is attached, whatever becomes of the session.
    pub promise: Promise,
}

impl AttachSocket {
    /// Attaches `socket`, or closes it if its session ends before that.
    pub fn new(socket: Attached, resume: Option<(u64, Epoch)>) -> Self {
        let promise = Promise::new(socket.handle.clone(), CloseCode::Restarted);
        Self { socket, resume, promise }
    }
}

/// A socket's client is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SocketClosed(pub SocketId);

/// A client's command, or what is wrong with it, with the promise of one reply.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Commanded {
    /// Which socket.
    pub socket: SocketId,
    /// The command; a bad one waits its turn like any other, so that replies keep the order of the commands.
    pub command: Result<CommandBody, Refusal>,
    /// What must be answered, even if the session fails.
    pub reply: Reply,
}

/// Full: the session has no place for what it was to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session's mailbox is full")]
pub struct Full;

/// A session's actor, as its sockets and the registry know it. They share one address: each clone of an address takes memory of its
/// own in three places.
#[derive(Clone)]
pub struct SessionHandle(Arc<dyn Address>);

/// The address, whatever actor it is of.
pub trait Address: Send + Sync {
    /// Whether the actor lives.
    fn is_alive(&self) -> bool;
    /// For the question whether it has read its record.
    fn loaded(&self) -> Recipient<AwaitLoaded>;
    /// Gives it a socket.
    ///
    /// # Errors
    /// It has no place.
    fn attach(&self, socket: AttachSocket) -> Result<(), Full>;
    /// Gives it a command.
    ///
    /// # Errors
    /// It has no place.
    fn command(&self, command: Commanded) -> Result<(), Full>;
    /// Tells it that a client is gone.
    fn closed(&self, socket: SocketClosed);
}

impl<A> Address for Addr<A>
where
    A: Actor + Handler<AttachSocket> + Handler<Commanded> + Handler<SocketClosed> + Handler<AwaitLoaded>,
    A::Context: ToEnvelope<A, AttachSocket>
        + ToEnvelope<A, Commanded>
        + ToEnvelope<A, SocketClosed>
        + ToEnvelope<A, AwaitLoaded>,
{
    fn is_alive(&self) -> bool {
        self.connected()
    }

    fn loaded(&self) -> Recipient<AwaitLoaded> {
        self.clone().recipient()
    }

    fn attach(&self, socket: AttachSocket) -> Result<(), Full> {
        taken(&self.try_send(socket))
    }

    fn command(&self, command: Commanded) -> Result<(), Full> {
        taken(&self.try_send(command))
    }

    fn closed(&self, socket: SocketClosed) {
        #[allow(clippy::disallowed_methods, reason = "it must not get lost, and there is one per socket")]
        self.do_send(socket);
    }
}

impl SessionHandle {
    /// Of a session's actor.
    pub fn of<A: Actor>(actor: &Addr<A>) -> Self
    where
        Addr<A>: Address,
    {
        Self(Arc::new(actor.clone()))
    }

    /// Whether its actor lives.
    pub fn is_alive(&self) -> bool {
        self.0.is_alive()
    }

    /// Whether it has read its record. `false`: it could not, and so has ended.
    pub async fn is_loaded(&self) -> bool {
        self.0.loaded().send(AwaitLoaded).timeout(PATIENCE).await.is_ok()
    }

    /// Gives it a socket, whose commands it takes from now on. One that has ended drops it, and so closes it.
    ///
    /// # Errors
    /// It has no place.
    pub fn attach(&self, socket: AttachSocket) -> Result<(), Full> {
        socket.socket.handle.bind(self.clone());
        self.0.attach(socket)
    }

    /// Gives it a client's command. One that has ended drops it, and so answers it.
    ///
    /// # Errors
    /// It has no place.
    pub fn command(&self, command: Commanded) -> Result<(), Full> {
        self.0.command(command)
    }

    /// Tells it that a socket's client is gone, which the socket's way out must know before ([`SocketHandle::mark_gone`]): an actor
    /// that comes after this one looks there.
    pub fn closed(&self, socket: SocketId) {
        self.0.closed(SocketClosed(socket));
    }
}

impl std::fmt::Debug for SessionHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionHandle")
    }
}

fn taken<M>(sent: &Result<(), SendError<M>>) -> Result<(), Full> {
    if matches!(sent, Err(SendError::Full(_))) { Err(Full) } else { Ok(()) }
}
