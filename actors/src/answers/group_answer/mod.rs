//! One group's answer: follows a generation, tells the group, and ends exactly once in the group's log.

mod beginning;
mod end;
mod lease;
mod recording;
mod telling;
mod thinking;

pub(crate) use beginning::CONVERSATION;

use std::sync::Arc;
use std::time::Duration;

use thinking::Thinking;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use super::generation::{End, GenerationOrigin, Next};
use super::heard::Watch;
use super::recording::Recorder;
use super::{AnswersHandle, Ask, EndedOnDrop, Joined, Parts, Stopped, Stopping};
use crate::admission::Admitted;
use crate::backend::BackendError;
use crate::ids::{AnswerId, Epoch, RequestId};
use crate::protocol::{AnswerText, CacheStatus};
use crate::registry::{AnswerGrew, AnswerStarted};
use crate::store::{AnswerRecord, AnswerStart, Page};

/// How often the lease is renewed at least, and listeners are counted.
const RENEW: Duration = Duration::from_millis(300);

enum Outcome {
    Generated(End),
    Stopped(Stopped),
    /// Somebody else has ended this answer.
    Taken,
}

struct GroupAnswer {
    parts: Arc<Parts>,
    answers: AnswersHandle,
    answer: AnswerId,
    ask: Ask,
    /// What was reserved for it: held here until the end, whichever way that comes.
    admitted: oneshot::Receiver<Admitted>,
    text: String,
    /// Unicode scalar values of the text.
    chars: usize,
    /// Bytes of the text that are saved, and so told to the other nodes, already.
    saved: usize,
    /// When the rest is to be.
    save_at: Instant,
    /// When the store last knew that it is this writer's.
    held_at: Instant,
    /// The log that the question is in, once it was read.
    epoch: Option<Epoch>,
    /// How it comes about, once clients know.
    start: Option<AnswerStart>,
    prompt_tokens: u64,
    cache: CacheStatus,
    /// What of it is recorded.
    recorder: Option<Recorder>,
    /// What the model thinks; `None` where that is not shown, as the settings said when it began.
    thinking: Option<Thinking>,
}

/// Runs an answer from the question to its logged end.
pub(super) async fn run(
    parts: Arc<Parts>,
    answers: AnswersHandle,
    (ask, admitted): (Ask, oneshot::Receiver<Admitted>),
    stopping: Arc<Stopping>,
    closing: watch::Receiver<bool>,
    ended: EndedOnDrop,
) {
    let cache = CacheStatus::Miss;
    let thinking = parts.options.get().show_reasoning.then(Thinking::default);
    let mut work = GroupAnswer {
        parts,
        answers,
        answer: ask.answer.clone(),
        held_at: ask.asked_at,
        ask,
        admitted,
        text: String::new(),
        chars: 0,
        saved: 0,
        save_at: Instant::now(),
        epoch: None,
        start: None,
        prompt_tokens: 0,
        cache,
        recorder: None,
        thinking,
    };
    let conversation = match work.ask.begun.take() {
        Some(page) => Some(Some(page)),
        None => work.begin().await,
    };
    if let Some(conversation) = conversation {
        let outcome = work.follow(conversation, &stopping, closing).await;
        // Who has seen the end must not be told that they stopped it.
        drop(stopping);
        work.end(outcome).await;
    }
    drop(ended);
}

