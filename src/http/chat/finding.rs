//! The answers of a chat: those that are being written, and the one that has just ended.

use std::time::Duration;

use sophie_actors::answers::RecordingReader;
use sophie_actors::ids::{AnswerId, GroupName};
use sophie_actors::protocol::{Logged, unix_ms};
use sophie_actors::store::{PageSize, StoreResult};
use tokio::time::timeout;

use crate::http::{ApiError, State};

/// The end of a log, in which the last answer's end is looked for.
const LAST: PageSize = PageSize { events: 20, bytes: 1 << 20 };
/// How long the store has to tell what there is.
const TOLD_WITHIN: Duration = Duration::from_secs(2);

/// The answers that are being written in a group, by when they were asked for.
pub(super) async fn running(state: &State, group: &GroupName) -> StoreResult<Vec<AnswerId>> {
    let mut records = state.node.stores.answers.running(std::slice::from_ref(group)).await?;
    records.sort_by_key(|record| record.message.seq());
    Ok(records.into_iter().map(|record| record.answer).collect())
}

/// The answer that is being written, or has ended within `chat.replay_seconds`, with a reader.
///
/// # Errors
/// The store is away.
pub(super) async fn recent(state: &State, group: &GroupName) -> Result<Option<(AnswerId, RecordingReader)>, ApiError> {
    let answers = &state.node.answers;
    for answer in running(state, group).await?.into_iter().rev() {
        if let Some(reader) = answers.read(answer.clone()).await? {
            return Ok(Some((answer, reader)));
        }
    }
    let page = state.node.stores.logs.read_before(group, None, LAST).await?;
    let ended = page.events.iter().rev().find_map(|event| match serde_json::from_str(&event.body).ok()? {
        Logged::AnswerEnd { end, .. } => Some(end.answer),
        Logged::AnswerError { failure, .. } => Some(failure.answer),
        Logged::Message { .. } => None,
    });
    let Some(answer) = ended else { return Ok(None) };
    let Some(reader) = answers.read(answer.clone()).await? else { return Ok(None) };
    _ = timeout(TOLD_WITHIN, reader.current()).await;
    let is_recent =
        reader.ended_ms().is_none_or(|ended| unix_ms().saturating_sub(ended) <= state.replay_seconds * 1_000);
    Ok(is_recent.then_some((answer, reader)))
}
