//! The rate limiter.
//!
//! Owns: the choice of limits that apply, and the way back from its degraded mode. Receives: requests to admit,
//! corrections, operators' looks. Sends: nothing. While the shared limits are away this node's own apply. Ends when:
//! never; its end ends the process.

use std::sync::Arc;

use actix::prelude::*;

use super::advance::Advances;
use super::buckets::{self, Subject};
use super::fallback::Fallback;
use super::guard::{Admitted, Reserved};
use super::messages::{Admit, AdmitConnect, Correct, NotAdmitted, Raise, SlotOf, Spend};
use super::tightest::tightest;
use super::{LimiterHandle, Quota, Remaining, Slots};
use crate::actor::ExitGuard;
use crate::in_force::InForce;
use crate::metrics::Metrics;
use crate::options::LimitOptions;
use crate::store::StoreResult;
use crate::store::limits::{Bucket, Correction, Limit, Limits, Unit, Verdict};

/// Requests that may wait.
const MAILBOX: usize = 16_384;

/// What somebody has left, of each limit that applies to them.
#[derive(Message)]
#[rtype(result = "StoreResult<Vec<(Limit, Quota)>>")]
pub struct Look(pub Subject);

/// Gives somebody back whatever they have taken. An error: not on all nodes.
#[derive(Message)]
#[rtype(result = "StoreResult<()>")]
pub struct Restore(pub Subject);

/// The actor.
pub struct RateLimiter {
    fallback: Arc<Fallback>,
    advances: Arc<Advances>,
    options: InForce<LimitOptions>,
    _exit: ExitGuard,
}

impl RateLimiter {
    /// `local` applies while `shared` is away; `slots` are the answers at once. What was used of a limit stays used when `options` change.
    pub fn new(
        shared: Arc<dyn Limits>,
        local: Arc<dyn Limits>,
        slots: Slots,
        options: InForce<LimitOptions>,
        metrics: Metrics,
        exit: ExitGuard,
    ) -> Self {
        let fallback = Arc::new(Fallback::new(shared, local, slots, metrics));
        Self { fallback, advances: Arc::default(), options, _exit: exit }
    }
}

impl Actor for RateLimiter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

/// A slot and what these buckets are to give: all or nothing.
async fn admit(
    (fallback, limiter): (&Fallback, LimiterHandle),
    taken: Vec<Bucket>,
    slot: Option<SlotOf>,
) -> Result<Admitted, NotAdmitted> {
    let (slot, request) = slot.and_then(|of| fallback.slots.wanted(&of)).unzip();
    if taken.is_empty() && request.is_none() {
        return Ok(Admitted::new(limiter, None, slot, Remaining::default()));
    }
    match fallback.admit(request.as_ref(), &taken).await {
        (Verdict::Admitted { left }, local) => {
            let left = tightest(&taken, &left);
            let reserved = (!taken.is_empty()).then_some(Reserved { taken, local });
            Ok(Admitted::new(limiter, reserved, slot, left))
        }
        (Verdict::Refused { bucket, retry_after_ms, left }, _) => {
            let Bucket { key, limit, .. } = taken.get(bucket).unwrap_or(&taken[0]);
            let limit = *limit;
            fallback.metrics.refused.with_label_values(&[limit.label()]).inc();
            // Behind its last colon a key names the kind.
            fallback.metrics.edge.refused(key.rsplit_once(':').map_or(key, |(subject, _)| subject), limit.label());
            Err(NotAdmitted::by(limit, retry_after_ms, tightest(&taken, &left)))
        }
        (Verdict::Full { room }, _) => {
            let rooms = request.map(|request| request.rooms).unwrap_or_default();
            Err(NotAdmitted::full(&rooms[room]))
        }
    }
}

impl Handler<Admit> for RateLimiter {
    type Result = ResponseFuture<Result<Admitted, NotAdmitted>>;

    fn handle(&mut self, request: Admit, ctx: &mut Context<Self>) -> Self::Result {
        let (fallback, taken) = (self.fallback.clone(), buckets::of_request(&self.options.get(), &request));
        let limiter = LimiterHandle::of(ctx.address(), &self.options);
        // The reply is a guard: whoever no longer waits for it, or never hears it, leaves nothing behind.
        Box::pin(async move { admit((&fallback, limiter), taken, request.slot).await })
    }
}

