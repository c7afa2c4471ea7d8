//! What nodes tell each other. Logged events are told by the step that logs them; the rest is [`Told`], which nobody
//! keeps, but for orders: who misses it learns the outcome from logs and records.

use async_trait::async_trait;
use bytestring::ByteString;
use serde::{Deserialize, Serialize};

use super::{AnswerStart, Attendance, Feedback, Order, PersonTold, StoreResult, StoredEvent};
use crate::ids::{AnswerId, Epoch, GroupName, MessageId, SessionId, UserId};

/// Something that happened at another node and is not logged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case")]
pub enum Told {
    /// A frame for the sockets of a group.
    Frame {
        /// The group.
        group: GroupName,
        /// The frame.
        frame: ByteString,
        /// A session that does not get it.
        except: Option<SessionId>,
    },
    /// A session became a member.
    Entered {
        /// The group.
        group: GroupName,
        /// The session.
        session: SessionId,
        /// Its user.
        user: UserId,
    },
    /// A session is no longer a member.
    Left {
        /// The group.
        group: GroupName,
        /// The session.
        session: SessionId,
        /// Its user.
        user: UserId,
    },
    /// An answer is being written.
    Started {
        /// The group.
        group: GroupName,
        /// The answer.
        answer: AnswerId,
        /// What it answers.
        message: MessageId,
        /// By whom, and how it came about.
        #[serde(flatten)]
        start: AnswerStart,
    },
    /// An answer grew.
    Grew {
        /// The group.
        group: GroupName,
        /// The answer.
        answer: AnswerId,
        /// Unicode scalar values of the answer before this.
        offset: usize,
        /// By what.
        text: String,
    },
    /// The model thought more of an answer. A version that does not know this passes it over.
    Thought {
        /// The group.
        group: GroupName,
        /// The answer.
        answer: AnswerId,
        /// Unicode scalar values of what it thought before this.
        offset: usize,
        /// What.
        text: String,
    },
    /// Somebody who may has cancelled an answer.
    Cancelled {
        /// The answer.
        answer: AnswerId,
        /// By their next message, which follows on it. A version that does not know this cancels.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        steered: bool,
    },
    /// Who answers in a group has changed.
    Attended {
        /// The group.
        group: GroupName,
        /// How it is now.
        #[serde(flatten)]
        attendance: Attendance,
    },
    /// Somebody asked for a person, or what came of it: for the worker alone.
    Person(PersonTold),
    /// Somebody rated something: for the worker alone.
    Rated(Feedback),
    /// An operator disconnects a session.
    Disconnected {
        /// The session.
        session: SessionId,
    },
    /// An operator ended a group.
    GroupEnded {
        /// The group.
        group: GroupName,
    },
}

/// What a node hears.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// This node logged an event. It is delivered by whoever logged it, unless they never learned that it was.
    LoggedHere {
        /// The group.
        group: GroupName,
        /// Which log.
        epoch: Epoch,
        /// Its place in the log.
        seq: u64,
    },
    /// Another node logged an event.
    Logged {
        /// The group.
        group: GroupName,
        /// Which log.
        epoch: Epoch,
        /// The event.
        event: StoredEvent,
    },
    /// Another node told something.
    Told(Told),
    /// A node, perhaps this one, gave an order.
    Ordered(Order),
    /// From here on everything is heard. What was told before may have been missed.
    Resumed,
}

/// The way from node to node.
#[async_trait]
pub trait Feed: Send + Sync {
    /// Tells the other nodes.
    async fn tell(&self, told: &Told) -> StoreResult<()>;
    /// Waits for what there is to hear, in the order in which it was told; for ever where there are no other nodes.
    async fn hear(&self) -> Vec<Heard>;
}
