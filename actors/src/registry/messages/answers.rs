//! What is said of answers that are being written.

use actix::prelude::*;

use crate::ids::{AnswerId, GroupName, MessageId};
use crate::protocol::AnswerText;
use crate::socket::{Owed, SocketHandle};
use crate::store::{AnswerRecord, AnswerStart};

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

/// One of an answer's texts grew.
#[derive(Message, Debug, Clone)]
#[rtype(result = "()")]
pub struct AnswerGrew {
    /// The group.
    pub group: GroupName,
    /// Which text.
    pub of: AnswerText,
    /// Unicode scalar values of it before this.
    pub offset: usize,
    /// By what.
    pub text: String,
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

/// Answers of which the store knew nothing were looked for: those that are over have been told, the others are owed, or the store could
/// not be asked.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct LostSettled {
    /// The group.
    pub group: GroupName,
    /// The answers.
    pub answers: Vec<AnswerId>,
}

/// Asks for the next piece of a text that a socket is owed. Whether more of it is owed.
#[derive(Message)]
#[rtype(result = "bool")]
pub struct MoreOf {
    /// Which text.
    pub owed: Owed,
    /// Who is to get it.
    pub socket: SocketHandle,
}
