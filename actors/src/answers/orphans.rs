//! Ends answers whose writer died: their lease has run out and nobody renews it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Parts;
use crate::ids::AnswerId;
use crate::messages::{Deliver, Reached};
use crate::protocol::{AnswerFailed, ErrorCode, Logged};
use crate::services::PATIENCE;
use crate::store::{ANSWER_LEASE_SECONDS, AnswerRecord, Ended, StoreResult, StoredEvent};

/// When to look, and since when the store has been there.
pub(super) struct Orphans {
    looking: bool,
    /// Writers need a lease's length to renew after the store was away: until then nobody is declared dead.
    trusted_from: Option<Instant>,
}

/// One look.
pub(super) struct Look {
    may_end: bool,
}

impl Orphans {
    pub(super) fn new() -> Self {
        Self { looking: false, trusted_from: None }
    }

    /// Begins a look, unless one is under way.
    pub(super) fn begin(&mut self) -> Option<Look> {
        if self.looking {
            return None;
        }
        self.looking = true;
        Some(Look { may_end: self.trusted_from.is_some_and(|from| Instant::now() >= from) })
    }

    /// Takes note of whether the store answered.
    pub(super) fn ended(&mut self, answered: bool) {
        self.looking = false;
        self.trusted_from = match (answered, self.trusted_from) {
            (false, _) => None,
            (true, Some(from)) => Some(from),
            (true, None) => Some(Instant::now() + Duration::from_secs(ANSWER_LEASE_SECONDS)),
        };
    }
}

impl Look {
    /// Ends every orphan but `own` answers. Whether the store answered.
    pub(super) async fn run(self, parts: Arc<Parts>, own: HashSet<AnswerId>) -> bool {
        let Ok(orphans) = parts.stores.answers.orphans().await else { return false };
        if self.may_end {
            for orphan in orphans.into_iter().filter(|orphan| !own.contains(&orphan.answer)) {
                if interrupt(&parts, orphan).await.is_err() {
                    return false;
                }
            }
        }
        true
    }
}

async fn interrupt(parts: &Parts, orphan: AnswerRecord) -> StoreResult<()> {
    let AnswerRecord { answer, group, message, node, text } = orphan;
    let failure = AnswerFailed {
        answer: answer.clone(),
        message,
        text,
        code: ErrorCode::Interrupted,
        reason: "the answer was cut off by a fault of the server; what was written is kept".into(),
        retry_after_ms: None,
    };
    let body = Logged::AnswerError { group: group.clone(), failure }.encode();
    match parts.stores.answers.end(&answer, &group, body.clone()).await? {
        Ended::Now { epoch, seq } => {
            log::warn!("answer interrupted, its writer is gone answer={answer} group={group} node={node}");
            parts.metrics.answers.with_label_values(&["interrupted"]).inc();
            let deliver = Deliver { group, epoch, event: StoredEvent { seq, body } };
            _ = parts.registry.send(deliver).timeout(PATIENCE).await;
        }
        Ended::Before { seq } => _ = parts.registry.send(Reached { group, seq }).timeout(PATIENCE).await,
    }
    Ok(())
}
