//! One event to be logged, once-only if its sender says so, and how that went.

use bytestring::ByteString;
use memchr::memmem;

use super::StoredEvent;
use crate::ids::{Epoch, GroupName, MessageId, NodeId};

/// Makes an append once-only for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// Whose ids these are: a session, or an API key.
    pub scope: String,
    /// The id within the scope.
    pub id: String,
    /// A digest of the content: the same id with another one is a conflict.
    pub fingerprint: String,
    /// How long the id is remembered, in seconds.
    pub seconds: u64,
}

/// How long the ids of clients and applications are remembered, in seconds (the protocol's 10 minutes).
pub const ONCE_SECONDS: u64 = 600;

/// One event to be logged.
#[derive(Debug, Clone)]
pub struct Append {
    /// The group whose log it is.
    pub group: GroupName,
    /// The event, encoded without its `seq`.
    pub body: ByteString,
    /// The message's id. In the log it tells the message's place ([`MessageId::at`]); with `once` it is kept, so that a
    /// repetition can be acknowledged alike.
    pub message: Option<MessageId>,
    /// Makes it once-only.
    pub once: Option<Once>,
    /// The node that owes the message an answer, if it is a question. The debt is noted in the same step, unless the assistant is
    /// off in this group: if no answer is begun within [`ANSWER_LEASE_SECONDS`], it is an orphan of the id
    /// [`AnswerId::owed_to`].
    pub owes: Option<NodeId>,
}

impl Append {
    /// The event as it lies in the log at `seq`, and the message's id.
    pub fn logged(&self, seq: u64) -> (StoredEvent, Option<MessageId>) {
        let id = self.message.as_ref().map(|message| message.at(seq));
        let body = match (&self.message, &id) {
            (Some(message), Some(id)) => put_in(&self.body, message.as_str(), id.as_str()),
            _ => self.body.clone(),
        };
        (StoredEvent { seq, body }, id)
    }
}

/// The text with one name in the place of another, where that stands first.
fn put_in(text: &str, old: &str, new: &str) -> ByteString {
    let (before, after) = match memmem::find(text.as_bytes(), old.as_bytes()) {
        Some(at) => (&text[..at], &text[at + old.len()..]),
        None => return text.into(),
    };
    [before, new, after].concat().into()
}

/// How an append went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// It is in the log now.
    New {
        /// Which log.
        epoch: Epoch,
        /// Its place there.
        seq: u64,
        /// Whether it is owed an answer.
        owed: bool,
    },
    /// It was there already.
    Again {
        /// Its place.
        seq: u64,
        /// The id that it was given.
        message: Option<MessageId>,
        /// Whether its answer is still owed: nobody has begun it ([`AnswerRecords::begin`]).
        owed: bool,
    },
    /// The id is known with another content.
    Conflict,
}