impl GroupAnswer {
    async fn follow(
        &mut self,
        conversation: Option<Page>,
        stopping: &Stopping,
        mut closing: watch::Receiver<bool>,
    ) -> Outcome {
        let Some(Joined { mut follower, coalesced }) = self.join(conversation).await else {
            self.started().await;
            let error = BackendError::internal("the answers actor did not reply");
            return Outcome::Generated(End::Failed(error));
        };
        let mut watch = Watch::new(Duration::from_secs(self.parts.options.get().abandon_seconds));
        // Not at once: the lease is new, and the first piece is to go out when it comes.
        let mut tick = interval_at(Instant::now() + RENEW, RENEW);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.cache = loop {
            tokio::select! {
                origin = follower.origin() => break self.status(origin, coalesced),
                _ = tick.tick() => { self.renew().await; }
            }
        };
        self.started().await;
        loop {
            tokio::select! {
                biased;
                why = stopping.told() => return Outcome::Stopped(why),
                _ = closing.wait_for(|closing| *closing) => return Outcome::Generated(End::Failed(BackendError::drained())),
                _ = tick.tick() => {
                    if !self.renew().await {
                        return Outcome::Taken;
                    }
                    if watch.nobody_listens(self.is_heard().await) {
                        log::info!(
                            event = "answer_abandoned", answer:% = self.answer, group:% = self.ask.group;
                            "an answer is abandoned, nobody listens"
                        );
                        return Outcome::Stopped(Stopped::Cancelled);
                    }
                }
                () = sleep_until(self.save_at), if self.is_unsaved() => {
                    if !self.renew().await {
                        return Outcome::Taken;
                    }
                }
                next = follower.next() => {
                    if let Some(end) = self.take(next).await {
                        return Outcome::Generated(end);
                    }
                }
            }
        }
    }

    /// Whether some of what was written or thought is to be saved.
    fn is_unsaved(&self) -> bool {
        self.saved < self.text.len() || self.thinking.as_ref().is_some_and(Thinking::is_unsaved)
    }

    /// Whether somebody listens, at whichever node.
    async fn is_heard(&self) -> bool {
        let (parts, group) = (&self.parts, &self.ask.group);
        self.recorder.as_ref().is_some_and(Recorder::is_read)
            || parts.roster.listeners(group) > 0
            || parts.stores.presence.is_heard_elsewhere(group).await
    }

    fn model(&self) -> String {
        let asked = self.ask.with.as_ref().and_then(|with| with.model.as_ref());
        asked.cloned().unwrap_or_else(|| self.parts.options.get().model.clone())
    }

    fn status(&self, origin: GenerationOrigin, coalesced: bool) -> CacheStatus {
        // Who asks past the cache is never coalesced with others.
        origin.came_about(coalesced, self.ask.past_cache || !self.parts.cache.enabled)
    }

    async fn started(&mut self) {
        let start = AnswerStart { model: self.model(), cache: self.cache };
        self.start = Some(start.clone());
        let record = AnswerRecord { text: String::new(), ..self.record() };
        // Who is told of it finds it, and can read it, at any node.
        let (recorder, noted) = tokio::join!(self.begin_recording(), self.parts.stores.answers.start(&record));
        self.recorder = Some(recorder);
        if let Err(error) = noted {
            log::debug!(answer:% = self.answer, error:%; "the start of an answer was not noted");
            self.parts.metrics.store_failed("answer_start");
        }
        self.parts.metrics.cache_lookups.with_label_values(&[self.cache.as_str()]).inc();
        RequestId::span().set("sophie.cache", self.cache.as_str());
        let started = AnswerStarted {
            group: self.ask.group.clone(),
            answer: self.answer.clone(),
            message: self.ask.message.clone(),
            start: start.clone(),
        };
        self.parts.delivery.notifier.started(&self.ask.group, &self.answer, &self.ask.message, &start);
        _ = self.parts.delivery.registry.answer_started(started).await;
    }

    /// Passes on what came; returns the end.
    async fn take(&mut self, next: Next) -> Option<End> {
        let chunks = match next {
            Next::Chunks(chunks) => chunks,
            Next::End(end) => return Some(end.for_people()),
        };
        let chunks = self.think(chunks).await;
        if let Some(recorder) = &self.recorder {
            recorder.push(&chunks);
        }
        let text: String = chunks.iter().map(|chunk| chunk.text.as_str()).collect();
        if !text.is_empty() {
            if self.text.is_empty() {
                self.parts.metrics.first_chunk_seconds.observe(self.ask.asked_at.elapsed().as_secs_f64());
                RequestId::span().event("first_piece");
            }
            self.text.push_str(&text);
            let offset = self.chars;
            self.chars += text.chars().count();
            let (group, of) = (self.ask.group.clone(), AnswerText::of(&self.answer));
            _ = self.parts.delivery.registry.answer_grew(AnswerGrew { group, of, offset, text }).await;
        }
        None
    }
}
