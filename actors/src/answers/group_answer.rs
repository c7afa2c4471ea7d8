//! One group's answer: follows a generation, tells the group, and ends exactly once in the group's log.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until};

use super::ending::{self, Ending, Question};
use super::generation::{End, Next, Origin};
use super::heard::Watch;
use super::{AnswersHandle, Ask, EndedOnDrop, Join, Joined, Parts, Reuse, conversation, digest};
use crate::admission::Admitted;
use crate::backend::BackendError;
use crate::ids::{AnswerId, Epoch};
use crate::ledger::Asker;
use crate::openai::estimate_tokens;
use crate::protocol::{AnswerFailed, AnswerFinished, CacheStatus, ErrorCode, Logged, Usage};
use crate::registry::{AnswerGrew, AnswerOver, AnswerStarted};
use crate::store::{
    AnswerRecord, AnswerStart, ENDED_SECONDS, Ended, Page, PageSize, Renewed, StoredEvent, TakenUp, Wanted,
};

/// How much of the log is read for the conversation; the token budget cuts it further.
pub(crate) const CONVERSATION: PageSize = PageSize { events: 200, bytes: 1024 * 1024 };
/// A log that cannot be read is tried again after this, so often in all: a connection that was lost is there again by then, and
/// a store that is away does not hold the answer up for longer than a call and that.
const HISTORY_RETRY: Duration = Duration::from_millis(120);
const HISTORY_TRIES: u32 = 4;
/// Pieces that come within this time after others were saved are saved, and told to the other nodes, together.
const BATCH: Duration = Duration::from_millis(30);
/// How often the lease is renewed at least, and listeners are counted.
const RENEW: Duration = Duration::from_millis(300);
/// An end that could not be logged is tried again after this, doubling up to [`MAX_END_RETRY`].
const END_RETRY: Duration = Duration::from_millis(250);
const MAX_END_RETRY: Duration = Duration::from_secs(2);
/// Longer ago the end of an answer may have been forgotten by the store, which knows it for twice as long.
const FORGOTTEN: Duration = Duration::from_secs(ENDED_SECONDS / 2);

enum Outcome {
    Generated(End),
    Cancelled,
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
}

/// Runs an answer from the question to its logged end.
pub(super) async fn run(
    parts: Arc<Parts>,
    answers: AnswersHandle,
    (ask, admitted): (Ask, oneshot::Receiver<Admitted>),
    cancel: Arc<Notify>,
    closing: watch::Receiver<bool>,
    ended: EndedOnDrop,
) {
    let cache = CacheStatus::Miss;
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
    };
    let conversation = match work.ask.begun.take() {
        Some(page) => Some(Some(page)),
        None => work.begin().await,
    };
    if let Some(conversation) = conversation {
        let outcome = work.follow(conversation, &cancel, closing).await;
        // Who has seen the end must not be told that they cancelled it.
        drop(cancel);
        work.end(outcome).await;
    }
    drop(ended);
}

impl GroupAnswer {
    fn record(&self) -> AnswerRecord {
        AnswerRecord {
            answer: self.answer.clone(),
            group: self.ask.group.clone(),
            message: self.ask.message.clone(),
            node: self.parts.roster.node(),
            text: self.text.clone(),
            start: self.start.clone(),
        }
    }

    /// Notes the answer in the store, and reads the conversation before the question if that comes along. `None`: the message has
    /// been answered before.
    async fn begin(&mut self) -> Option<Option<Page>> {
        if self.held_at.elapsed() > FORGOTTEN {
            // Somebody else may have ended it, and that may be forgotten.
            return self.restore().await.then_some(None);
        }
        let wanted = Wanted { before: self.ask.seq, size: CONVERSATION, even_if_off: true };
        match self.parts.stores.answers.take_up(&self.record(), self.ask.once.as_ref(), Some(&wanted)).await {
            Ok(TakenUp::Begun(page)) => Some(Some(page)),
            Ok(TakenUp::Before | TakenUp::Off) => None,
            Err(error) => {
                // Nobody else can answer it either; it is noted when the store is back.
                log::debug!("answer not noted answer={} error={error}", self.answer);
                self.parts.metrics.store_failed("answer_begin");
                Some(None)
            }
        }
    }

