//! The lease of a group's answer: renewed with the text that it saves, and noted anew where the store has lost it.

use std::time::Duration;

use tokio::time::Instant;

use super::GroupAnswer;
use crate::answers::ending::{self, AnswerInDoubt, Ending};
use crate::store::{AnswerRecord, ENDED_SECONDS, Renewed};

/// Pieces that come within this time after others were saved are saved, and told to the other nodes, together.
const BATCH: Duration = Duration::from_millis(30);
/// Longer ago the end of an answer may have been forgotten by the store, which knows it for twice as long.
pub(super) const FORGOTTEN: Duration = Duration::from_secs(ENDED_SECONDS / 2);

impl GroupAnswer {
    pub(super) fn record(&self) -> AnswerRecord {
        AnswerRecord {
            answer: self.answer.clone(),
            group: self.ask.group.clone(),
            message: self.ask.message.clone(),
            node: self.parts.roster.node(),
            text: self.text.clone(),
            reasoning: String::new(),
            start: self.start.clone(),
        }
    }

    /// Renews the lease. `false`: somebody else has ended the answer.
    pub(super) async fn renew(&mut self) -> bool {
        self.save_at = Instant::now() + BATCH;
        if !self.save_thoughts().await {
            return false;
        }
        let more = self.text[self.saved..].to_owned();
        match self.parts.stores.answers.renew(&self.answer, &more).await {
            Ok(Renewed::Held) => {
                self.saved(&more);
                true
            }
            Ok(Renewed::Ended) => false,
            Ok(Renewed::Unknown) => self.restore().await,
            // The lease may run out, but nobody can end the answer without the store.
            Err(_) => true,
        }
    }

    /// Saves what the model has thought since, if it has. `false`: somebody else has ended the answer.
    async fn save_thoughts(&mut self) -> bool {
        let Some(thinking) = self.thinking.as_mut().filter(|thinking| thinking.is_unsaved()) else { return true };
        match self.parts.stores.answers.think(&self.answer, &thinking.text[thinking.saved..]).await {
            Ok(Renewed::Held) => {
                thinking.saved = thinking.text.len();
                true
            }
            Ok(Renewed::Ended) => false,
            // The renewal that follows notes the answer anew.
            Ok(Renewed::Unknown) | Err(_) => true,
        }
    }

    /// All of the text is saved now.
    fn saved(&mut self, more: &str) {
        if !more.is_empty() {
            let offset = self.text[..self.saved].chars().count();
            self.parts.delivery.notifier.grew(&self.ask.group, &self.answer, offset, more);
        }
        self.saved = self.text.len();
        self.held_at = Instant::now();
    }

    /// The store does not know the answer: either it lost it, and is told anew, or it has forgotten its end, which the log then
    /// shows. `false`: it has ended.
    pub(super) async fn restore(&mut self) -> bool {
        let parts = self.parts.clone();
        let question = AnswerInDoubt {
            answer: &self.answer,
            group: &self.ask.group,
            message: &self.ask.message,
            seq: self.ask.seq,
            epoch: self.epoch.as_ref(),
        };
        match ending::look(&parts.stores, &question).await {
            Ok(Ending::At(seq)) => {
                self.over(seq).await;
                return false;
            }
            Ok(Ending::Trimmed) if self.held_at.elapsed() > FORGOTTEN => {
                log::warn!(
                    event = "answer_given_up", answer:% = self.answer;
                    "an answer is given up, its end was logged and is gone"
                );
                self.over(0).await;
                return false;
            }
            Ok(Ending::Trimmed | Ending::None) => {}
            // The store is away (again): the next renewal sees.
            Err(_) => return true,
        }
        let record = self.record();
        match parts.stores.answers.begin(&record, None).await {
            Ok(false) => return false,
            Ok(true) => {
                let more = self.text[self.saved..].to_owned();
                self.saved(&more);
                // What the model thought is no part of what was noted: it is saved again.
                self.thinking.iter_mut().for_each(|thinking| thinking.saved = 0);
            }
            Err(_) => return true,
        }
        if record.start.is_some()
            && let Err(error) = parts.stores.answers.start(&record).await
        {
            log::debug!(answer:% = self.answer, error:%; "the start of an answer was not noted");
        }
        true
    }
}
