//! What is said of who is in a group.

use actix::prelude::*;
use bytestring::ByteString;

use crate::ids::{Epoch, GroupName, SessionId, UserId};
use crate::protocol::Close;
use crate::socket::{Replay, Reply, SocketHandle};
use crate::store::{AnswerRecord, Attendance, LogState, Spread};

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
    /// It has joined at another node, and enters here only while it is here: it may have ended since that was looked at.
    pub elsewhere: bool,
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

/// How many members a group has at all nodes.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct Counted {
    /// The group.
    pub group: GroupName,
    /// As the store knows it; none if it is away.
    pub spread: Option<Spread>,
}

/// Who answers in groups, as the store has it.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct Attended(pub Vec<(GroupName, Attendance)>);

/// Ends a group: its members are told that they left.
#[derive(Message)]
#[rtype(result = "Vec<SessionId>")]
pub struct EndGroup {
    /// Which.
    pub group: GroupName,
    /// Who came later than this, in Unix milliseconds, stays.
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
