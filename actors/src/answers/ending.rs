//! What the log says of an answer of which the store knows nothing.

use std::collections::BTreeMap;

use crate::ids::{AnswerId, Epoch, GroupName, MessageId};
use crate::protocol::Logged;
use crate::store::{PageSize, StoreResult, StoredEvent, Stores};

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
    let (mut is_whole, mut end) = (false, None);
    let read = read_from(stores, group, *seq, |event| {
        is_whole |= event.seq == *seq && event.body.contains(message.as_str());
        end = is_end(&event.body, answer).then_some(event.seq);
        end.is_some()
    });
    let log = read.await?;
    let is_the_same = log.is_some() && log.as_ref() == *epoch;
    Ok(match end {
        Some(seq) => Ending::At(seq),
        None if is_the_same && !is_whole => Ending::Trimmed,
        None => Ending::None,
    })
}

/// The places of the ends of those answers that have ended at `seq` or behind it.
pub(super) async fn find(
    stores: &Stores,
    group: &GroupName,
    seq: u64,
    answers: &[&AnswerId],
) -> StoreResult<BTreeMap<AnswerId, u64>> {
    let mut ends = BTreeMap::new();
    let read = read_from(stores, group, seq, |event| {
        let ended = answers.iter().filter(|answer| is_end(&event.body, answer));
        ends.extend(ended.map(|answer| ((*answer).clone(), event.seq)));
        ends.len() == answers.len()
    });
    read.await?;
    Ok(ends)
}

/// Reads a log from `seq` on, as far as it goes or until `has_enough`. Returns which log that was.
async fn read_from(
    stores: &Stores,
    group: &GroupName,
    seq: u64,
    mut has_enough: impl FnMut(&StoredEvent) -> bool,
) -> StoreResult<Option<Epoch>> {
    let mut after = seq.saturating_sub(1);
    loop {
        let page = stores.logs.read_after(group, after, PAGE).await?;
        if page.events.iter().any(&mut has_enough) {
            return Ok(page.epoch);
        }
        match page.events.last() {
            Some(last) if page.more => after = last.seq,
            _ => return Ok(page.epoch),
        }
    }
}

fn is_end(body: &str, answer: &AnswerId) -> bool {
    let logged = body.contains(answer.as_str()).then(|| serde_json::from_str::<Logged>(body));
    logged.is_some_and(|logged| logged.is_ok_and(|logged| logged.ended_answer() == Some(answer)))
}
