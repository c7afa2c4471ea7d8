//! Answers at once: what a node does without the shared leases, and what becomes of it when they are back.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Arbiter};
use sophie_actors::actor::PATIENCE;
use sophie_actors::admission::{Admit, Admitted, Caller, LimiterHandle, RateLimiter, SlotOf, Slots, Subject};
use sophie_actors::answers::{Answers, Parts};
use sophie_actors::ids::{SessionId, UserId};
use sophie_actors::in_force::InForce;
use sophie_actors::metrics::Metrics;
use sophie_actors::node::Node;
use sophie_actors::protocol::{ErrorCode, Refusal};
use sophie_actors::registry::SessionFactory;
use sophie_actors::session::Session;
use sophie_actors::store::memory::MemoryLimits;
use sophie_actors::store::{SLOT_LEASE_MS, Stores};
use tokio::time::sleep;

use crate::support::*;
use sophie_actors::socket::SessionHandle;
use sophie_kit::faults::{self, Fault, Faults};
use sophie_kit::stores::memory_options;

/// What one node has of it.
struct OneNode {
    limiter: LimiterHandle,
    slots: Slots,
}

impl OneNode {
    fn start(stores: &Stores, per_session: usize, at_once: usize, metrics: &Metrics) -> Self {
        let mut options = Options::default().limits;
        (options.answers_per_session, options.answers_at_once, options.enabled) = (per_session, at_once, false);
        let options = InForce::new(options);
        let slots = Slots::new(stores.slots.clone(), &options, metrics.clone());
        let (shared, local) = (stores.limits.clone(), Arc::new(MemoryLimits::new()));
        let limiter = RateLimiter::new(shared, local, slots.clone(), options.clone(), metrics.clone(), unwatched());
        Self { limiter: LimiterHandle::of(limiter.start(), &options), slots }
    }

    async fn take(&self, session: Option<&SessionId>) -> Result<Admitted, Refusal> {
        let slot = session.map_or(SlotOf::Service, |session| SlotOf::Session(session.clone()));
        let caller = Caller::User(UserId::from("a"));
        let admit = Admit { caller, address: ADDRESS, group: None, prompt_tokens: Some(1), slot: Some(slot) };
        self.limiter.admit(admit).await.map_err(Refusal::from)
    }
}

struct Counter {
    node: OneNode,
    stores: Stores,
    faults: Faults,
    metrics: Metrics,
}

impl Counter {
    fn start() -> Self {
        tokio::time::pause();
        let (stores, faults) = faults::stores(memory_options());
        let metrics = Metrics::new();
        Self { node: OneNode::start(&stores, 2, 0, &metrics), stores, faults, metrics }
    }

    fn degraded(&self) -> i64 {
        self.metrics.degraded.with_label_values(&["slots"]).get()
    }

    /// What the shared leases know of session `s`.
    async fn shared(&self) -> usize {
        self.stores.slots.taken("session:s").await.expect("read")
    }
}

/// Longer than a lease, so that only what is renewed is left.
async fn a_lease_passes() {
    sleep(Duration::from_millis(SLOT_LEASE_MS + 1_000)).await;
}

#[actix::test]
async fn a_slot_is_free_again_when_it_was_given_back_or_dropped() {
    let counter = Counter::start();
    let s = session("s");
    let slots = [counter.node.take(Some(&s)).await.expect("free"), counter.node.take(Some(&s)).await.expect("free")];
    assert_eq!(counter.node.take(Some(&s)).await.expect_err("taken").code, ErrorCode::Busy);
    assert_eq!((counter.node.slots.taken_here(&s), counter.node.slots.taken(&s).await), (2, 2));
    for mut slot in slots {
        slot.free_slot().await;
    }
    assert_eq!((counter.node.slots.taken_here(&s), counter.node.slots.taken(&s).await), (0, 0));
    for _ in 0..100 {
        drop(counter.node.take(Some(&s)).await.expect("what was dropped a moment ago is free"));
    }
    drop(counter.node.take(None).await.expect("an application has no session"));
}

