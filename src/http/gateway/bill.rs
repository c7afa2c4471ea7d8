//! What a caller pays: reserved before, settled once, whatever becomes of the answer and of the caller.

use actix_web::web::Data;
use sophie_actors::admission::{Admit, Left, Permit};
use sophie_actors::answers::{AdmitAndJoin, Admitted, End, Join, Joined, Next, NotAdmitted, Slot};
use sophie_actors::openai::estimate_tokens;
use sophie_actors::protocol::{CacheStatus, Usage};
use tokio::time::Instant;

use super::{Refused, State};

/// One caller's bill. It is settled when it is dropped.
pub struct Bill {
    state: Data<State>,
    permit: Option<Permit>,
    /// One of the answers at once of the whole service, free again with the bill.
    slot: Option<Slot>,
    left: Left,
    prompt_tokens: u64,
    asked_at: Instant,
    status: Option<CacheStatus>,
    /// Tokens of the text so far, for a backend that does not count, or has not yet.
    written: u64,
    usage: Option<Usage>,
    /// The answer failed before anything came.
    void: bool,
    /// A request is paid for whatever becomes of it: it was admitted before its long body was read.
    stands: bool,
}

/// Does it in a task of its own: a client that goes in between must not leave behind what was reserved for it.
async fn apart<T: 'static>(work: impl Future<Output = Result<T, Refused>> + 'static) -> Result<T, Refused> {
    actix::spawn(work).await.unwrap_or_else(|_| Err(Refused::internal()))
}

impl Bill {
    fn new(state: Data<State>, permit: Permit, prompt_tokens: u64) -> Self {
        Self {
            left: permit.left().clone(),
            permit: Some(permit),
            slot: None,
            prompt_tokens,
            asked_at: Instant::now(),
            status: None,
            written: 0,
            usage: None,
            void: false,
            stands: false,
            state,
        }
    }

    /// Reserves what the caller may come to use, and joins the answer.
    ///
    /// # Errors
    /// A limit is used up, or the service has as many answers under way as it may.
    pub async fn open(state: Data<State>, request: AdmitAndJoin) -> Result<(Self, Joined), Refused> {
        apart(async move {
            let node = &state.node;
            let slot = node.slots.take(None).await.map_err(Refused::busy)?;
            let (asked_at, prompt_tokens) = (Instant::now(), request.admit.prompt_tokens.unwrap_or(0));
            let admitted = node.answers.admit_and_join(request).await;
            let Admitted { permit, joined } = admitted.map_err(|not| match not {
                NotAdmitted::Refused(refused) => Refused::over_limit(*refused),
                NotAdmitted::Failed => Refused::internal(),
            })?;
            let mut bill = Self::new(state.clone(), permit, prompt_tokens);
            (bill.slot, bill.asked_at) = (Some(slot), asked_at);
            Ok((bill, joined))
        })
        .await
    }

    /// Admits a caller whose body has not been read yet.
    ///
    /// # Errors
    /// A limit is used up.
    pub async fn begin_long(state: Data<State>, admit: Admit) -> Result<Self, Refused> {
        apart(async move {
            let admitted = state.node.limiter.admit(admit).await;
            let permit = admitted.map_err(|_| Refused::internal())?.map_err(Refused::over_limit)?;
            let mut bill = Self::new(state.clone(), permit, 0);
            bill.stands = true;
            Ok(bill)
        })
        .await
    }

    /// Reserves what a body of so many tokens may come to use.
    ///
    /// # Errors
    /// A limit of tokens is used up.
    pub async fn raise(mut self, prompt_tokens: u64) -> Result<Self, Refused> {
        apart(async move {
            let permit = self.permit.take().unwrap_or_default();
            let raised = self.state.node.limiter.raise(permit, prompt_tokens).await;
            let (permit, refused) = match raised.map_err(|_| Refused::internal())? {
                Ok(permit) => (permit, None),
                Err(refused) => (refused.0, Some(refused.1)),
            };
            self.left = permit.left().clone();
            self.permit = Some(permit);
            match refused {
                Some(refused) => Err(Refused::over_limit(refused)),
                None => Ok(self),
            }
        })
        .await
    }

    /// Joins the answer.
    ///
    /// # Errors
    /// The service has as many answers under way as it may.
    pub async fn join(mut self, join: Join) -> Result<(Self, Joined), Refused> {
        apart(async move {
            self.slot = Some(self.state.node.slots.take(None).await.map_err(Refused::busy)?);
            (self.prompt_tokens, self.asked_at) = (join.prompt_tokens, Instant::now());
            let joined = self.state.node.answers.join(join).await;
            Ok((self, joined.map_err(|_| Refused::internal())?))
        })
        .await
    }

    /// What is left of the limits.
    pub fn left(&self) -> &Left {
        &self.left
    }

    /// It is known how the answer comes about. Only who had the backend asked pays tokens.
    pub fn begin(&mut self, status: CacheStatus) {
        self.status = Some(status);
        self.state.node.metrics.cache_lookups.with_label_values(&[status.as_str()]).inc();
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
            Next::End(End::Complete { usage, .. }) => self.usage = usage.or(self.usage),
            Next::End(End::Failed(_)) => self.void = self.written == 0,
        }
    }

    fn used(&self) -> u64 {
        self.usage.map_or(self.prompt_tokens + self.written, |usage| usage.total_tokens)
    }
}

impl Drop for Bill {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else { return };
        // This may be the connection's last moment.
        let limiter = &self.state.node.limiter;
        let Some(status) = self.status else {
            // Nothing was looked up for it: it did not take place.
            return if self.stands { limiter.settle_soon(permit, 0) } else { limiter.refund_soon(permit) };
        };
        let paid = matches!(status, CacheStatus::Miss | CacheStatus::Bypass) && !self.void;
        let used = if self.void { 0 } else { self.used() };
        limiter.settle_soon(permit, if paid { used } else { 0 });
    }
}
