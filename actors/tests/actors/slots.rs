//! Answers at once: what a node does without the shared leases, and what becomes of it when they are back.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Arbiter};
use sophie_actors::actor::PATIENCE;
use sophie_actors::admission::Subject;
use sophie_actors::answers::{Answers, Parts, Slots};
use sophie_actors::ids::UserId;
use sophie_actors::metrics::Metrics;
use sophie_actors::node::Node;
use sophie_actors::protocol::ErrorCode;
use sophie_actors::registry::SessionFactory;
use sophie_actors::session::Session;
use sophie_actors::store::{SLOT_LEASE_MS, Stores};
use tokio::time::sleep;

use crate::support::*;
use sophie_actors::socket::SessionHandle;
use sophie_kit::faults::{self, Fault, Faults};
use sophie_kit::stores::memory_options;

struct Counter {
    slots: Slots,
    stores: Stores,
    faults: Faults,
    metrics: Metrics,
}

impl Counter {
    fn start() -> Self {
        tokio::time::pause();
        let (stores, faults) = faults::stores(memory_options());
        let metrics = Metrics::new();
        Self { slots: slots(&stores, 2, 0, &metrics), stores, faults, metrics }
    }

    fn degraded(&self) -> i64 {
        self.metrics.degraded.with_label_values(&["slots"]).get()
    }

    /// What the shared leases know of session `s`.
    async fn shared(&self) -> usize {
        self.stores.slots.taken("session:s").await.expect("read")
    }
}

fn slots(stores: &Stores, per_session: usize, at_once: usize, metrics: &Metrics) -> Slots {
    let mut options = Options::default().limits;
    (options.answers_per_session, options.answers_at_once) = (per_session, at_once);
    Slots::new(stores.slots.clone(), &options, metrics.clone())
}

/// Longer than a lease, so that only what is renewed is left.
async fn a_lease_passes() {
    sleep(Duration::from_millis(SLOT_LEASE_MS + 1_000)).await;
}

#[actix::test]
async fn a_slot_is_free_again_when_it_was_given_back_or_dropped() {
    let counter = Counter::start();
    let s = session("s");
    let slots = [counter.slots.take(Some(&s)).await.expect("free"), counter.slots.take(Some(&s)).await.expect("free")];
    assert_eq!(counter.slots.take(Some(&s)).await.expect_err("taken").code, ErrorCode::Busy);
    assert_eq!((counter.slots.taken_here(&s), counter.slots.taken(&s).await), (2, 2));
    for slot in slots {
        slot.give_back().await;
    }
    assert_eq!((counter.slots.taken_here(&s), counter.slots.taken(&s).await), (0, 0));
    for _ in 0..100 {
        drop(counter.slots.take(Some(&s)).await.expect("what was dropped a moment ago is free"));
    }
    drop(counter.slots.take(None).await.expect("an application has no session"));
}

#[actix::test]
async fn two_nodes_share_slots_and_what_is_held_is_renewed() {
    let counter = Counter::start();
    let stores = &counter.stores;
    let (one, two) = (slots(stores, 2, 3, &counter.metrics), slots(stores, 2, 3, &counter.metrics));
    let (a, b) = (session("a"), session("b"));
    let _first = one.take(Some(&a)).await.expect("free");
    let second = two.take(Some(&a)).await.expect("free");
    one.take(Some(&a)).await.expect_err("both are taken");
    let third = two.take(Some(&b)).await.expect("another session");
    let refusal = one.take(Some(&b)).await.expect_err("the service is full");
    assert_eq!((refusal.code, refusal.retry_after_ms), (ErrorCode::Busy, Some(1_000)));
    one.take(None).await.expect_err("for applications too");
    for _ in 0..5 {
        a_lease_passes().await;
    }
    assert_eq!((stores.slots.taken("service").await.expect("read"), one.taken(&a).await), (3, 2));
    // A node that is gone renews nothing and gives nothing back.
    drop(two);
    drop((second, third));
    assert_eq!(stores.slots.taken("service").await.expect("read"), 3);
    a_lease_passes().await;
    assert_eq!((stores.slots.taken("service").await.expect("read"), one.taken(&a).await), (1, 1));
}

#[actix::test]
async fn without_the_shared_leases_a_node_counts_its_own_and_they_become_leases() {
    let counter = Counter::start();
    let s = session("s");
    let first = counter.slots.take(Some(&s)).await.expect("shared");
    for call in ["take", "renew_slots", "release"] {
        counter.faults.set(call, Fault::Away);
    }
    let second = counter.slots.take(Some(&s)).await.expect("the node's own second");
    assert_eq!(counter.degraded(), 1);
    assert_eq!(counter.slots.take(Some(&s)).await.expect_err("two are two").code, ErrorCode::Busy);
    first.give_back().await;
    let _third = counter.slots.take(Some(&s)).await.expect("one was given back");
    assert_eq!(counter.shared().await, 1, "the leases have not heard of it");
    for call in ["take", "renew_slots", "release"] {
        counter.faults.lift(call);
    }
    a_lease_passes().await;
    assert_eq!((counter.degraded(), counter.shared().await), (0, 2));
    second.give_back().await;
    assert_eq!((counter.shared().await, counter.slots.taken_here(&s)), (1, 1));
}