#[actix::test]
async fn what_is_admitted_before_it_is_known_takes_its_slot_when_it_is_though_no_limit_is_on() {
    let counter = Counter::start();
    let node = OneNode::start(&counter.stores, 2, 1, &counter.metrics);
    let admit = || {
        let caller = Caller::User(UserId::from("a"));
        node.limiter.admit(Admit { caller, address: ADDRESS, group: None, prompt_tokens: Some(0), slot: None })
    };
    let (one, two) = (admit().await.expect("no limit"), admit().await.expect("no limit"));
    let one = one.raise(100, SlotOf::Service).await.expect("the only slot");
    let refused = two.raise(100, SlotOf::Service).await.expect_err("one is all");
    assert_eq!(refused.refusal.code, ErrorCode::Busy);
    drop(one);
    let three = admit().await.expect("no limit").raise(100, SlotOf::Service).await;
    drop(three.expect("it is free again"));
}

#[actix::test]
async fn two_nodes_share_slots_and_what_is_held_is_renewed() {
    let counter = Counter::start();
    let stores = &counter.stores;
    let (one, two) = (OneNode::start(stores, 2, 3, &counter.metrics), OneNode::start(stores, 2, 3, &counter.metrics));
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
    assert_eq!((stores.slots.taken("service").await.expect("read"), one.slots.taken(&a).await), (3, 2));
    // A node that is gone renews nothing and gives nothing back.
    drop(two);
    sleep(Duration::from_millis(1)).await;
    drop((second, third));
    assert_eq!(stores.slots.taken("service").await.expect("read"), 3);
    a_lease_passes().await;
    assert_eq!((stores.slots.taken("service").await.expect("read"), one.slots.taken(&a).await), (1, 1));
}

#[actix::test]
async fn without_the_shared_leases_a_node_counts_its_own_and_they_become_leases() {
    let counter = Counter::start();
    let s = session("s");
    let mut first = counter.node.take(Some(&s)).await.expect("shared");
    for call in ["admit", "renew_slots", "release"] {
        counter.faults.set(call, Fault::Away);
    }
    let mut second = counter.node.take(Some(&s)).await.expect("the node's own second");
    assert_eq!(counter.degraded(), 1);
    assert_eq!(counter.node.take(Some(&s)).await.expect_err("two are two").code, ErrorCode::Busy);
    first.free_slot().await;
    let _third = counter.node.take(Some(&s)).await.expect("one was given back");
    assert_eq!(counter.shared().await, 1, "the leases have not heard of it");
    for call in ["admit", "renew_slots", "release"] {
        counter.faults.lift(call);
    }
    a_lease_passes().await;
    assert_eq!((counter.degraded(), counter.shared().await), (0, 2));
    second.free_slot().await;
    assert_eq!((counter.shared().await, counter.node.slots.taken_here(&s)), (1, 1));
}

