//! The rate limiter: what it takes, what it gives back, and what it does without the shared limits.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use sophie_actors::admission::{
    Admit, AdmitConnect, Admitted, Application, Caller, LimiterHandle, NotAdmitted, Quota, RateLimiter, Slots, Subject,
};
use sophie_actors::ids::UserId;
use sophie_actors::in_force::InForce;
use sophie_actors::metrics::Metrics;
use sophie_actors::openai::estimate_tokens;
use sophie_actors::options::LimitOptions;
use sophie_actors::protocol::{ErrorCode, Refusal};
use sophie_actors::store::memory::MemoryLimits;
use sophie_kit::faults::{self, Fault, Faults};
use sophie_kit::stores::memory_options;
use tokio::time::sleep;

use crate::support::*;

struct Limited {
    limiter: LimiterHandle,
    faults: Faults,
    metrics: Metrics,
}

impl Limited {
    fn start(change: impl FnOnce(&mut LimitOptions)) -> Self {
        tokio::time::pause();
        let mut options = LimitOptions {
            user_messages_per_minute: 1,
            user_burst: 2,
            user_tokens_per_hour: 1_000,
            address_messages_per_minute: 1_000,
            connects_per_minute: 2,
            ..Options::default().limits
        };
        change(&mut options);
        let options = InForce::new(options);
        let (stores, faults) = faults::stores(memory_options());
        let metrics = Metrics::new();
        let local = Arc::new(MemoryLimits::new());
        let slots = Slots::new(stores.slots.clone(), &options, metrics.clone());
        let limiter = RateLimiter::new(stores.limits, local, slots, options.clone(), metrics.clone(), unwatched());
        Self { limiter: LimiterHandle::of(limiter.start(), &options), faults, metrics }
    }

    /// Takes what is never given back.
    async fn take(&self, user: &str, question: Option<&str>) -> Result<(), Refusal> {
        self.admit(user, question).await.map(std::mem::forget)
    }

    async fn admit(&self, user: &str, question: Option<&str>) -> Result<Admitted, Refusal> {
        self.limiter.admit(admit(user, question)).await.map_err(Refusal::from)
    }

    async fn ask(&self, admit: Admit) -> Result<Admitted, NotAdmitted> {
        self.limiter.admit(admit).await
    }

    /// What a subject has left, by the limits' names.
    async fn left(&self, subject: Subject) -> Vec<(&'static str, u64)> {
        let left = self.limiter.look(subject).await.expect("the limiter lives").expect("seen");
        left.iter().map(|(limit, quota)| (limit.label(), quota.remaining)).collect()
    }
}

fn admit(user: &str, question: Option<&str>) -> Admit {
    let prompt_tokens = question.map(estimate_tokens);
    Admit { caller: Caller::Guest(UserId::from(user)), address: ADDRESS, group: None, prompt_tokens, slot: None }
}

#[actix::test]
async fn a_burst_is_admitted_and_then_the_rate_and_each_user_by_itself() {
    let limited = Limited::start(|_| {});
    for _ in 0..2 {
        limited.take("a", None).await.expect("within the burst");
    }
    let refusal = limited.admit("a", None).await.expect_err("over the burst");
    assert_eq!((refusal.code, refusal.retry_after_ms), (ErrorCode::RateLimited, Some(60_000)));
    limited.take("b", None).await.expect("another user");
    sleep(Duration::from_secs(60)).await;
    limited.take("a", None).await.expect("a minute later");
}

#[actix::test]
async fn what_is_refunded_can_be_taken_again() {
    let limited = Limited::start(|options| options.user_burst = 1);
    let admitted = limited.admit("a", None).await.expect("the only one");
    limited.take("a", None).await.expect_err("none is left");
    drop(admitted);
    limited.take("a", None).await.expect("taken again");
}

#[actix::test]
async fn tokens_are_reserved_and_settled_to_what_was_used() {
    let limited = Limited::start(|options| options.user_burst = 100);
    // Each reserves 501: the question's one and 500 for the answer.
    let admitted = limited.admit("a", Some("four")).await.expect("the first");
    limited.take("a", Some("four")).await.expect_err("only 499 are left");
    admitted.settle(10);
    let admitted = limited.admit("a", Some("four")).await.expect("990 are left");
    admitted.settle(2_000);
    let refusal = limited.admit("a", Some("four")).await.expect_err("a debt");
    assert_eq!(refusal.retry_after_ms, Some(120_000), "nobody is sent away for longer than that");
    limited.take("a", None).await.expect("what needs no tokens is admitted");
}