    /// The log before the question. One late call is no reason to answer without it.
    async fn history(&mut self, conversation: Option<Page>) -> Vec<StoredEvent> {
        if let Some(page) = conversation {
            self.epoch = page.epoch;
            return page.events;
        }
        for tried in 1..=HISTORY_TRIES {
            match self.parts.stores.logs.read_before(&self.ask.group, Some(self.ask.seq), CONVERSATION).await {
                Ok(page) => {
                    self.epoch = page.epoch;
                    return page.events;
                }
                Err(error) => log::debug!("history not read group={} error={error}", self.ask.group),
            }
            if tried < HISTORY_TRIES {
                sleep(HISTORY_RETRY).await;
            }
        }
        log::warn!("answering without history, the store is away group={}", self.ask.group);
        Vec::new()
    }

    async fn join(&mut self, conversation: Option<Page>) -> Option<Joined> {
        let log = self.history(conversation).await;
        let options = &self.parts.options;
        let conversation = conversation::build(options, &log, &self.ask.question, self.ask.context.as_deref());
        self.prompt_tokens = conversation.prompt_tokens;
        let setting = self.parts.cache.scope;
        let scope = conversation::scope(setting, conversation.has_history, &self.ask.group, &self.ask.user);
        let digest = digest::digest(&scope, &conversation.request.body);
        let reuse = if self.ask.past_cache { Reuse::FRESH } else { Reuse::FREE };
        let asker = Asker { user: self.ask.user.to_string(), group: Some(self.ask.group.clone()) };
        let prompt_tokens = conversation.prompt_tokens;
        let join = Join { digest, request: conversation.request, reuse, asker, prompt_tokens };
        self.answers.join(join).await.ok()
    }