#[actix::test]
async fn a_slot_whose_reply_was_lost_is_not_lost() {
    let counter = Counter::start();
    let s = session("s");
    counter.faults.set("admit", Fault::ReplyLost);
    let slots = [counter.node.take(Some(&s)).await.expect("one"), counter.node.take(Some(&s)).await.expect("two")];
    counter.node.take(Some(&s)).await.expect_err("three");
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
        slots.push(counter.node.take(Some(&session(name))).await.expect("free"));
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
    let world = World::start_where(|options| options.limits.answers_per_session = 1).await;
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

/// From now on sessions ask answers that take nothing, until what comes back is dropped.
pub(crate) async fn with_stuck_answers(world: &World) -> impl Sized + use<> {
    let Node { roster, delivery, limiter, stores, metrics, ledger, .. } = world.node.clone();
    let Options { answers: options, cache, .. } = Options::default();
    let backend = InForce::new(Ai::new().1);
    let (log_content, options) = (false, options.into());
    let recordings = sophie_actors::options::RecordingOptions { keep_seconds: 3_600 };
    let parts =
        Parts { roster, stores, backend, delivery, limiter, options, cache, recordings, log_content, ledger, metrics };
    let (held, wait) = std::sync::mpsc::channel::<()>();
    let arbiter = Arbiter::new();
    arbiter.spawn_fn(move || _ = wait.recv());
    let answers = Answers::start_in_arbiter(&arbiter.handle(), |_| Answers::new(parts, unwatched()));
    let node = Arc::new(Node { answers: answers.into(), ..world.node.clone() });
    let sessions: SessionFactory = Arc::new(move |seed| SessionHandle::of(&Session::new(seed, node.clone()).start()));
    world.node.registry.install(sessions).await.expect("installed");
    held
}

const TOKENS: u64 = 10_000;

async fn with_limited_tokens() -> World {
    let mut options = Options::default();
    options.limits.user_tokens_per_hour = TOKENS;
    World::start_with(options).await
}

/// Tokens of user `s` that are left, and slots of session `s` that are taken.
async fn reserved(world: &World) -> (u64, usize) {
    let left = world.node.limiter.look(Subject::User(UserId::from("s"))).await.expect("lives").expect("seen");
    let tokens = left.iter().find(|(limit, _)| limit.label() == "user_tokens").expect("a limit").1.remaining;
    (tokens, world.node.slots.taken_here(&session("s")))
}

#[actix::test]
async fn a_question_that_is_not_taken_costs_no_tokens_and_holds_no_slot() {
    let world = with_limited_tokens().await;
    let _held = with_stuck_answers(&world).await;
    let client = world.connect("s").await;
    assert_eq!(client.question("1", "hello").await["type"], "ack");
    let (tokens, slots) = reserved(&world).await;
    assert!(TOKENS - tokens > 400 && slots == 1, "{tokens} {slots}");
    sleep(PATIENCE + Duration::from_secs(1)).await;
    // By themselves a few come back in that time.
    assert_eq!(reserved(&world).await, (TOKENS, 0));
}

#[actix::test]
async fn an_answer_whose_task_panics_leaves_no_reservation_behind() {
    let world = with_limited_tokens().await;
    let client = world.connect("s").await;
    assert_eq!(client.question("1", "hello").await["type"], "ack");
    let asked = world.ai.asked().await;
    let (tokens, slots) = reserved(&world).await;
    assert!(TOKENS - tokens > 400 && slots == 1, "{tokens} {slots}");
    world.faults.set("renew", Fault::Panic(""));
    asked.answer("so");
    until("the slot is free", || world.node.slots.taken_here(&session("s")) == 0).await;
    assert_eq!(reserved(&world).await, (TOKENS, 0));
}

#[actix::test]
async fn a_client_that_goes_while_it_is_admitted_leaves_no_reservation_behind() {
    let world = with_limited_tokens().await;
    world.faults.set("admit", Fault::ReplyLate);
    let caller = Caller::User(UserId::from("s"));
    let slot = Some(SlotOf::Session(session("s")));
    let admit = Admit { caller, address: ADDRESS, group: None, prompt_tokens: Some(100), slot };
    let limiter = world.node.limiter.clone();
    let client = actix::spawn(async move { limiter.admit(admit).await });
    until("it is being admitted", || !world.faults.calls("admit").is_empty()).await;
    client.abort();
    assert!(client.await.expect_err("it has gone").is_cancelled());
    world.faults.lift("admit");
    until("what was taken is given back", || !world.faults.calls("settle").is_empty()).await;
    assert_eq!(reserved(&world).await, (TOKENS, 0));
    until("the slot is free everywhere", || !world.faults.calls("release").is_empty()).await;
    assert_eq!(world.node.slots.taken(&session("s")).await, 0);
}
