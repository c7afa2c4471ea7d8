//! The rate limiter.
//!
//! Owns: the choice of limits that apply, and the way back from its degraded mode. Receives: requests to admit,
//! corrections. Sends: nothing. While the shared limits are away this node's own apply. Ends when: never; its end ends
//! the process.

use std::net::IpAddr;
use std::sync::Arc;

use actix::prelude::*;
use tokio::time::Instant;

use super::quota::Left;
use super::{Bucket, Limits, Verdict};
use crate::exit::ExitGuard;
use crate::ids::{GroupName, UserId};
use crate::metrics::Metrics;
use crate::options::LimitOptions;
use crate::protocol::{ErrorCode, Refusal};

/// Requests that may wait.
const MAILBOX: usize = 16_384;
/// Tokens that are reserved for an answer of unknown length, in addition to the question.
const RESERVED_FOR_ANSWER: u64 = 500;
/// No client is told to stay away for longer, in milliseconds (the protocol's 120 s).
const MAX_RETRY_AFTER_MS: u64 = 120_000;

const MINUTE_US: u64 = 60_000_000;
const HOUR_US: u64 = 60 * MINUTE_US;

/// Whom a request counts against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A user in a chat session.
    User(UserId),
    /// An application, by its API key.
    Application(Application),
}

/// An application as the limits know it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Application {
    /// The key's name.
    pub name: String,
    /// Requests a minute; none: those of a user.
    pub requests_per_minute: Option<u64>,
    /// Tokens an hour; none: those of a user.
    pub tokens_per_hour: Option<u64>,
}

/// Asks to admit a message or a request.
#[derive(Message)]
#[rtype(result = "Result<Permit, Refused>")]
pub struct Admit {
    /// Who asks.
    pub caller: Caller,
    /// From where.
    pub address: IpAddr,
    /// For which group, if it is for one.
    pub group: Option<GroupName>,
    /// About how many tokens the AI is asked with, if it is asked; without it no tokens are reserved.
    pub prompt_tokens: Option<u64>,
}

/// A refusal, with what is left of the limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// For the client.
    pub refusal: Refusal,
    /// What is left.
    pub left: Left,
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        refused.refusal
    }
}

/// Asks to admit a connection.
#[derive(Message)]
#[rtype(result = "Result<(), Refusal>")]
pub enum AdmitConnect {
    /// From there, whoever it is.
    From(IpAddr),
    /// Of this user, from wherever.
    Of(UserId),
}

/// What was taken, to be settled or given back.
#[derive(Debug, Clone, Default)]
pub struct Permit {
    taken: Vec<Bucket>,
    /// Where among them tokens are reserved.
    tokens: Option<usize>,
    /// Whether this node's own limits gave it.
    local: bool,
    left: Left,
}

impl Permit {
    /// What is left of the limits after it.
    pub fn left(&self) -> &Left {
        &self.left
    }
}

/// Corrects the reservation to what was used.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Settle {
    /// What was admitted.
    pub permit: Permit,
    /// Tokens that were really used.
    pub tokens: u64,
}

/// Gives everything back: what was admitted did not take place.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Refund(pub Permit);

/// The limits, wherever they are kept.
struct Keeper {
    shared: Arc<dyn Limits>,
    local: Arc<dyn Limits>,
    metrics: Metrics,
}

/// The actor.
pub struct RateLimiter {
    keeper: Arc<Keeper>,
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
        let keeper = Arc::new(Keeper { shared, local, metrics });
        Self { keeper, options, _exit: exit }
    }

    fn buckets(&self, admit: &Admit) -> (Vec<Bucket>, Option<usize>) {
        let options = &self.options;
        if !options.enabled {
            return (Vec::new(), None);
        }
        let (who, per_minute, burst, tokens_per_hour) = match &admit.caller {
            Caller::User(user) => (
                format!("user:{user}"),
                options.user_messages_per_minute,
                options.user_burst,
                options.user_tokens_per_hour,
            ),
            Caller::Application(application) => {
                let per_minute = application.requests_per_minute;
                (
                    format!("key:{}", application.name),
                    per_minute.unwrap_or(options.user_messages_per_minute),
                    per_minute.unwrap_or(options.user_burst),
                    application.tokens_per_hour.unwrap_or(options.user_tokens_per_hour),
                )
            }
        };
        let mut buckets = vec![
            Bucket {
                key: format!("{who}:messages"),
                name: "messages a minute of a user",
                interval_us: MINUTE_US / per_minute.max(1),
                burst,
                cost: 1,
            },
            Bucket {
                key: format!("address:{}:messages", admit.address),
                name: "messages a minute of an address",
                interval_us: MINUTE_US / options.address_messages_per_minute.max(1),
                burst: options.address_messages_per_minute,
                cost: 1,
            },
        ];
        let tokens = admit.prompt_tokens.map(|prompt| {
            buckets.push(Bucket {
                key: format!("{who}:tokens"),
                name: "tokens an hour of a user",
                interval_us: (HOUR_US / tokens_per_hour.max(1)).max(1),
                burst: tokens_per_hour,
                cost: prompt.saturating_add(RESERVED_FOR_ANSWER).min(tokens_per_hour),
            });
            buckets.len() - 1
        });
        (buckets, tokens)
    }
}

