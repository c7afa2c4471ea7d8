//! What is said of sessions and their sockets.

use std::sync::Arc;

use actix::prelude::*;
use bytestring::ByteString;

use crate::actor::Exit;
use crate::ids::{Epoch, GroupName, SessionId, SocketId};
use crate::protocol::Close;
use crate::socket::{Access, Attached, Replay, SessionHandle};
use crate::store::LogState;

/// What a session begins with: nothing, or what a failed one left.
#[derive(Debug, Clone)]
pub struct Seed {
    /// Which session.
    pub session: SessionId,
    /// Which life of it this is, counted from 1.
    pub life: u64,
    /// The sockets that are attached already.
    pub sockets: Vec<Attached>,
    /// The groups that it is in already; `None` for a session that must read its record.
    pub groups: Option<Vec<GroupName>>,
    /// Where it runs.
    pub thread: ArbiterHandle,
}

/// Makes sessions.
pub type SessionFactory = Arc<dyn Fn(Seed) -> SessionHandle + Send + Sync>;

/// Gives the registry its factory; before this it opens no session.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Install(pub SessionFactory);

/// Asks for a session's actor, which is made if there is none.
#[derive(Message)]
#[rtype(result = "Result<SessionHandle, Close>")]
pub struct Open {
    /// Which session.
    pub session: SessionId,
    /// Where an actor that is made runs: on the thread of who asks, so that a command and its answer wake no other.
    pub thread: ArbiterHandle,
}

/// Registers a socket and sends its `session.ready`, in one step, so that nothing is missed between them.
#[derive(Message)]
#[rtype(result = "Option<Replay>")]
pub struct Attach {
    /// The session.
    pub session: SessionId,
    /// The socket.
    pub socket: Attached,
    /// The last `seq` that the client saw, and its epoch.
    pub resume: Option<(u64, Epoch)>,
    /// Where the home group's log stands, if that could be read.
    pub state: Option<LogState>,
}

/// A socket is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Detach {
    /// The session.
    pub session: SessionId,
    /// The socket.
    pub socket: SocketId,
}

/// A socket's client has shown a new token.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Refreshed {
    /// The session.
    pub session: SessionId,
    /// The socket.
    pub socket: SocketId,
    /// What it may do from now on, also after a restart of its session.
    pub access: Arc<dyn Access>,
}

/// A session's actor has ended.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct SessionEnded {
    /// Which.
    pub session: SessionId,
    /// Which life of it.
    pub life: u64,
    /// How.
    pub exit: Exit,
}

/// Closes every socket of a session; how many it has here.
#[derive(Message)]
#[rtype(result = "usize")]
pub struct Disconnect {
    /// The session.
    pub session: SessionId,
    /// Why.
    pub close: Close,
    /// Those that came later than this, in Unix milliseconds, stay.
    pub before: Option<u64>,
}

/// Sends an unlogged frame to the sockets of one session on this node.
#[derive(Message, Debug, Clone)]
#[rtype(result = "()")]
pub struct SendTo {
    /// The session.
    pub session: SessionId,
    /// The frame.
    pub frame: ByteString,
}

/// No more sessions; the sockets are closed one after another within the time given, those with an answer under way last.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Drain {
    /// How long it may take.
    pub within: std::time::Duration,
}