#[actix::test]
async fn while_shared_limits_are_away_the_own_ones_apply_and_they_come_back() {
    let limited = Limited::start(|options| options.user_burst = 1);
    let degraded = limited.metrics.degraded.with_label_values(&["limits"]);
    limited.take("a", None).await.expect("shared");
    limited.faults.set("admit", Fault::Away);
    let admitted = limited.admit("a", None).await.expect("this node has not seen the user");
    assert_eq!(degraded.get(), 1);
    limited.take("a", None).await.expect_err("limits apply all the same");
    limited.faults.lift("admit");
    limited.take("a", None).await.expect_err("the shared bucket is empty");
    // What the own limits gave goes back to them and not to the shared ones.
    drop(admitted);
    assert!(limited.faults.calls("settle").is_empty());
    limited.faults.set("admit", Fault::Away);
    limited.take("a", None).await.expect("given back to where it was taken");
    limited.faults.lift("admit");
    limited.take("b", None).await.expect("shared");
    until("they count as well again", || degraded.get() == 0).await;
}

#[actix::test]
async fn a_question_that_hangs_at_the_shared_limits_holds_no_other_up() {
    let limited = Limited::start(|_| {});
    limited.faults.set("admit", Fault::Hang);
    let limiter = limited.limiter.clone();
    let hanging = actix::spawn(async move { limiter.admit(admit("a", None)).await });
    until("it is asked", || limited.faults.calls("admit").len() == 1).await;
    limited.faults.set("admit", Fault::Away);
    limited.take("b", None).await.expect("admitted by the own limits");
    limited.faults.wake();
    drop(hanging.await.expect("joined").expect("admitted by the shared ones"));
}

#[actix::test]
async fn connects_have_a_limit_of_their_own_by_address() {
    let limited = Limited::start(|_| {});
    for _ in 0..2 {
        limited.limiter.connect(AdmitConnect::From(ADDRESS)).await.expect("admitted");
    }
    limited.limiter.connect(AdmitConnect::From(ADDRESS)).await.expect_err("too many");
    limited.take("a", None).await.expect("messages are another matter");
}

#[actix::test]
async fn without_limits_nothing_is_asked() {
    let limited = Limited::start(|options| options.enabled = false);
    for _ in 0..50 {
        limited.take("a", Some("question")).await.expect("admitted");
        limited.limiter.connect(AdmitConnect::From(ADDRESS)).await.expect("admitted");
    }
    assert!(limited.faults.calls("admit").is_empty());
}

/// With every limit there is.
fn all(options: &mut LimitOptions) {
    options.user_burst = 100;
    options.address_tokens_per_hour = 2_000;
    options.group_messages_per_minute = 50;
    options.group_tokens_per_hour = 3_000;
    options.service_messages_per_minute = 60;
    options.service_tokens_per_hour = 4_000;
}

fn in_group(user: &str, question: Option<&str>) -> Admit {
    Admit { group: Some(group("team")), ..admit(user, question) }
}

#[actix::test]
async fn every_limit_is_taken_and_settled_and_refunded_in_one_call_each() {
    let limited = Limited::start(all);
    let tokens = async || {
        let mut left = Vec::new();
        for subject in [
            Subject::User(UserId::from("a")),
            Subject::Address(ADDRESS),
            Subject::Group(group("team")),
            Subject::Service,
        ] {
            left.extend(limited.left(subject).await.into_iter().filter(|(name, _)| name.ends_with("_tokens")));
        }
        left.into_iter().map(|(_, left)| left).collect::<Vec<_>>()
    };
    let admitted = limited.ask(in_group("a", Some("four"))).await.expect("all are full");
    assert_eq!(limited.faults.calls("admit").len(), 1);
    assert_eq!(tokens().await, [499, 1_499, 2_499, 3_499]);
    admitted.settle(700);
    assert_eq!(tokens().await, [300, 1_300, 2_300, 3_300]);
    let settled = limited.faults.calls("settle");
    assert_eq!(settled, ["user:a:tokens 199, address:127.0.0.1:tokens 199, group:team:tokens 199, service:tokens 199"]);
    // As a hit does: it costs a request and no tokens.
    let admitted = limited.ask(in_group("b", Some("four"))).await.expect("enough");
    admitted.settle(0);
    assert_eq!(
        limited.left(Subject::User(UserId::from("b"))).await[..2],
        [("user_messages", 99), ("user_tokens", 1_000)]
    );
    assert_eq!(limited.left(Subject::Group(group("team"))).await, [("group_messages", 48), ("group_tokens", 2_300)]);
    let admitted = limited.ask(in_group("c", Some("four"))).await.expect("enough");
    drop(admitted);
    assert_eq!(limited.left(Subject::Group(group("team"))).await, [("group_messages", 48), ("group_tokens", 2_300)]);
    assert_eq!(limited.faults.calls("settle").len(), 3);
}

