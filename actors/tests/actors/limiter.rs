//! The rate limiter: what it takes, what it gives back, and what it does without the shared limits.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use sophie_actors::answers::estimate_tokens;
use sophie_actors::ids::UserId;
use sophie_actors::limiter::memory::MemoryLimits;
use sophie_actors::limiter::{Admit, AdmitConnect, Caller, Permit, RateLimiter, Refund, Settle};
use sophie_actors::metrics::Metrics;
use sophie_actors::options::LimitOptions;
use sophie_actors::protocol::{ErrorCode, Refusal};
use tokio::time::sleep;

use crate::faults::{self, Fault, Faults};
use crate::support::*;

struct Limited {
    limiter: Addr<RateLimiter>,
    faults: Faults,
    metrics: Metrics,
}

impl Limited {
    fn start(change: impl FnOnce(&mut LimitOptions)) -> Self {
        tokio::time::pause();
        let mut options = LimitOptions {
            enabled: true,
            user_messages_per_minute: 1,
            user_burst: 2,
            address_messages_per_minute: 1_000,
            user_tokens_per_hour: 1_000,
            answers_per_session: 4,
            connects_per_minute: 2,
        };
        change(&mut options);
        let (stores, faults) = faults::stores(memory_options());
        let metrics = Metrics::new();
        let local = Arc::new(MemoryLimits::new());
        let limiter = RateLimiter::new(stores.limits, local, options, metrics.clone(), unwatched()).start();
        Self { limiter, faults, metrics }
    }

    async fn admit(&self, user: &str, question: Option<&str>) -> Result<Permit, Refusal> {
        let admitted = self.limiter.send(admit(user, question)).await.expect("the limiter lives");
        admitted.map_err(Refusal::from)
    }
}

fn admit(user: &str, question: Option<&str>) -> Admit {
    let prompt_tokens = question.map(estimate_tokens);
    Admit { caller: Caller::User(UserId::from(user)), address: ADDRESS, group: None, prompt_tokens }
}

#[actix::test]
async fn a_burst_is_admitted_and_then_the_rate_and_each_user_by_itself() {
    let limited = Limited::start(|_| {});
    for _ in 0..2 {
        limited.admit("a", None).await.expect("within the burst");
    }
    let refusal = limited.admit("a", None).await.expect_err("over the burst");
    assert_eq!((refusal.code, refusal.retry_after_ms), (ErrorCode::RateLimited, Some(60_000)));
    limited.admit("b", None).await.expect("another user");
    sleep(Duration::from_secs(60)).await;
    limited.admit("a", None).await.expect("a minute later");
}

#[actix::test]
async fn what_is_refunded_can_be_taken_again() {
    let limited = Limited::start(|options| options.user_burst = 1);
    let permit = limited.admit("a", None).await.expect("the only one");
    limited.admit("a", None).await.expect_err("none is left");
    limited.limiter.send(Refund(permit)).await.expect("given back");
    limited.admit("a", None).await.expect("taken again");
}

#[actix::test]
async fn tokens_are_reserved_and_settled_to_what_was_used() {
    let limited = Limited::start(|options| options.user_burst = 100);
    // Each reserves 501: the question's one and 500 for the answer.
    let permit = limited.admit("a", Some("four")).await.expect("the first");
    limited.admit("a", Some("four")).await.expect_err("only 499 are left");
    limited.limiter.send(Settle { permit, tokens: 10 }).await.expect("settled");
    let permit = limited.admit("a", Some("four")).await.expect("990 are left");
    limited.limiter.send(Settle { permit, tokens: 2_000 }).await.expect("settled");
    let refusal = limited.admit("a", Some("four")).await.expect_err("a debt");
    assert_eq!(refusal.retry_after_ms, Some(120_000), "nobody is sent away for longer than that");
    limited.admit("a", None).await.expect("what needs no tokens is admitted");
}

#[actix::test]
async fn while_shared_limits_are_away_the_own_ones_apply_and_they_come_back() {
    let limited = Limited::start(|options| options.user_burst = 1);
    let degraded = limited.metrics.degraded.with_label_values(&["limits"]);
    limited.admit("a", None).await.expect("shared");
    limited.faults.set("admit", Fault::Away);
    let permit = limited.admit("a", None).await.expect("this node has not seen the user");
    assert_eq!(degraded.get(), 1);
    limited.admit("a", None).await.expect_err("limits apply all the same");
    limited.faults.lift("admit");
    limited.admit("a", None).await.expect_err("the shared bucket is empty");
    // What the own limits gave goes back to them and not to the shared ones.
    limited.limiter.send(Refund(permit)).await.expect("given back");
    assert!(limited.faults.calls("settle").is_empty());
    limited.faults.set("admit", Fault::Away);
    limited.admit("a", None).await.expect("given back to where it was taken");
    limited.faults.lift("admit");
    limited.admit("b", None).await.expect("shared");
    until("they count as well again", || degraded.get() == 0).await;
}

#[actix::test]
async fn a_question_that_hangs_at_the_shared_limits_holds_no_other_up() {
    let limited = Limited::start(|_| {});
    limited.faults.set("admit", Fault::Hang);
    let hanging = limited.limiter.send(admit("a", None));
    let hanging = actix::spawn(hanging);
    until("it is asked", || limited.faults.calls("admit").len() == 1).await;
    limited.faults.set("admit", Fault::Away);
    limited.admit("b", None).await.expect("admitted by the own limits");
    limited.faults.wake();
    assert!(hanging.await.expect("joined").expect("answered").is_ok());
}

#[actix::test]
async fn connects_have_a_limit_of_their_own_by_address() {
    let limited = Limited::start(|_| {});
    for _ in 0..2 {
        limited.limiter.send(AdmitConnect::From(ADDRESS)).await.expect("lives").expect("admitted");
    }
    limited.limiter.send(AdmitConnect::From(ADDRESS)).await.expect("lives").expect_err("too many");
    limited.admit("a", None).await.expect("messages are another matter");
}

#[actix::test]
async fn without_limits_nothing_is_asked() {
    let limited = Limited::start(|options| options.enabled = false);
    for _ in 0..50 {
        limited.admit("a", Some("question")).await.expect("admitted");
        limited.limiter.send(AdmitConnect::From(ADDRESS)).await.expect("lives").expect("admitted");
    }
    assert!(limited.faults.calls("admit").is_empty());
}
