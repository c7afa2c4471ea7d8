//! What the registry asks for itself: what somebody missed.

use actix::prelude::*;

use crate::ids::{AnswerId, GroupName};
use crate::protocol::LogHead;
use crate::store::AnswerRecord;

/// What somebody missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// The events of the log after this `seq`.
    Log(u64),
    /// Whether the log is still the one that was delivered up to here.
    Life(LogHead),
    /// Some of an answer.
    Answer(AnswerId),
    /// What becomes of answers that are shown here and of which the store knows nothing.
    Lost(Vec<AnswerRecord>),
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
}

/// Gives the registry somebody to ask.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ReadBy(pub Recipient<FillGap>);

/// Who is asked; nobody before [`ReadBy`].
#[derive(Default)]
pub struct GapReader(pub Option<Recipient<FillGap>>);

impl GapReader {
    /// Asks, without waiting. `false`: that was not taken.
    pub fn ask(&self, group: GroupName, gap: Gap) -> bool {
        self.0.as_ref().is_some_and(|ear| ear.try_send(FillGap { group, gap }).is_ok())
    }
}