#[actix::test]
async fn a_refusal_by_one_limit_takes_nothing_of_the_others() {
    let limited = Limited::start(|options| {
        all(options);
        options.group_messages_per_minute = 1;
    });
    std::mem::forget(limited.ask(in_group("a", None)).await.expect("the only one"));
    let refused = limited.ask(in_group("b", Some("four"))).await.expect_err("the group is used up");
    assert!(refused.refusal.message.contains("messages a minute of a group"), "{}", refused.refusal.message);
    assert_eq!(
        limited.left(Subject::User(UserId::from("b"))).await[..2],
        [("user_messages", 100), ("user_tokens", 1_000)]
    );
    assert_eq!(limited.left(Subject::Service).await, [("service_messages", 59), ("service_tokens", 4_000)]);
    assert_eq!(limited.metrics.refused.with_label_values(&["group_messages"]).get(), 1);
}

#[actix::test]
async fn what_is_left_is_told_of_the_tightest_limit_of_each_kind_and_a_hard_refusal_says_so() {
    let limited = Limited::start(|options| options.user_burst = 3);
    let admitted = limited.ask(admit("a", Some("four"))).await.expect("the first");
    let messages = Quota { limit: 3, remaining: 2, reset_ms: 60_000 };
    let tokens = Quota { limit: 1_000, remaining: 499, reset_ms: 501 * 3_600 };
    assert_eq!((admitted.left().requests, admitted.left().tokens), (Some(messages), Some(tokens)));
    // Two tokens are missing: they come back in 7.2 s.
    let refused = limited.ask(admit("a", Some("four"))).await.expect_err("499 are left");
    assert_eq!((refused.left.requests, refused.left.tokens), (Some(messages), Some(tokens)));
    assert_eq!((refused.hard, refused.refusal.retry_after_ms), (false, Some(7_200)));
    admitted.settle(1_000);
    let refused = limited.ask(admit("a", Some("four"))).await.expect_err("none are left");
    assert_eq!((refused.hard, refused.refusal.retry_after_ms), (true, Some(120_000)));
    assert!(refused.refusal.message.ends_with("it has enough again in 31 minutes"), "{}", refused.refusal.message);
    assert_eq!(refused.left.tokens, Some(Quota { limit: 1_000, remaining: 0, reset_ms: 3_600_000 }));
    let admitted = limited.ask(admit("a", None)).await.expect("notes need no tokens");
    assert_eq!((admitted.left().requests.map(|left| left.remaining), admitted.left().tokens), (Some(1), None));
}

#[actix::test]
async fn an_application_has_the_limits_of_its_key() {
    let limited = Limited::start(|options| options.address_messages_per_minute = 1);
    let key = Application { name: "site".into(), requests_per_minute: Some(3), tokens_per_hour: Some(600) };
    let request = |prompt_tokens| {
        let caller = Caller::Application(key.clone());
        Admit { caller, address: ADDRESS, group: None, prompt_tokens, slot: None }
    };
    std::mem::forget(limited.ask(request(Some(1))).await.expect("the first"));
    let refused = limited.ask(request(Some(1))).await.expect_err("99 tokens are left");
    assert!(refused.refusal.message.contains("tokens an hour of an API key"), "{}", refused.refusal.message);
    for _ in 0..2 {
        std::mem::forget(limited.ask(request(None)).await.expect("its own three, not the address's one"));
    }
    let refused = limited.ask(request(None)).await.expect_err("three are three");
    assert!(refused.refusal.message.contains("requests a minute of an API key"), "{}", refused.refusal.message);
}

#[actix::test]
async fn what_is_restored_is_full_again() {
    let limited = Limited::start(|_| {});
    for _ in 0..2 {
        limited.take("a", Some("?")).await.ok();
    }
    limited.take("a", None).await.expect("the second");
    limited.take("a", None).await.expect_err("the third");
    let subject = Subject::User(UserId::from("a"));
    limited.limiter.restore(subject.clone()).await.expect("the limiter lives").expect("filled");
    let full =
        [("user_messages", 2), ("user_tokens", 1_000), ("user_connects", 2), ("user_reads", 200), ("user_joins", 64)];
    assert_eq!(limited.left(subject).await, full);
    limited.take("a", Some("?")).await.expect("as new");
}
