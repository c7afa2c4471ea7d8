//! What a caller pays: reserved before, settled once, whatever becomes of the answer and of the caller.

use actix_web::web::Data;
use sophie_actors::admission::{Admit, Admitted, Remaining, SlotOf};
use sophie_actors::answers::{AdmitAndJoin, AnswerLine, End, Join, Joined, Next};
use sophie_actors::ids::RequestId;
use sophie_actors::openai::estimate_tokens;
use sophie_actors::protocol::{CacheStatus, Usage};
use tokio::time::Instant;

use super::{GatewayError, State};

/// One caller's bill. It is settled when it is dropped.
pub struct Bill {
    state: Data<State>,
    /// What was reserved, with one of the answers at once of the whole service.
    admitted: Option<Admitted>,
    left: Remaining,
    prompt_tokens: u64,
    asked_at: Instant,
    status: Option<CacheStatus>,
    /// Tokens of the text so far, for a backend that does not count, or has not yet.
    written: u64,
    usage: Option<Usage>,
    /// The answer failed before anything came.
    void: bool,
    /// Who asks, and for which request, for the log.
    asker: String,
    request: Option<RequestId>,
    /// How it ended, as far as that was read.
    ended: Option<End>,
}

impl Bill {
    fn new(state: Data<State>, admitted: Admitted, prompt_tokens: u64) -> Self {
        Self {
            left: admitted.left().clone(),
            admitted: Some(admitted),
            prompt_tokens,
            asked_at: Instant::now(),
            status: None,
            written: 0,
            usage: None,
            void: false,
            asker: String::new(),
            request: RequestId::current(),
            ended: None,
            state,
        }
    }

    /// Reserves what the caller may come to use, and joins the answer.
    ///
    /// # Errors
    /// A limit is used up, or the service has as many answers under way as it may.
    pub async fn open(state: Data<State>, request: AdmitAndJoin) -> Result<(Self, Joined), GatewayError> {
        let (asked_at, prompt_tokens) = (Instant::now(), request.admit.prompt_tokens.unwrap_or(0));
        let asker = request.join.asker.user.clone();
        let (admitted, joined) =
            state.node.answers.admit_and_join(request).await.map_err(GatewayError::not_admitted)?;
        let mut bill = Self::new(state, admitted, prompt_tokens);
        (bill.asked_at, bill.asker) = (asked_at, asker);
        Ok((bill, joined))
    }

    /// Admits a caller whose body has not been read yet. The request is paid for whatever becomes of it.
    ///
    /// # Errors
    /// A limit is used up.
    pub async fn begin_long(state: Data<State>, admit: Admit) -> Result<Self, GatewayError> {
        let mut admitted = state.node.limiter.admit(admit).await.map_err(GatewayError::not_admitted)?;
        admitted.stand();
        Ok(Self::new(state, admitted, 0))
    }

    /// Reserves what a body of so many tokens may come to use.
    ///
    /// # Errors
    /// A limit of tokens is used up, or the service has as many answers under way as it may.
    pub async fn raise(mut self, prompt_tokens: u64) -> Result<Self, GatewayError> {
        let admitted = self.admitted.take().unwrap_or_default();
        let raised = admitted.raise(prompt_tokens, SlotOf::Service).await.map_err(GatewayError::not_admitted)?;
        self.left = raised.left().clone();
        self.admitted = Some(raised);
        Ok(self)
    }

    /// Joins the answer.
    ///
    /// # Errors
    /// The answers actor did not reply.
    pub async fn join(mut self, join: Join) -> Result<(Self, Joined), GatewayError> {
        (self.prompt_tokens, self.asked_at) = (join.prompt_tokens, Instant::now());
        self.asker.clone_from(&join.asker.user);
        let joined = self.state.node.answers.join(join).await.map_err(|_| GatewayError::internal())?;
        Ok((self, joined))
    }

    /// What is left of the limits.
    pub fn left(&self) -> &Remaining {
        &self.left
    }

    /// It is known how the answer comes about. Only who had the backend asked pays tokens.
    pub fn begin(&mut self, status: CacheStatus) {
        self.status = Some(status);
        self.state.node.metrics.cache_lookups.with_label_values(&[status.as_str()]).inc();
        if let Some(request) = &self.request {
            request.stands_in().set("sophie.cache", status.as_str());
        }
    }

    /// Counts what came.
    pub fn note(&mut self, next: &Next) {
        match next {
            Next::Chunks(chunks) => {
                if self.written == 0 && self.usage.is_none() {
                    self.state.node.metrics.first_chunk_seconds.observe(self.asked_at.elapsed().as_secs_f64());
                }
                // Each piece of a stream is a token or more, also one whose text is not that of choice 0.
                self.written += chunks.iter().map(|chunk| estimate_tokens(&chunk.text).max(1)).sum::<u64>();
                self.usage = chunks.iter().rev().find_map(|chunk| chunk.usage).or(self.usage);
            }
            Next::End(end) => {
                match end {
                    End::Complete { usage, .. } => self.usage = usage.or(self.usage),
                    End::Failed(_) => self.void = self.written == 0,
                }
                self.ended = Some(end.clone());
            }
        }
    }

    fn used(&self) -> Usage {
        let total_tokens = self.prompt_tokens + self.written;
        let estimate = Usage { prompt_tokens: self.prompt_tokens, completion_tokens: self.written, total_tokens };
        self.usage.unwrap_or(estimate)
    }

    /// Tells the log how it ended. Who goes before the end has stopped it for themselves.
    fn tell(&self) {
        let (asked_at, user) = (self.asked_at, self.asker.as_str());
        let line = AnswerLine { answer: None, group: None, session: None, user, cache: self.status, asked_at };
        RequestId::within_now(self.request.clone(), || match &self.ended {
            Some(End::Failed(error)) => {
                RequestId::span().fail(error.code.as_str());
                line.failed(error);
            }
            Some(End::Complete { finish_reason, .. }) => line.completed(finish_reason, self.used()),
            None => line.completed("cancelled", self.used()),
        });
    }
}

impl Drop for Bill {
    fn drop(&mut self) {
        // Where nothing was looked up for it, it did not take place: then what was admitted gives itself back.
        let (Some(admitted), Some(status)) = (self.admitted.take(), self.status) else { return };
        self.tell();
        let paid = status.asked_the_backend() && !self.void;
        admitted.settle(if paid { self.used().total_tokens } else { 0 });
    }
}
