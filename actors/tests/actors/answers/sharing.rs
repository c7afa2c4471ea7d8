//! Equal questions are one request, of which everybody reads and one pays.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytestring::ByteString;
use serde_json::{Value, json};
use sophie_actors::store::{Boarding, Course, Flight, FlightStanding, Flights, StoreError, StoreResult};
use tokio::time::sleep;

use super::*;

#[actix::test]
async fn equal_questions_at_once_cost_one_request_and_everybody_reads_from_the_first_word() {
    let world = World::start().await;
    let (a, b) = (world.connect("a").await, world.connect("b").await);
    a.question("1", "hello").await;
    let feed = world.ai.asked().await;
    feed.text("one ");
    assert_eq!(a.event_of("answer.delta").await["text"], "one ");
    b.question("1", "hello").await;
    assert_eq!(b.event_of("answer.start").await["cache"], "coalesced");
    assert_eq!(b.event_of("answer.delta").await["text"], "one ");
    feed.answer("two");
    for client in [&a, &b] {
        assert_eq!(client.event_of("answer.end").await["text"], "one two");
    }
    assert!(world.ai.is_idle().await);
    let c = world.connect("c").await;
    c.question("1", "hello").await;
    assert_eq!(c.event_of("answer.start").await["cache"], "hit");
    assert_eq!(c.event_of("answer.end").await["text"], "one two");
    assert!(world.ai.is_idle().await);
    assert_eq!(running(&world).await, 0);
}

#[actix::test]
async fn who_cancels_ends_the_own_answer_only_and_the_last_one_ends_the_request() {
    let world = World::start().await;
    let (a, b) = (world.connect("a").await, world.connect("b").await);
    for client in [&a, &b] {
        client.question("1", "hello").await;
    }
    let (first, second) = (a.event_of("answer.start").await, b.event_of("answer.start").await);
    let feed = world.ai.asked().await;
    feed.text("one ");
    a.event_of("answer.delta").await;
    let cancel = |start: &Value| json!({"type": "answer.cancel", "answer": start["answer"]});
    assert_eq!(b.ask("x", cancel(&first)).await["code"], "not_found", "it is in another group");
    assert_eq!(a.ask("2", cancel(&first)).await["type"], "ack");
    let end = a.event_of("answer.end").await;
    assert_eq!((&end["finish_reason"], &end["text"]), (&json!("cancelled"), &json!("one ")));
    sleep(Duration::from_secs(5)).await;
    assert!(!feed.is_dropped(), "somebody still listens");
    feed.text("two");
    b.event_of("answer.delta").await;
    assert_eq!(b.ask("2", cancel(&second)).await["type"], "ack");
    b.event_of("answer.end").await;
    until("the request is dropped", || feed.is_dropped()).await;
    assert!(cached(&world).is_empty());
    // Who asks after that gets a request of its own.
    let c = world.connect("c").await;
    c.question("1", "hello").await;
    world.ai.asked().await.answer("whole");
    assert_eq!(c.event_of("answer.end").await["text"], "whole");
}

#[actix::test]
async fn after_a_failure_or_a_panic_the_same_question_is_asked_anew() {
    let world = World::start().await;
    for (name, ending) in [("a", Feed::panic as fn(&Feed)), ("b", Feed::fail), ("c", Feed::panic)] {
        let client = world.connect(name).await;
        client.question("1", "hello").await;
        ending(&world.ai.asked().await);
        client.event_of("answer.error").await;
    }
    let client = world.connect("d").await;
    client.question("1", "hello").await;
    world.ai.asked().await.answer("at last");
    assert_eq!(client.event_of("answer.end").await["text"], "at last");
    assert_eq!(running(&world).await, 0, "the actor lives");
}

/// Another node leads, and the store has been away ever since.
struct Elsewhere;

#[async_trait]
impl Flights for Elsewhere {
    async fn board(&self, digest: &str, _: bool) -> StoreResult<Boarding> {
        Ok(Boarding::Follow(Flight { digest: digest.into(), id: "x".into() }))
    }

    async fn add(&self, _: &Flight, _: usize, _: &[ByteString]) -> StoreResult<FlightStanding> {
        unreachable!("another node leads")
    }

    async fn land(&self, _: &Flight, _: bool, _: &str) -> StoreResult<bool> {
        unreachable!("another node leads")
    }

    async fn give_up(&self, _: &Flight, _: bool) -> StoreResult<bool> {
        unreachable!("another node leads")
    }

    async fn read(&self, _: &Flight, _: usize) -> StoreResult<(Vec<ByteString>, Course)> {
        Err(StoreError::Unavailable("away".into()))
    }

    async fn leave(&self, _: &Flight) -> StoreResult<()> {
        Err(StoreError::Unavailable("away".into()))
    }
}

#[actix::test]
async fn another_nodes_answer_is_waited_for_while_the_store_is_away_but_not_for_ever() {
    let mut options = Options { flights: Some(Arc::new(Elsewhere)), ..Options::default() };
    options.answers.total_seconds = 20;
    let world = World::start_with(options).await;
    let client = world.connect("s").await;
    let since = tokio::time::Instant::now();
    client.question("1", "hello").await;
    assert_eq!(client.event_of("answer.start").await["cache"], "coalesced");
    assert_eq!(client.event_of("answer.error").await["code"], "ai_timeout");
    assert!(since.elapsed() >= Duration::from_secs(20), "nobody is taken for dead: {:?}", since.elapsed());
    assert!(world.ai.is_idle().await);
}

#[actix::test]
async fn who_asks_the_backend_pays_and_who_joins_does_not() {
    let world = World::start().await;
    let (a, b) = (world.connect("a").await, world.connect("b").await);
    for client in [&a, &b] {
        client.question("1", "hello").await;
    }
    world.ai.asked().await.answer(&"word ".repeat(8_000));
    for client in [&a, &b] {
        client.event_of("answer.end").await;
    }
    sleep(Duration::from_secs(1)).await;
    let units = |user: &str| -> Vec<i64> {
        let settled = world.faults.calls("settle");
        let of = settled.iter().filter_map(|about| about.strip_prefix(&format!("user:{user}:tokens ")));
        of.map(|units| units.parse().expect("a number")).collect()
    };
    assert!(matches!(units("a")[..], [taken] if taken > 9_000), "{:?}", units("a"));
    assert!(matches!(units("b")[..], [given] if given < -500), "{:?}", units("b"));
}