impl Handler<AdmitConnect> for RateLimiter {
    type Result = ResponseFuture<Result<(), NotAdmitted>>;

    fn handle(&mut self, connect: AdmitConnect, ctx: &mut Context<Self>) -> Self::Result {
        let (fallback, taken) = (self.fallback.clone(), buckets::of_connect(&self.options.get(), connect));
        let limiter = LimiterHandle::of(ctx.address(), &self.options);
        Box::pin(async move { spend((&fallback, limiter), taken.into_iter().collect()).await })
    }
}

/// Takes what is never given back.
async fn spend(keeper: (&Fallback, LimiterHandle), taken: Vec<Bucket>) -> Result<(), NotAdmitted> {
    let mut admitted = admit(keeper, taken, None).await?;
    admitted.keep();
    Ok(())
}

impl Handler<Raise> for RateLimiter {
    type Result = ResponseFuture<Result<Admitted, NotAdmitted>>;

    fn handle(&mut self, Raise { taken, prompt_tokens, slot }: Raise, ctx: &mut Context<Self>) -> Self::Result {
        let (fallback, limiter) = (self.fallback.clone(), LimiterHandle::of(ctx.address(), &self.options));
        Box::pin(async move { admit((&fallback, limiter), buckets::raised(&taken, prompt_tokens), Some(slot)).await })
    }
}

impl Handler<Spend> for RateLimiter {
    type Result = ResponseFuture<Result<(), NotAdmitted>>;

    fn handle(&mut self, Spend { whose, on, units }: Spend, ctx: &mut Context<Self>) -> Self::Result {
        let limiter = LimiterHandle::of(ctx.address(), &self.options);
        let bucket = buckets::of_spending(&self.options.get(), &whose, on);
        let (fallback, advances) = (self.fallback.clone(), self.advances.clone());
        Box::pin(async move {
            let Some(bucket) = bucket else { return Ok(()) };
            let missing = match advances.take(&bucket, units) {
                0 => return Ok(()),
                missing => missing,
            };
            let in_advance = Advances::size(&bucket, missing);
            if in_advance > missing {
                let more = [Bucket { cost: in_advance, ..bucket.clone() }];
                if let (Verdict::Admitted { .. }, _) = fallback.admit(None, &more).await {
                    advances.give(&bucket, in_advance - missing);
                    return Ok(());
                }
            }
            let exactly = vec![Bucket { cost: missing, ..bucket.clone() }];
            spend((&fallback, limiter), exactly).await.inspect_err(|_| advances.give(&bucket, units - missing))
        })
    }
}

impl Handler<Correct> for RateLimiter {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Correct { taken, local, used }: Correct, _: &mut Context<Self>) -> Self::Result {
        let fallback = self.fallback.clone();
        Box::pin(async move {
            let units = |bucket: &Bucket| match used {
                Some(used) if bucket.limit.unit() == Unit::Tokens => signed(used).saturating_sub(signed(bucket.cost)),
                // The message took place: only its tokens were a guess.
                Some(_) => 0,
                None => -signed(bucket.cost),
            };
            let corrections = taken.iter().map(|bucket| Correction { bucket, units: units(bucket) });
            let corrections = corrections.filter(|correction| correction.units != 0);
            fallback.settle(local, &corrections.collect::<Vec<_>>()).await;
        })
    }
}

fn signed(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

impl Handler<Look> for RateLimiter {
    type Result = ResponseFuture<StoreResult<Vec<(Limit, Quota)>>>;

    fn handle(&mut self, Look(subject): Look, _: &mut Context<Self>) -> Self::Result {
        let (fallback, buckets) = (self.fallback.clone(), buckets::of_subject(&self.options.get(), &subject));
        Box::pin(async move {
            let quotas = fallback.look(&buckets).await?;
            Ok(buckets.iter().map(|bucket| bucket.limit).zip(quotas).collect())
        })
    }
}

impl Handler<Restore> for RateLimiter {
    type Result = ResponseFuture<StoreResult<()>>;

    fn handle(&mut self, Restore(subject): Restore, _: &mut Context<Self>) -> Self::Result {
        let (fallback, buckets) = (self.fallback.clone(), buckets::of_subject(&self.options.get(), &subject));
        Box::pin(async move { fallback.fill(&buckets).await })
    }
}
