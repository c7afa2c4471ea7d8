//! What is asked of the limiter about requests, and what it says.

use std::net::IpAddr;

use actix::prelude::*;

use super::Remaining;
use super::buckets::Subject;
use super::guard::Admitted;
use super::slots::busy;
use crate::actor::Unanswered;
use crate::ids::{GroupName, SessionId, UserId};
use crate::protocol::{ErrorCode, Refusal};
use crate::store::Room;
use crate::store::limits::{Bucket, Limit};

/// No client is told to stay away for longer, in milliseconds (the protocol's 120 s).
const MAX_RETRY_AFTER_MS: u64 = 120_000;

/// Whom a request counts against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A user who is signed in, in a chat session.
    User(UserId),
    /// Somebody in a chat session of whom no more is known than its name: a guest, who shares the limits of its address.
    Guest(UserId),
    /// An application, by its API key.
    Application(Application),
}

/// An application as the limits know it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Application {
    /// The key's name.
    pub name: String,
    /// Requests a minute, and as many at once. None: those of keys (`limits.key_…`).
    pub requests_per_minute: Option<u64>,
    /// Tokens an hour. None: those of a user.
    pub tokens_per_hour: Option<u64>,
}

/// Asks to admit a message or a request.
#[derive(Message, Debug, Clone)]
#[rtype(result = "Result<Admitted, NotAdmitted>")]
pub struct Admit {
    /// Who asks.
    pub caller: Caller,
    /// From where.
    pub address: IpAddr,
    /// For which group, if it is for one.
    pub group: Option<GroupName>,
    /// About how many tokens the AI is asked with, if it is asked; without it no tokens are reserved.
    pub prompt_tokens: Option<u64>,
    /// Whose slots its answer takes one of, if one is taken.
    pub slot: Option<SlotOf>,
}

/// Whose answers at once one more is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotOf {
    /// A chat session's, and the whole service's.
    Session(SessionId),
    /// The whole service's alone: an application has no session.
    Service,
}

/// What else a user may do only so often, so that it cannot cost others what it costs: in buckets of their own, never taken
/// from messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spending {
    /// Reading: a page of history, a repeated message, a hundred members begun.
    Reads,
    /// Joining, leaving, refreshing rights.
    Joins,
}

/// Asks for some of it.
#[derive(Message, Debug, Clone)]
#[rtype(result = "Result<(), NotAdmitted>")]
pub struct Spend {
    /// Whose; a guest is named by its session.
    pub whose: Subject,
    /// Of what.
    pub on: Spending,
    /// How many units.
    pub units: u64,
}

/// Asks to admit a connection.
#[derive(Message)]
#[rtype(result = "Result<(), NotAdmitted>")]
pub enum AdmitConnect {
    /// From there, whoever it is.
    From(IpAddr),
    /// Of this user, from wherever.
    Of(UserId),
}

/// Why something is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// As many answers are under way as may be.
    Busy,
    /// A limit is used up.
    Limit(Limit),
    /// The limiter did not answer.
    Unanswered,
}

/// A refusal, with what is left of the limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAdmitted {
    /// For the client.
    pub refusal: Refusal,
    /// Why.
    pub because: Because,
    /// What is left.
    pub left: Remaining,
    /// Whether it comes back only after longer than any client is told to wait (120 s): trying again soon is of no use.
    pub hard: bool,
}

impl NotAdmitted {
    /// By a limit that has enough in so many milliseconds.
    pub(super) fn by(limit: Limit, wait_ms: u64, left: Remaining) -> Self {
        let hard = wait_ms > MAX_RETRY_AFTER_MS;
        let retry_after_ms = wait_ms.min(MAX_RETRY_AFTER_MS);
        let when = match hard {
            true => format!("it has enough again in {} minutes", wait_ms.div_ceil(60_000)),
            false => format!("try again in {} s", retry_after_ms.div_ceil(1_000)),
        };
        let refusal = Refusal {
            code: ErrorCode::RateLimited,
            message: format!("the limit of {} is used up; {when}", limit.words()),
            retry_after_ms: Some(retry_after_ms),
        };
        Self { refusal, because: Because::Limit(limit), left, hard }
    }

    /// No slot is free in this room.
    pub(super) fn full(room: &Room) -> Self {
        Self { refusal: busy(room), because: Because::Busy, left: Remaining::default(), hard: false }
    }
}

impl From<Unanswered> for NotAdmitted {
    fn from(_: Unanswered) -> Self {
        Self { refusal: Refusal::internal(), because: Because::Unanswered, left: Remaining::default(), hard: false }
    }
}

impl From<NotAdmitted> for Refusal {
    fn from(not: NotAdmitted) -> Self {
        not.refusal
    }
}

/// Reserves as much as a request of so many tokens takes, for one that was admitted before it was known.
#[derive(Message)]
#[rtype(result = "Result<Admitted, NotAdmitted>")]
pub(super) struct Raise {
    /// What was taken for it already.
    pub(super) taken: Vec<Bucket>,
    /// About how many tokens the AI is asked with.
    pub(super) prompt_tokens: u64,
    /// Whose slots its answer takes one of.
    pub(super) slot: SlotOf,
}

/// Corrects what was taken to what was used.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Correct {
    /// What was taken.
    pub(super) taken: Vec<Bucket>,
    /// By this node's own limits.
    pub(super) local: bool,
    /// Tokens that were really used. `None`: what was admitted did not take place, and nothing counts.
    pub(super) used: Option<u64>,
}