impl Keeper {
    /// The shared limits' word, or this node's own while they are away.
    async fn admit(&self, buckets: &[Bucket]) -> (Verdict, bool) {
        let started = Instant::now();
        match self.shared.admit(buckets).await {
            Ok(verdict) => {
                self.metrics.dependencies.limits.worked();
                return (verdict, false);
            }
            Err(error) => self.metrics.dependencies.limits.failed(started, &error.to_string()),
        }
        let verdict = self.local.admit(buckets).await;
        // The memory twin does not fail; if it did, service goes before limits.
        (verdict.unwrap_or(Verdict::Admitted { remaining: Vec::new() }), true)
    }

    async fn correct(&self, local: bool, bucket: &Bucket, units: i64) {
        let limits = if local { &self.local } else { &self.shared };
        if let Err(error) = limits.settle(bucket, units).await {
            log::debug!("rate limit not settled limit={:?} error={error}", bucket.name);
        }
    }
}

fn refusal(bucket: &Bucket, retry_after_ms: u64) -> Refusal {
    let retry_after_ms = retry_after_ms.min(MAX_RETRY_AFTER_MS);
    let seconds = retry_after_ms.div_ceil(1_000);
    Refusal {
        code: ErrorCode::RateLimited,
        message: format!("the limit of {} is used up; try again in {seconds} s", bucket.name),
        retry_after_ms: Some(retry_after_ms),
    }
}

impl Actor for RateLimiter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Admit> for RateLimiter {
    type Result = ResponseFuture<Result<Permit, Refused>>;

    fn handle(&mut self, admit: Admit, _: &mut Context<Self>) -> Self::Result {
        let keeper = self.keeper.clone();
        let (taken, tokens) = self.buckets(&admit);
        Box::pin(async move {
            if taken.is_empty() {
                return Ok(Permit::default());
            }
            match keeper.admit(&taken).await {
                (Verdict::Admitted { .. }, local) => Ok(Permit { taken, tokens, local, left: Left::default() }),
                (Verdict::Refused { bucket, retry_after_ms }, _) => {
                    let bucket = taken.get(bucket).unwrap_or(&taken[0]);
                    keeper.metrics.refused.with_label_values(&[bucket.name]).inc();
                    Err(Refused { refusal: refusal(bucket, retry_after_ms), left: Left::default() })
                }
            }
        })
    }
}

impl Handler<AdmitConnect> for RateLimiter {
    type Result = ResponseFuture<Result<(), Refusal>>;

    fn handle(&mut self, connect: AdmitConnect, _: &mut Context<Self>) -> Self::Result {
        let per_minute = self.options.connects_per_minute;
        if !self.options.enabled {
            return Box::pin(async { Ok(()) });
        }
        let (key, name) = match connect {
            AdmitConnect::From(address) => (format!("address:{address}:connects"), "connects a minute of an address"),
            AdmitConnect::Of(user) => (format!("user:{user}:connects"), "connects a minute of a user"),
        };
        let bucket = Bucket { key, name, interval_us: MINUTE_US / per_minute.max(1), burst: per_minute, cost: 1 };
        let keeper = self.keeper.clone();
        Box::pin(async move {
            match keeper.admit(std::slice::from_ref(&bucket)).await.0 {
                Verdict::Admitted { .. } => Ok(()),
                Verdict::Refused { retry_after_ms, .. } => {
                    keeper.metrics.refused.with_label_values(&[bucket.name]).inc();
                    Err(refusal(&bucket, retry_after_ms))
                }
            }
        })
    }
}

impl Handler<Settle> for RateLimiter {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Settle { permit, tokens }: Settle, _: &mut Context<Self>) -> Self::Result {
        let keeper = self.keeper.clone();
        Box::pin(async move {
            let Some(bucket) = permit.tokens.and_then(|index| permit.taken.get(index)) else { return };
            let used = i64::try_from(tokens).unwrap_or(i64::MAX);
            let difference = used.saturating_sub(i64::try_from(bucket.cost).unwrap_or(i64::MAX));
            if difference != 0 {
                keeper.correct(permit.local, bucket, difference).await;
            }
        })
    }
}

impl Handler<Refund> for RateLimiter {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Refund(permit): Refund, _: &mut Context<Self>) -> Self::Result {
        let keeper = self.keeper.clone();
        Box::pin(async move {
            for bucket in &permit.taken {
                keeper.correct(permit.local, bucket, -i64::try_from(bucket.cost).unwrap_or(i64::MAX)).await;
            }
        })
    }
}
