//! The end of a group's answer: logged once, however long that takes, and paid for.

use std::time::Duration;

use super::{GroupAnswer, Outcome};
use crate::answers::{AnswerLine, End};
use crate::backoff::Backoff;
use crate::openai::estimate_tokens;
use crate::protocol::{AnswerFailed, AnswerFinished, Logged, Usage};
use crate::registry::AnswerOver;
use crate::store::{Ended, StoredEvent};

/// An end that could not be logged is tried again after this, doubling up to [`MAX_END_RETRY`].
const END_RETRY: Duration = Duration::from_millis(250);
const MAX_END_RETRY: Duration = Duration::from_secs(2);

impl GroupAnswer {
    pub(super) async fn end(mut self, outcome: Outcome) {
        if self.is_unsaved() {
            // The other nodes show all of it before its end.
            self.renew().await;
        }
        if self.parts.log_content {
            log::info!(
                event = "answer_content", group:% = self.ask.group, question = self.ask.question, answer = self.text;
                "a question and its answer, as log.content asks for"
            );
        }
        self.end_recording(&outcome).await;
        let latency = self.ask.asked_at.elapsed();
        let completion_tokens = estimate_tokens(&self.text);
        let estimate = Usage {
            prompt_tokens: self.prompt_tokens,
            completion_tokens,
            total_tokens: self.prompt_tokens + completion_tokens,
        };
        let finished = |finish_reason: String, usage: Usage| {
            let end = AnswerFinished {
                answer: self.answer.clone(),
                message: self.ask.message.clone(),
                text: self.text.clone(),
                reasoning: self.reasoning(),
                model: self.start.as_ref().map(|start| start.model.clone()),
                cache: self.start.as_ref().map(|start| start.cache),
                finish_reason,
                usage: Some(usage),
                latency_ms: u64::try_from(latency.as_millis()).unwrap_or(u64::MAX),
            };
            Logged::AnswerEnd { group: self.ask.group.clone(), end }
        };
        let line = self.line();
        let (label, logged, usage) = match outcome {
            Outcome::Generated(End::Complete { finish_reason, usage }) => {
                let usage = usage.unwrap_or(estimate);
                line.completed(&finish_reason, usage);
                ("complete", finished(finish_reason, usage), usage)
            }
            Outcome::Stopped(why) => {
                let reason = why.finish_reason();
                line.completed(reason, estimate);
                (reason, finished(reason.to_owned(), estimate), estimate)
            }
            Outcome::Taken => ("cancelled", finished("cancelled".to_owned(), estimate), estimate),
            Outcome::Generated(End::Failed(error)) => {
                line.failed(&error);
                let failure = AnswerFailed {
                    answer: self.answer.clone(),
                    message: self.ask.message.clone(),
                    text: self.text.clone(),
                    reasoning: self.reasoning(),
                    code: error.code,
                    reason: error.reason,
                    retry_after_ms: error.retry_after_ms,
                };
                ("failed", Logged::AnswerError { group: self.ask.group.clone(), failure }, estimate)
            }
        };
        self.tell_span(label, &logged, usage);
        // Who has seen the end may ask the next question.
        let mut admitted = (&mut self.admitted).await.unwrap_or_default();
        admitted.free_slot().await;
        self.log_end(logged).await;
        self.parts.metrics.answers.with_label_values(&[label]).inc();
        self.parts.metrics.answer_seconds.observe(latency.as_secs_f64());
        // Only who asked the backend pays; a failure that brought no text costs nothing.
        let paid = self.cache.asked_the_backend() && (label != "failed" || !self.text.is_empty());
        admitted.settle(if paid { usage.total_tokens } else { 0 });
    }

    fn line(&self) -> AnswerLine<'_> {
        AnswerLine {
            answer: Some(&self.answer),
            group: Some(&self.ask.group),
            session: self.ask.session.as_ref(),
            user: self.ask.user.as_str(),
            cache: self.start.as_ref().map(|start| start.cache),
            asked_at: self.ask.asked_at,
        }
    }

    /// Puts the end into the log, however long that takes: an answer that was started always ends.
    async fn log_end(&mut self, logged: Logged) {
        let body = logged.encode();
        let group = self.ask.group.clone();
        let mut backoff = Backoff::between(END_RETRY, MAX_END_RETRY);
        loop {
            match self.parts.stores.answers.end(&self.answer, &group, body.clone()).await {
                Ok(Ended::Now { epoch, seq }) => {
                    return self.parts.delivery.logged(group, epoch, StoredEvent { seq, body }).await;
                }
                // Ended by another call (perhaps by one of these whose reply was lost): that end stands.
                Ok(Ended::Before { seq }) => return self.over(seq).await,
                Ok(Ended::Unknown) => {
                    if !self.restore().await {
                        return;
                    }
                }
                Err(error) => {
                    log::debug!(answer:% = self.answer, error:%; "the end of an answer is not logged yet");
                    self.parts.metrics.store_failed("answer_end");
                }
            }
            backoff.wait().await;
        }
    }

    /// Its end is in the log at this place.
    pub(super) async fn over(&self, seq: u64) {
        let over = AnswerOver { group: self.ask.group.clone(), answer: self.answer.clone(), seq };
        _ = self.parts.delivery.registry.answer_over(over).await;
    }
}
