//! What the log says of an answer of which the store knows nothing.

use crate::ids::{AnswerId, Epoch, GroupName, MessageId};
use crate::protocol::Logged;
use crate::store::{PageSize, StoreResult, Stores};

/// What is read of a log at once.
const PAGE: PageSize = PageSize { events: 500, bytes: 1024 * 1024 };

/// What is known of an answer by whoever writes it.
pub(super) struct AnswerInDoubt<'a> {
    pub(super) answer: &'a AnswerId,
    pub(super) group: &'a GroupName,
    /// What it answers, and its place.
    pub(super) message: &'a MessageId,
    pub(super) seq: u64,
    /// The log that this was in, if it was read.
    pub(super) epoch: Option<&'a Epoch>,
}

/// Whether an answer has ended.
#[derive(Debug, PartialEq)]
pub(super) enum Ending {
    /// It has, at this place.
    At(u64),
    /// It has not, or not in this life of the log.
    None,
    /// What followed the doubted is no longer all there.
    Trimmed,
}

/// Looks through all that followed the doubted.
pub(super) async fn look(stores: &Stores, doubted: &AnswerInDoubt<'_>) -> StoreResult<Ending> {
    let AnswerInDoubt { answer, group, message, seq, epoch } = doubted;
    let mut after = seq.saturating_sub(1);
    let mut is_whole = false;
    loop {
        let page = stores.logs.read_after(group, after, PAGE).await?;
        for event in &page.events {
            is_whole |= event.seq == *seq && event.body.contains(message.as_str());
            if event.body.contains(answer.as_str()) && is_end(&event.body, answer) {
                return Ok(Ending::At(event.seq));
            }
        }
        match page.events.last() {
            Some(last) if page.more => after = last.seq,
            _ => {
                let is_the_same = page.epoch.is_some() && page.epoch.as_ref() == *epoch;
                return Ok(if is_the_same && !is_whole { Ending::Trimmed } else { Ending::None });
            }
        }
    }
}

fn is_end(body: &str, answer: &AnswerId) -> bool {
    match serde_json::from_str::<Logged>(body) {
        Ok(Logged::AnswerEnd { end, .. }) => end.answer == *answer,
        Ok(Logged::AnswerError { failure, .. }) => failure.answer == *answer,
        _ => false,
    }
}
