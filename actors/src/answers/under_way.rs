//! The answers that are written or read at this node, and how many read each in which protocol: for operators.

use std::collections::BTreeMap;

use actix::prelude::*;
use serde::Serialize;

use super::Answers;
use crate::ids::AnswerId;
use crate::protocol::{Protocol, timestamp_of};
use crate::store::AnswerOwner;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnderWay {
    /// Which.
    pub answer: AnswerId,
    /// Whose it is: not for a client's eyes.
    #[serde(skip)]
    pub owner: AnswerOwner,
    /// Who writes.
    pub model: String,
    /// Since when, as the protocol writes times.
    pub since: String,
    /// Whether it is written at this node.
    pub written_here: bool,
    /// How many read it here, by protocol. Members of a group who are told of it over their sockets are not among them.
    pub readers: BTreeMap<Protocol, usize>,
}

/// Asks for those that have not ended.
#[derive(Message)]
#[rtype(result = "Vec<UnderWay>")]
pub struct ListUnderWay;

impl Handler<ListUnderWay> for Answers {
    type Result = Vec<UnderWay>;

    fn handle(&mut self, _: ListUnderWay, _: &mut Context<Self>) -> Vec<UnderWay> {
        let mut all: Vec<_> = self
            .recordings
            .all()
            .filter(|(_, recording)| !recording.has_ended())
            .map(|(answer, recording)| UnderWay {
                answer,
                owner: recording.head.owner.clone(),
                model: recording.head.model.clone(),
                since: timestamp_of(recording.head.began_ms),
                written_here: recording.is_written_here,
                readers: recording.readers(),
            })
            .collect();
        all.sort_by(|one, other| (&one.since, &one.answer).cmp(&(&other.since, &other.answer)));
        all
    }
}
