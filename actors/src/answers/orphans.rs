//! Ends answers whose writer died: their lease has run out and nobody renews it.

use std::collections::HashSet;
use std::sync::Arc;

use super::Parts;
use crate::ids::AnswerId;
use crate::messages::{Deliver, Reached};
use crate::protocol::{AnswerFailed, ErrorCode, Logged};
use crate::services::PATIENCE;
use crate::store::{AnswerRecord, Ended, StoreResult, StoredEvent};

/// Ends every orphan but `own` answers. The store names none until its writers have had time to renew their leases
/// after it was away.
pub(super) async fn end_all(parts: Arc<Parts>, own: HashSet<AnswerId>) {
    let orphans = parts.stores.answers.orphans().await.unwrap_or_default();
    for orphan in orphans.into_iter().filter(|orphan| !own.contains(&orphan.answer)) {
        if let Err(error) = interrupt(&parts, orphan).await {
            log::debug!("orphan not ended yet error={error}");
            return;
        }
    }
}

async fn interrupt(parts: &Parts, orphan: AnswerRecord) -> StoreResult<()> {
    let AnswerRecord { answer, group, message, node, text, .. } = orphan;
    let failure = AnswerFailed {
        answer: answer.clone(),
        message,
        text,
        code: ErrorCode::Interrupted,
        reason: "the answer was cut off by a fault of the server; what was saved of it is kept".into(),
        retry_after_ms: None,
    };
    let body = Logged::AnswerError { group: group.clone(), failure }.encode();
    match parts.stores.answers.end(&answer, &group, body.clone()).await? {
        Ended::Now { epoch, seq } => {
            log::warn!("answer interrupted, its writer is gone answer={answer} group={group} node={node}");
            parts.metrics.answers.with_label_values(&["interrupted"]).inc();
            let deliver = Deliver { group, epoch, event: StoredEvent { seq, body } };
            parts.notifier.logged(&deliver.event);
            _ = parts.registry.send(deliver).timeout(PATIENCE).await;
        }
        Ended::Before { seq } => _ = parts.registry.send(Reached { group, seq }).timeout(PATIENCE).await,
    }
    Ok(())
}