#[actix::test]
async fn a_slot_whose_reply_was_lost_is_not_lost() {
    let counter = Counter::start();
    let s = session("s");
    counter.faults.set("take", Fault::ReplyLost);
    let slots = [counter.slots.take(Some(&s)).await.expect("one"), counter.slots.take(Some(&s)).await.expect("two")];
    counter.slots.take(Some(&s)).await.expect_err("three");
    a_lease_passes().await;
    assert_eq!(counter.shared().await, 2, "both are renewed");
    drop(slots);
    until("given back", || counter.faults.calls("release").len() > 1).await;
    assert_eq!(counter.shared().await, 0);
}

#[actix::test]
async fn one_call_renews_what_a_node_holds_and_nothing_is_called_when_it_holds_none() {
    let counter = Counter::start();
    let mut slots = Vec::new();
    for name in ["s", "t", "u"] {
        slots.push(counter.slots.take(Some(&session(name))).await.expect("free"));
    }
    a_lease_passes().await;
    let renewed = counter.faults.calls("renew_slots");
    assert_eq!(renewed, vec!["3"; renewed.len()]);
    assert!((3..=5).contains(&renewed.len()), "{}", renewed.len());
    drop(slots);
    a_lease_passes().await;
    assert_eq!(counter.faults.calls("release"), ["3"]);
    assert!(counter.faults.calls("renew_slots").len() <= renewed.len() + 1);
}

#[actix::test]
async fn who_has_seen_the_end_may_ask_again_at_once() {
    let mut options = Options::default();
    options.limits.answers_per_session = 1;
    let world = World::start_with(options).await;
    let client = world.connect("s").await;
    for n in 0..5 {
        let ack = client.question(&n.to_string(), &format!("question {n}")).await;
        assert_eq!(ack["type"], "ack", "{ack}");
        let busy = client.question("early", "and another").await;
        assert_eq!(busy["code"], "busy", "{busy}");
        world.ai.asked().await.answer("so");
        client.event_of("answer.end").await;
    }
}

/// Answers that take nothing, as long as what comes with them is there.
fn stuck(node: &Node) -> (Node, (std::sync::mpsc::Sender<()>, Arbiter)) {
    let Node { roster, registry, limiter, stores, metrics, notifier, ledger, .. } = node.clone();
    let Options { answers: options, cache, .. } = Options::default();
    let backend = Ai::new().1;
    let log_content = false;
    let parts =
        Parts { roster, stores, backend, registry, notifier, limiter, options, cache, log_content, ledger, metrics };
    let (held, wait) = std::sync::mpsc::channel();
    let arbiter = Arbiter::new();
    arbiter.spawn_fn(move || _ = wait.recv());
    let answers = Answers::start_in_arbiter(&arbiter.handle(), |_| Answers::new(parts, unwatched()));
    (Node { answers: answers.into(), ..node.clone() }, (held, arbiter))
}

#[actix::test]
async fn a_question_that_is_not_taken_costs_no_tokens_and_holds_no_slot() {
    const TOKENS: u64 = 10_000;
    let mut options = Options::default();
    options.limits.user_tokens_per_hour = TOKENS;
    let world = World::start_with(options).await;
    let (node, (held, arbiter)) = stuck(&world.node);
    let node = Arc::new(node);
    let sessions: SessionFactory = Arc::new(move |seed| SessionHandle::of(&Session::new(seed, node.clone()).start()));
    world.node.registry.install(sessions).await.expect("installed");
    let tokens = async || {
        let look = Subject::User(UserId::from("s"));
        let left = world.node.limiter.look(look).await.expect("lives").expect("seen");
        left.iter().find(|(limit, _)| limit.label() == "user_tokens").expect("a limit").1.remaining
    };
    let client = world.connect("s").await;
    assert_eq!(client.question("1", "hello").await["type"], "ack");
    let (reserved, s) = (TOKENS - tokens().await, session("s"));
    assert!(reserved > 400, "{reserved}");
    assert_eq!(world.node.slots.taken_here(&s), 1);
    sleep(PATIENCE + Duration::from_secs(1)).await;
    // By themselves a few come back in that time.
    assert_eq!((tokens().await, world.node.slots.taken_here(&s)), (TOKENS, 0));
    drop(held);
    arbiter.stop();
}
