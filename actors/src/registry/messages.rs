//! What is said to the registry, and what it asks. Verbs ask, past participles tell.

use std::sync::Arc;

use actix::prelude::*;
use bytestring::ByteString;

use super::RegistryHandle;
use crate::actor::Exit;
use crate::ids::{AnswerId, Epoch, GroupName, MessageId, SessionId, SocketId, UserId};
use crate::protocol::{Close, LogHead};
use crate::socket::{Access, Attached, Replay, Reply, SessionHandle, SocketHandle};
use crate::store::{AnswerRecord, AnswerStart, LogState, Spread, StoredEvent};

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
pub struct Open(pub SessionId);

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

/// Makes the registry hold back what comes for these groups until [`Enter`] says where their logs stand.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Prepare(pub Vec<GroupName>);

/// Makes a session a member.
#[derive(Message)]
#[rtype(result = "Option<Replay>")]
pub struct Enter {
    /// The session.
    pub session: SessionId,
    /// Its user, for the others.
    pub user: UserId,
    /// The groups, with where their logs stand.
    pub groups: Vec<(GroupName, LogState)>,
    /// The answers that are being written there.
    pub answers: Vec<AnswerRecord>,
    /// Whether the members are told.
    pub announce: bool,
    /// The command that asks for it, acknowledged before anything of the (first) group reaches its socket.
    pub joining: Option<Joining>,
}

/// A `group.join` under way.
pub struct Joining {
    /// Its reply.
    pub reply: Reply,
    /// The socket that it came from.
    pub socket: SocketHandle,
    /// Where the client left off.
    pub resume: Option<(u64, Epoch)>,
}

/// A session has become a member at another node: its members are told.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Entered {
    /// The session.
    pub session: SessionId,
    /// Its user, for the others.
    pub user: UserId,
    /// The group.
    pub group: GroupName,
}

/// Ends a session's membership, here or at another node, and tells the members.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Leave {
    /// The session.
    pub session: SessionId,
    /// Its user, for the others.
    pub user: UserId,
    /// The group.
    pub group: GroupName,
}

/// An event was logged: deliver it in its turn.
#[derive(Message, Debug, Clone)]
#[rtype(result = "()")]
pub struct Deliver {
    /// The group.
    pub group: GroupName,
    /// Which log.
    pub epoch: Epoch,
    /// The event.
    pub event: StoredEvent,
}

/// The log is known to reach `seq`: read what has not been delivered.
#[derive(Message, Debug, Clone)]
#[rtype(result = "()")]
pub struct Reached {
    /// The group.
    pub group: GroupName,
    /// Its last known `seq`.
    pub seq: u64,
}

/// An answer's end is in the log at `seq`: there it is read if it has not been delivered. 0: it is no longer there.
#[derive(Message, Debug, Clone)]
#[rtype(result = "()")]
pub struct AnswerOver {
    /// The group.
    pub group: GroupName,
    /// The answer.
    pub answer: AnswerId,
    /// The place of its end.
    pub seq: u64,
}

/// This node's log of this epoch is known to reach `seq`, as it was heard.
#[derive(Message, Debug, Clone)]
#[rtype(result = "()")]
pub struct LoggedHere {
    /// The group.
    pub group: GroupName,
    /// Which log.
    pub epoch: Epoch,
    /// Its last known `seq`.
    pub seq: u64,
}

/// Where a log stands that was asked whether it is the one that was delivered.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct Confirmed {
    /// The group.
    pub group: GroupName,
    /// Where it stands; `None` if it could not be asked.
    pub state: Option<LogState>,
}

/// What a gap turned out to hold.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct Filled {
    /// The group.
    pub group: GroupName,
    /// Which log, and its events; `None` if it could not be read.
    pub page: Option<(Epoch, Vec<StoredEvent>)>,
}

/// Where logs stand now, and which answers are being written, after something may have been missed.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct Resynced {
    /// The logs.
    pub logs: Vec<(GroupName, LogState)>,
    /// The answers.
    pub answers: Vec<AnswerRecord>,
}

/// How many members a group has at all nodes.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct Counted {
    /// The group.
    pub group: GroupName,
    /// As the store knows it; none if it is away.
    pub spread: Option<Spread>,
}

/// What the store knows of an answer of which something was missed.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct AnswerFound {
    /// The group.
    pub group: GroupName,
    /// The answer.
    pub answer: AnswerId,
    /// `None` if it is not under way, or could not be read.
    pub record: Option<AnswerRecord>,
}

/// Sends an unlogged frame to a group.
#[derive(Message, Debug, Clone)]
#[rtype(result = "()")]
pub struct Fanout {
    /// The group.
    pub group: GroupName,
    /// The frame.
    pub frame: ByteString,
    /// A session that does not get it.
    pub except: Option<SessionId>,
}

/// An answer begins.
#[derive(Message, Debug, Clone)]
#[rtype(result = "()")]
pub struct AnswerStarted {
    /// The group.
    pub group: GroupName,
    /// The answer.
    pub answer: AnswerId,
    /// What it answers.
    pub message: MessageId,
    /// By whom, and how it came about.
    pub start: AnswerStart,
}

/// An answer grew.
#[derive(Message, Debug, Clone)]
#[rtype(result = "()")]
pub struct AnswerGrew {
    /// The group.
    pub group: GroupName,
    /// The answer.
    pub answer: AnswerId,
    /// Unicode scalar values of the answer before it.
    pub offset: usize,
    /// By what.
    pub text: String,
}

/// Asks for the next piece of an answer that a socket is owed. Whether more of it is owed.
#[derive(Message)]
#[rtype(result = "bool")]
pub struct MoreOf {
    /// The group.
    pub group: GroupName,
    /// The answer.
    pub answer: AnswerId,
    /// Who is to get it.
    pub socket: SocketHandle,
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

/// Closes every socket of the sessions of a group on this node.
#[derive(Message)]
#[rtype(result = "()")]
pub struct CloseGroup {
    /// The group.
    pub group: GroupName,
    /// Why.
    pub close: Close,
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

/// Ends a group: its members are told that they left.
#[derive(Message)]
#[rtype(result = "Vec<SessionId>")]
pub struct EndGroup {
    /// Which.
    pub group: GroupName,
    /// Who came later than this, in Unix milliseconds, stays.
    pub before: Option<u64>,
}

/// No more sessions; the sockets are closed one after another within the time given, those with an answer under way last.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Drain {
    /// How long it may take.
    pub within: std::time::Duration,
}

/// What somebody missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// The events of the log after this `seq`.
    Log(u64),
    /// Whether the log is still the one that was delivered up to here.
    Life(LogHead),
    /// Some of an answer.
    Answer(AnswerId),
    /// What becomes of an answer that is shown here and of which the store knows nothing.
    Lost(AnswerRecord),
    /// How many members the group has at all nodes.
    Members,
}

/// Asks for what was missed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct FillGap {
    /// The group.
    pub group: GroupName,
    /// What.
    pub gap: Gap,
    /// Who is told.
    pub reply_to: RegistryHandle,
}