    async fn follow(
        &mut self,
        conversation: Option<Page>,
        cancel: &Notify,
        mut closing: watch::Receiver<bool>,
    ) -> Outcome {
        let Some(Joined { mut follower, coalesced }) = self.join(conversation).await else {
            self.started().await;
            let reason = "something went wrong on the server; try again";
            let error = BackendError::new(ErrorCode::Internal, reason, "the answers actor did not reply");
            return Outcome::Generated(End::Failed(error));
        };
        let mut watch = Watch::new(Duration::from_secs(self.parts.options.abandon_seconds));
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
                () = cancel.notified() => return Outcome::Cancelled,
                _ = closing.wait_for(|closing| *closing) => return Outcome::Generated(End::Failed(interrupted())),
                _ = tick.tick() => {
                    if !self.renew().await {
                        return Outcome::Taken;
                    }
                    if watch.nobody_listens(self.is_heard().await) {
                        log::info!("answer abandoned, nobody listens answer={} group={}", self.answer, self.ask.group);
                        return Outcome::Cancelled;
                    }
                }
                () = sleep_until(self.save_at), if self.saved < self.text.len() => {
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

    /// Whether somebody listens, at whichever node.
    async fn is_heard(&self) -> bool {
        let (parts, group) = (&self.parts, &self.ask.group);
        parts.roster.listeners(group) > 0 || parts.stores.presence.is_heard_elsewhere(group).await
    }

    fn status(&self, origin: Origin, coalesced: bool) -> CacheStatus {
        // Who asks past the cache is never coalesced with others.
        origin.came_about(coalesced, self.ask.past_cache || !self.parts.cache.enabled)
    }

    async fn started(&mut self) {
        self.parts.metrics.cache_lookups.with_label_values(&[self.cache.as_str()]).inc();
        let start = AnswerStart { model: self.parts.options.model.clone(), cache: self.cache };
        let started = AnswerStarted {
            group: self.ask.group.clone(),
            answer: self.answer.clone(),
            message: self.ask.message.clone(),
            start: start.clone(),
        };
        self.parts.delivery.notifier.started(&self.ask.group, &self.answer, &self.ask.message, &start);
        _ = self.parts.delivery.registry.answer_started(started).await;
        self.start = Some(start);
        let record = AnswerRecord { text: String::new(), ..self.record() };
        if let Err(error) = self.parts.stores.answers.start(&record).await {
            log::debug!("start not noted answer={} error={error}", self.answer);
            self.parts.metrics.store_failed("answer_start");
        }
    }

    /// Passes on what came; returns the end.
    async fn take(&mut self, next: Next) -> Option<End> {
        let chunks = match next {
            Next::Chunks(chunks) => chunks,
            Next::End(end) => return Some(end.for_people()),
        };
        let text: String = chunks.iter().map(|chunk| chunk.text.as_str()).collect();
        if !text.is_empty() {
            if self.text.is_empty() {
                self.parts.metrics.first_chunk_seconds.observe(self.ask.asked_at.elapsed().as_secs_f64());
            }
            self.text.push_str(&text);
            let offset = self.chars;
            self.chars += text.chars().count();
            let (group, answer) = (self.ask.group.clone(), self.answer.clone());
            _ = self.parts.delivery.registry.answer_grew(AnswerGrew { group, answer, offset, text }).await;
        }
        None
    }

    /// Renews the lease. `false`: somebody else has ended the answer.
    async fn renew(&mut self) -> bool {
        self.save_at = Instant::now() + BATCH;
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
    async fn restore(&mut self) -> bool {
        let parts = self.parts.clone();
        let question = Question {
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
                log::warn!("answer given up, its end was logged and is gone answer={}", self.answer);
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
            }
            Err(_) => return true,
        }
        if record.start.is_some()
            && let Err(error) = parts.stores.answers.start(&record).await
        {
            log::debug!("start not noted answer={} error={error}", self.answer);
        }
        true
    }

    async fn end(mut self, outcome: Outcome) {
        if self.saved < self.text.len() {
            // The other nodes show all of it before its end.
            self.renew().await;
        }
        if self.parts.log_content {
            log::info!("answered group={} question={:?} answer={:?}", self.ask.group, self.ask.question, self.text);
        }
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
                finish_reason,
                usage: Some(usage),
                latency_ms: u64::try_from(latency.as_millis()).unwrap_or(u64::MAX),
            };
            Logged::AnswerEnd { group: self.ask.group.clone(), end }
        };
        let (label, logged, usage) = match outcome {
            Outcome::Generated(End::Complete { finish_reason, usage }) => {
                let usage = usage.unwrap_or(estimate);
                ("complete", finished(finish_reason, usage), usage)
            }
            Outcome::Cancelled | Outcome::Taken => ("cancelled", finished("cancelled".into(), estimate), estimate),
            Outcome::Generated(End::Failed(error)) => {
                let failure = AnswerFailed {
                    answer: self.answer.clone(),
                    message: self.ask.message.clone(),
                    text: self.text.clone(),
                    code: error.code,
                    reason: error.reason,
                    retry_after_ms: error.retry_after_ms,
                };
                ("failed", Logged::AnswerError { group: self.ask.group.clone(), failure }, estimate)
            }
        };
        // Who has seen the end may ask the next question.
        let mut admitted = (&mut self.admitted).await.unwrap_or_default();
        admitted.free_slot().await;
        self.log_end(logged).await;
        self.parts.metrics.answers.with_label_values(&[label]).inc();
        self.parts.metrics.answer_seconds.observe(latency.as_secs_f64());
        // Only who asked the backend pays; a failure that brought no text costs nothing.
        let paid = matches!(self.cache, CacheStatus::Miss | CacheStatus::Bypass)
            && (label != "failed" || !self.text.is_empty());
        admitted.settle(if paid { usage.total_tokens } else { 0 });
    }

    /// Puts the end into the log, however long that takes: an answer that was started always ends.
    async fn log_end(&mut self, logged: Logged) {
        let body = logged.encode();
        let group = self.ask.group.clone();
        let mut pause = END_RETRY;
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
                    log::debug!("end not logged yet answer={} error={error}", self.answer);
                    self.parts.metrics.store_failed("answer_end");
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(MAX_END_RETRY);
        }
    }

    /// Its end is in the log at this place.
    async fn over(&self, seq: u64) {
        let over = AnswerOver { group: self.ask.group.clone(), answer: self.answer.clone(), seq };
        _ = self.parts.delivery.registry.answer_over(over).await;
    }
}

/// The node goes before the answer is through.
fn interrupted() -> BackendError {
    let reason = "the server was stopped before the answer was through; what was written is kept, try again";
    BackendError::new(ErrorCode::Interrupted, reason, "the drain time was over")
}
