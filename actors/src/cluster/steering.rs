//! A message that steers: it ends what is being written for its author, so that it follows on that.

use std::time::Duration;

use tokio::time::Instant;

use super::stopping::stop_because;
use crate::answers::Stopped;
use crate::backoff::Backoff;
use crate::ids::{AnswerId, GroupName};
use crate::node::Node;
use crate::protocol::{ErrorCode, Logged, Refusal};
use crate::store::{AnswerRecord, PageSize, StoreResult};

/// The question of an answer, and no more.
const ONE: PageSize = PageSize { events: 1, bytes: 1 };
/// How long the end of an answer is waited for: an order to another node is carried out within two seconds.
const ENDS_WITHIN: Duration = Duration::from_secs(5);
/// Between two looks at it, at first and at most.
const FIRST_LOOK: Duration = Duration::from_millis(2);
const LAST_LOOK: Duration = Duration::from_millis(50);

/// Ends the answers that are being written to an author's questions in a group as what they are so far. When this returns their ends
/// are in the log: what is said next stands behind them.
///
/// # Errors
/// The store is away, or an answer does not end: it may be that its writer is gone, which the store finds out by itself.
pub(crate) async fn steer(node: &Node, group: &GroupName, author: &str) -> Result<(), Refusal> {
    let failed = |error| {
        log::debug!(call = "steer", error:%; "a call to the store failed");
        node.metrics.store_failed("steer");
        Refusal::store_unavailable()
    };
    let running = node.stores.answers.running(std::slice::from_ref(group)).await.map_err(failed)?;
    let mut ending = Vec::new();
    for record in running {
        if is_asked_by(node, &record, author).await.map_err(failed)? {
            stop_because(node, &record.answer, Stopped::Steered).await.map_err(failed)?;
            ending.push(record.answer);
        }
    }
    let until = Instant::now() + ENDS_WITHIN;
    for answer in ending {
        if !has_ended(node, &answer, until).await.map_err(failed)? {
            let message = "the answer that is being written has not ended yet; send this again in a moment";
            return Err(Refusal { retry_after_ms: Some(1_000), ..Refusal::new(ErrorCode::Busy, message) });
        }
    }
    Ok(())
}

async fn is_asked_by(node: &Node, record: &AnswerRecord, author: &str) -> StoreResult<bool> {
    let Some(seq) = record.message.seq() else { return Ok(false) };
    let page = node.stores.logs.read_after(&record.group, seq.saturating_sub(1), ONE).await?;
    Ok(page.events.first().is_some_and(|event| match serde_json::from_str(&event.body) {
        Ok(Logged::Message { message, .. }) => message.id == record.message && message.author == author,
        _ => false,
    }))
}

async fn has_ended(node: &Node, answer: &AnswerId, until: Instant) -> StoreResult<bool> {
    let mut looks = Backoff::between(FIRST_LOOK, LAST_LOOK);
    while node.stores.answers.find(answer).await?.is_some() {
        if Instant::now() >= until {
            return Ok(false);
        }
        looks.wait().await;
    }
    Ok(true)
}
