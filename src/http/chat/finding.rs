//! The answers of a chat: those that are being written, and the one that has just ended.

use std::time::Duration;

use sophie_actors::answers::RecordingReader;
use sophie_actors::ids::{AnswerId, GroupName};
use sophie_actors::protocol::{Logged, unix_ms};
use sophie_actors::store::{PageSize, StoreResult};
use tokio::time::{Instant, sleep, timeout};

use crate::http::{ApiError, State};

/// The end of a log, in which the last answer's end is looked for.
const LAST: PageSize = PageSize { events: 20, bytes: 1 << 20 };
/// One event.
const ONE: PageSize = PageSize { events: 1, bytes: 1 << 20 };
/// How long an answer has to begin, and how often it is looked for: it is there as soon as it is known whether the cache has it.
const BEGINS_WITHIN: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(10);
/// How long what is told of an answer has until it is in the store.
const NOTED_WITHIN: Duration = Duration::from_secs(2);
/// How long the store has to tell what there is.
const TOLD_WITHIN: Duration = Duration::from_secs(2);

/// The answers that are being written in a group, by when they were asked for.
pub async fn running(state: &State, group: &GroupName) -> StoreResult<Vec<AnswerId>> {
    let mut records = state.node.stores.answers.running(std::slice::from_ref(group)).await?;
    records.sort_by_key(|record| record.message.seq());
    Ok(records.into_iter().map(|record| record.answer).collect())
}

/// Whether an answer is being written in a group. Who has read one to its end may ask on at once, and be here before the end is in the log:
/// that is waited for.
///
/// # Errors
/// The store is away.
pub async fn is_busy(state: &State, group: &GroupName) -> StoreResult<bool> {
    let until = Instant::now() + NOTED_WITHIN;
    loop {
        let running = running(state, group).await?;
        if running.is_empty() {
            return Ok(false);
        }
        if Instant::now() >= until || !have_ended(state, running).await? {
            return Ok(true);
        }
        sleep(LOOK).await;
    }
}

/// A reader of an answer that was asked for.
///
/// # Errors
/// 503: it has not begun in time.
pub async fn begun(state: &State, answer: &AnswerId) -> Result<RecordingReader, ApiError> {
    let until = Instant::now() + BEGINS_WITHIN;
    loop {
        if let Some(reader) = state.node.answers.read(answer.clone()).await? {
            until_noted(state, answer).await;
            return Ok(reader);
        }
        if Instant::now() >= until {
            let message = "the message was taken, but its answer has not begun yet; ask for it again";
            return Err(ApiError::unavailable("ai_unavailable", message, 2));
        }
        sleep(LOOK).await;
    }
}

/// Waits until an answer that can be read counts as running: who has seen its first chunk may stop it, resume it or ask on, at any node.
async fn until_noted(state: &State, answer: &AnswerId) {
    let until = Instant::now() + NOTED_WITHIN;
    while Instant::now() < until {
        match state.node.stores.answers.find(answer).await {
            Ok(Some(record)) if record.start.is_none() => sleep(LOOK).await,
            // It does, or did; or the store is away, and it is noted when that is back.
            Ok(_) | Err(_) => return,
        }
    }
}

/// Whether nothing more comes of these answers.
async fn have_ended(state: &State, answers: Vec<AnswerId>) -> StoreResult<bool> {
    for answer in answers {
        let Some(reader) = state.node.answers.read(answer).await? else { return Ok(false) };
        _ = timeout(TOLD_WITHIN, reader.current()).await;
        if reader.ended_ms().is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Who asked for an answer that is being written, by the name that their question bears.
pub async fn asker(state: &State, answer: &AnswerId) -> StoreResult<Option<String>> {
    let Some(record) = state.node.stores.answers.find(answer).await? else { return Ok(None) };
    let Some(seq) = record.message.seq() else { return Ok(None) };
    let page = state.node.stores.logs.read_after(&record.group, seq.saturating_sub(1), ONE).await?;
    Ok(page.events.first().and_then(|event| match serde_json::from_str(&event.body).ok()? {
        Logged::Message { message, .. } => Some(message.author),
        Logged::AnswerEnd { .. } | Logged::AnswerError { .. } => None,
    }))
}

/// The answer that is being written, or has ended within `chat.replay_seconds`, with a reader.
///
/// # Errors
/// The store is away.
pub async fn recent(state: &State, group: &GroupName) -> Result<Option<(AnswerId, RecordingReader)>, ApiError> {
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
        reader.ended_ms().is_none_or(|ended| unix_ms().saturating_sub(ended) <= state.chat.replay_seconds * 1_000);
    Ok(is_recent.then_some((answer, reader)))
}
