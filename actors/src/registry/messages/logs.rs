//! What is said of a group's log.

use actix::prelude::*;

use crate::ids::{Epoch, GroupName};
use crate::store::{AnswerRecord, LogState, StoredEvent};

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
