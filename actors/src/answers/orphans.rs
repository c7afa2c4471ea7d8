//! Ends answers that nobody writes: their writer died, or they are owed and nobody began them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::{Parts, lost};
use crate::aside::set_aside;
use crate::ids::AnswerId;
use crate::protocol::{AnswerFailed, CacheStatus, ErrorCode, Logged, REASONING_BYTES, Reasoning};
use crate::registry::{AnswerOver, AnswerStarted};
use crate::store::{AnswerRecord, AnswerStart, Ended, StoreError, StoreResult, StoredEvent};

/// How long one look may take: an answer that is begun meanwhile has a lease for longer, so `own` holds all of this node's.
const LOOK: Duration = Duration::from_secs(7);
/// How many are ended at once: each waits for Redis most of the time.
const AT_ONCE: usize = 4;

/// Ends one orphan after the other, but for `own` answers. Whoever is given one has it alone for a while, so nodes share the
/// work. The store names none until its writers have had time to renew their leases after it was away.
pub(super) async fn end_all(parts: Arc<Parts>, own: HashSet<AnswerId>) {
    let until = Instant::now() + LOOK;
    join_all((0..AT_ONCE).map(|_| end_some(&parts, &own, until))).await;
}

async fn end_some(parts: &Parts, own: &HashSet<AnswerId>, until: Instant) {
    while Instant::now() < until {
        let Ok(Some(orphan)) = parts.stores.answers.orphan().await else { return };
        if own.contains(&orphan.answer) {
            continue;
        }
        let group = orphan.group.clone();
        match interrupt(parts, orphan).await {
            Ok(()) => {}
            // Its log cannot be written; those of others can.
            Err(error @ StoreError::Corrupt(_)) => set_aside("group", group, &error),
            Err(error) => {
                log::debug!(error:%; "an orphan is not ended yet");
                return;
            }
        }
    }
}

async fn interrupt(parts: &Parts, mut orphan: AnswerRecord) -> StoreResult<()> {
    if orphan.start.is_none() {
        start(parts, &mut orphan).await?;
    }
    let AnswerRecord { answer, group, message, node, text, reasoning, .. } = orphan.clone();
    let cut = reasoning.len() > REASONING_BYTES - 4;
    let reasoning = (!reasoning.is_empty()).then_some(Reasoning { text: reasoning, ms: None, cut });
    let failure = AnswerFailed {
        answer: answer.clone(),
        message,
        text,
        reasoning,
        code: ErrorCode::Interrupted,
        reason: "the answer was cut off by a fault of the server; what was saved of it is kept".into(),
        retry_after_ms: None,
    };
    let body = Logged::AnswerError { group: group.clone(), failure }.encode();
    match parts.stores.answers.end(&answer, &group, body.clone()).await? {
        Ended::Now { epoch, seq } => {
            log::warn!(
                event = "answer_interrupted", answer:%, group:%, node:%;
                "an answer is interrupted, its writer is gone"
            );
            parts.metrics.answers.with_label_values(&["interrupted"]).inc();
            parts.delivery.logged(group, epoch, StoredEvent { seq, body }).await;
        }
        Ended::Before { seq } => _ = parts.delivery.registry.answer_over(AnswerOver { group, answer, seq }).await,
        // Lost meanwhile, perhaps with its log: its start was shown here.
        Ended::Unknown => lost::settle(&parts.stores, &parts.delivery.registry, &group, vec![orphan]).await,
    }
    Ok(())
}

/// Whoever hears of an end has heard of the start.
async fn start(parts: &Parts, orphan: &mut AnswerRecord) -> StoreResult<()> {
    let start = AnswerStart { model: parts.options.get().model.clone(), cache: CacheStatus::Miss };
    orphan.start = Some(start.clone());
    parts.stores.answers.start(orphan).await?;
    let AnswerRecord { answer, group, message, .. } = orphan.clone();
    parts.delivery.notifier.started(&group, &answer, &message, &start);
    _ = parts.delivery.registry.answer_started(AnswerStarted { group, answer, message, start }).await;
    Ok(())
}
