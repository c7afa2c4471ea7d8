//! The rate limiter.
//!
//! Owns: the choice of limits that apply, and the way back from its degraded mode. Receives: requests to admit,
//! corrections, operators' looks. Sends: nothing. While the shared limits are away this node's own apply. Ends when:
//! never; its end ends the process.

use std::sync::Arc;

use actix::prelude::*;

use super::Quota;
use super::advance::Advances;
use super::buckets::{self, Subject};
use super::fallback::Fallback;
use super::messages::{Admit, AdmitConnect, Permit, Raise, Refund, Refused, Settle, Spend};
use super::tightest::tightest;
use crate::actor::ExitGuard;
use crate::metrics::Metrics;
use crate::options::LimitOptions;
use crate::protocol::Refusal;
use crate::store::StoreResult;
use crate::store::limits::{Bucket, Correction, Kind, Limit, Limits, Verdict};

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
    options: LimitOptions,
    _exit: ExitGuard,
}

impl RateLimiter {
    /// `local` applies while `shared` is away.
    pub fn new(
        shared: Arc<dyn Limits>,
        local: Arc<dyn Limits>,
        options: LimitOptions,
        metrics: Metrics,
        exit: ExitGuard,
    ) -> Self {
        let fallback = Arc::new(Fallback::new(shared, local, metrics));
        Self { fallback, advances: Arc::default(), options, _exit: exit }
    }
}

impl Actor for RateLimiter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

/// All or nothing of these buckets.
async fn admit(fallback: &Fallback, taken: Vec<Bucket>) -> Result<Permit, Refused> {
    if taken.is_empty() {
        return Ok(Permit::default());
    }
    match fallback.admit(&taken).await {
        (Verdict::Admitted { left }, local) => {
            let left = tightest(&taken, &left);
            Ok(Permit { taken, local, left })
        }
        (Verdict::Refused { bucket, retry_after_ms, left }, _) => {
            let limit = taken.get(bucket).unwrap_or(&taken[0]).limit;
            fallback.metrics.refused.with_label_values(&[limit.label()]).inc();
            Err(Refused::by(limit, retry_after_ms, tightest(&taken, &left)))
        }
    }
}

impl Handler<Admit> for RateLimiter {
    type Result = ResponseFuture<Result<Permit, Refused>>;

    fn handle(&mut self, request: Admit, _: &mut Context<Self>) -> Self::Result {
        let (fallback, taken) = (self.fallback.clone(), buckets::of_request(&self.options, &request));
        Box::pin(async move { admit(&fallback, taken).await })
    }
}

impl Handler<AdmitConnect> for RateLimiter {
    type Result = ResponseFuture<Result<(), Refusal>>;

    fn handle(&mut self, connect: AdmitConnect, _: &mut Context<Self>) -> Self::Result {
        let (fallback, taken) = (self.fallback.clone(), buckets::of_connect(&self.options, connect));
        Box::pin(async move { Ok(admit(&fallback, taken.into_iter().collect()).await.map(|_| ())?) })
    }
}

impl Handler<Raise> for RateLimiter {
    type Result = ResponseFuture<Result<Permit, Box<(Permit, Refused)>>>;

    fn handle(&mut self, Raise { mut permit, prompt_tokens }: Raise, _: &mut Context<Self>) -> Self::Result {
        let fallback = self.fallback.clone();
        Box::pin(async move {
            match admit(&fallback, buckets::raised(&permit.taken, prompt_tokens)).await {
                Ok(more) => {
                    for added in more.taken {
                        let known = permit.taken.iter_mut().filter(|bucket| bucket.key == added.key);
                        known.for_each(|bucket| bucket.cost += added.cost);
                    }
                    permit.left.tokens = more.left.tokens.or(permit.left.tokens);
                    Ok(permit)
                }
                Err(mut refused) => {
                    refused.left.requests = permit.left.requests;
                    Err(Box::new((permit, refused)))
                }
            }
        })
    }
}

impl Handler<Spend> for RateLimiter {
    type Result = ResponseFuture<Result<(), Refused>>;

    fn handle(&mut self, Spend { user, on, units }: Spend, _: &mut Context<Self>) -> Self::Result {
        let bucket = buckets::of_spending(&self.options, &user, on);
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
                if let (Verdict::Admitted { .. }, _) = fallback.admit(&more).await {
                    advances.give(&bucket, in_advance - missing);
                    return Ok(());
                }
            }
            let exactly = vec![Bucket { cost: missing, ..bucket.clone() }];
            admit(&fallback, exactly).await.map(|_| ()).inspect_err(|_| advances.give(&bucket, units - missing))
        })
    }
}

impl Handler<Settle> for RateLimiter {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Settle { permit, tokens }: Settle, _: &mut Context<Self>) -> Self::Result {
        let fallback = self.fallback.clone();
        Box::pin(async move {
            let reserved = permit.taken.iter().filter(|bucket| bucket.limit.kind() == Kind::Tokens);
            let corrections: Vec<_> = reserved
                .map(|bucket| Correction { bucket, units: signed(tokens).saturating_sub(signed(bucket.cost)) })
                .filter(|correction| correction.units != 0)
                .collect();
            fallback.settle(permit.local, &corrections).await;
        })
    }
}

impl Handler<Refund> for RateLimiter {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Refund(permit): Refund, _: &mut Context<Self>) -> Self::Result {
        let fallback = self.fallback.clone();
        Box::pin(async move {
            let back = |bucket| Correction { bucket, units: -signed(bucket.cost) };
            let corrections: Vec<_> = permit.taken.iter().map(back).collect();
            fallback.settle(permit.local, &corrections).await;
        })
    }
}

fn signed(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

impl Handler<Look> for RateLimiter {
    type Result = ResponseFuture<StoreResult<Vec<(Limit, Quota)>>>;

    fn handle(&mut self, Look(subject): Look, _: &mut Context<Self>) -> Self::Result {
        let (fallback, buckets) = (self.fallback.clone(), buckets::of_subject(&self.options, &subject));
        Box::pin(async move {
            let quotas = fallback.look(&buckets).await?;
            Ok(buckets.iter().map(|bucket| bucket.limit).zip(quotas).collect())
        })
    }
}

impl Handler<Restore> for RateLimiter {
    type Result = ResponseFuture<StoreResult<()>>;

    fn handle(&mut self, Restore(subject): Restore, _: &mut Context<Self>) -> Self::Result {
        let (fallback, buckets) = (self.fallback.clone(), buckets::of_subject(&self.options, &subject));
        Box::pin(async move { fallback.fill(&buckets).await })
    }
}
