//! Answers at once: what a node does without the shared leases, and what becomes of it when they are back.

use std::time::Duration;

use sophie_actors::answers::Slots;
use sophie_actors::metrics::Metrics;
use sophie_actors::protocol::ErrorCode;
use sophie_actors::store::{SLOT_LEASE_MS, Stores};
use tokio::time::sleep;

use crate::faults::{self, Fault, Faults};
use crate::support::*;

struct Node {
    slots: Slots,
    stores: Stores,
    faults: Faults,
    metrics: Metrics,
}

impl Node {
    fn start() -> Self {
        tokio::time::pause();
        let (stores, faults) = faults::stores(memory_options());
        let metrics = Metrics::new();
        let mut options = Options::default().limits;
        options.answers_per_session = 2;
        let slots = Slots::new(stores.slots.clone(), &options, metrics.clone());
        Self { slots, stores, faults, metrics }
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
async fn without_the_shared_leases_a_node_counts_its_own_and_they_become_leases() {
    let node = Node::start();
    let s = session("s");
    let first = node.slots.take(Some(&s)).await.expect("shared");
    for call in ["take", "renew_slots", "release"] {
        node.faults.set(call, Fault::Away);
    }
    let second = node.slots.take(Some(&s)).await.expect("the node's own second");
    assert_eq!(node.degraded(), 1);
    assert_eq!(node.slots.take(Some(&s)).await.expect_err("two are two").code, ErrorCode::Busy);
    first.give_back().await;
    let _third = node.slots.take(Some(&s)).await.expect("one was given back");
    assert_eq!(node.shared().await, 1, "the leases have not heard of it");
    for call in ["take", "renew_slots", "release"] {
        node.faults.lift(call);
    }
    a_lease_passes().await;
    assert_eq!((node.degraded(), node.shared().await), (0, 2));
    second.give_back().await;
    assert_eq!((node.shared().await, node.slots.taken_here(&s)), (1, 1));
}

#[actix::test]
async fn a_slot_whose_reply_was_lost_is_not_lost() {
    let node = Node::start();
    let s = session("s");
    node.faults.set("take", Fault::ReplyLost);
    let slots = [node.slots.take(Some(&s)).await.expect("one"), node.slots.take(Some(&s)).await.expect("two")];
    node.slots.take(Some(&s)).await.expect_err("three");
    a_lease_passes().await;
    assert_eq!(node.shared().await, 2, "both are renewed");
    drop(slots);
    until("given back", || node.faults.calls("release").len() > 1).await;
    assert_eq!(node.shared().await, 0);
}

#[actix::test]
async fn one_call_renews_what_a_node_holds_and_nothing_is_called_when_it_holds_none() {
    let node = Node::start();
    let mut slots = Vec::new();
    for name in ["s", "t", "u"] {
        slots.push(node.slots.take(Some(&session(name))).await.expect("free"));
    }
    a_lease_passes().await;
    let renewed = node.faults.calls("renew_slots");
    assert_eq!(renewed, vec!["3"; renewed.len()]);
    assert!((3..=5).contains(&renewed.len()), "{}", renewed.len());
    drop(slots);
    a_lease_passes().await;
    assert_eq!(node.faults.calls("release"), ["3"]);
    assert!(node.faults.calls("renew_slots").len() <= renewed.len() + 1);
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
