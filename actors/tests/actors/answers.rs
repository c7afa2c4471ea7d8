//! Answers: one request for equal questions, one end for each answer, and a cache that needs proof.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytestring::ByteString;
use serde_json::{Value, json};
use sophie_actors::ids::AnswerId;
use sophie_actors::openai::{Chunk, Parsed};
use sophie_actors::store::{Boarding, Course, Flight, Flights, Standing, StoreError, StoreResult};
use sophie_kit::faults::Fault;
use tokio::time::sleep;

use crate::support::*;

async fn running(world: &World) -> usize {
    world.node.answers.running().await.expect("the answers live")
}

/// Entries that were written into the cache.
fn cached(world: &World) -> Vec<String> {
    world.faults.calls("put")
}

/// Ends of answers in a session's log.
async fn ends(world: &World, name: &str) -> Vec<(String, String)> {
    let log = world.log(&session(name).home()).await;
    log.into_iter().filter(|(kind, _)| kind.starts_with("answer.")).collect()
}

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
async fn nothing_but_a_proven_answer_is_cached() {
    let world = World::start().await;
    let client = world.connect("s").await;
    // How the backend ends, and what the client is told.
    type Ending = fn(&Feed);
    let endings: [(&str, Ending, &str); 6] = [
        ("truncated", |feed| feed.text("half"), "interrupted"),
        (
            "unfinished",
            |feed| {
                feed.text("half");
                feed.done();
            },
            "interrupted",
        ),
        (
            "failed",
            |feed| {
                feed.text("half");
                feed.fail();
            },
            "ai_unavailable",
        ),
        (
            "panicked",
            |feed| {
                feed.text("half");
                feed.panic();
            },
            "interrupted",
        ),
        ("too long", |feed| feed.answer(&"x".repeat(1 << 17)), "interrupted"),
        (
            "filtered",
            |feed| {
                feed.text("half");
                feed.finish("content_filter");
                feed.done();
            },
            "",
        ),
    ];
    for (question, ending, code) in endings {
        client.question(question, question).await;
        let feed = world.ai.asked().await;
        ending(&feed);
        drop(feed);
        let end = client.event_of(if code.is_empty() { "answer.end" } else { "answer.error" }).await;
        assert_eq!(end["code"].as_str().unwrap_or_default(), code, "{question}: {end}");
    }
    // One choice of two has not ended.
    client.question("two", "two").await;
    let feed = world.ai.asked().await;
    let raw = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"},{"index":1,"delta":{"content":"b"}}]}"#;
    let Ok(Parsed::Chunk(chunk)) = Chunk::parse(raw.into()) else { panic!("a chunk") };
    feed.chunk(chunk);
    feed.done();
    assert_eq!(client.event_of("answer.error").await["code"], "interrupted");
    sleep(Duration::from_secs(1)).await;
    assert!(cached(&world).is_empty());
    client.question("good", "good").await;
    world.ai.asked().await.answer("whole");
    client.event_of("answer.end").await;
    until("it is cached", || cached(&world) == ["whole"]).await;
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

#[actix::test]
async fn without_its_cache_the_backend_is_asked() {
    let world = World::start().await;
    world.faults.set("get", Fault::Away);
    world.faults.set("put", Fault::Away);
    for name in ["a", "b"] {
        let client = world.connect(name).await;
        client.question("1", "hello").await;
        world.ai.asked().await.answer("whole");
        assert_eq!(client.event_of("answer.start").await["cache"], "miss");
        assert_eq!(client.event_of("answer.end").await["text"], "whole");
        sleep(Duration::from_secs(1)).await;
    }
}

#[actix::test]
async fn a_finished_answer_is_joined_until_its_cache_write_is_done() {
    let world = World::start().await;
    let (a, b) = (world.connect("a").await, world.connect("b").await);
    world.faults.set("put", Fault::Hang);
    a.question("1", "hello").await;
    world.ai.asked().await.answer("whole");
    a.event_of("answer.end").await;
    b.question("1", "hello").await;
    assert_eq!(b.event_of("answer.end").await["text"], "whole");
    assert!(world.ai.is_idle().await);
    world.faults.lift("put");
    until("it is cached", || cached(&world).len() == 1).await;
}

#[actix::test]
async fn a_backend_that_never_ends_is_given_up_after_the_whole_time() {
    let mut options = Options::default();
    options.answers.total_seconds = 20;
    let world = World::start_with(options).await;
    let client = world.connect("s").await;
    client.question("1", "hello").await;
    let feed = world.ai.asked().await;
    feed.text("half");
    let error = client.event_of("answer.error").await;
    assert_eq!((&error["code"], &error["text"]), (&json!("ai_timeout"), &json!("half")));
    assert!(feed.is_dropped());
}

/// Another node leads, and the store has been away ever since.
struct Elsewhere;

#[async_trait]
impl Flights for Elsewhere {
    async fn board(&self, digest: &str, _: bool) -> StoreResult<Boarding> {
        Ok(Boarding::Follow(Flight { digest: digest.into(), id: "x".into() }))
    }

    async fn add(&self, _: &Flight, _: usize, _: &[ByteString]) -> StoreResult<Standing> {
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
async fn an_answer_that_nobody_listens_to_is_abandoned_after_its_grace() {
    let world = World::start().await;
    let client = world.connect("s").await;
    client.question("1", "hello").await;
    let feed = world.ai.asked().await;
    feed.text("half");
    client.event_of("answer.delta").await;
    client.leave();
    sleep(Duration::from_secs(20)).await;
    assert!(!feed.is_dropped(), "the client may come back");
    let client = world.attach("s", Guest::new("s"), None).await;
    assert_eq!(client.event().await["answers"][0]["text"], "half");
    sleep(Duration::from_secs(60)).await;
    assert!(!feed.is_dropped(), "it is back");
    client.leave();
    until("it is given up", || feed.is_dropped()).await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(ends(&world, "s").await, [("answer.end".to_owned(), "half".to_owned())]);
}

#[actix::test]
async fn an_end_that_cannot_be_logged_is_tried_until_it_is() {
    end_while(Fault::Away).await;
}

#[actix::test]
async fn an_end_whose_confirmation_was_lost_stands_in_the_log_once() {
    end_while(Fault::ReplyLost).await;
}

async fn end_while(fault: Fault) {
    let world = World::start().await;
    let client = world.connect("s").await;
    world.faults.set("end", fault);
    client.question("1", "hello").await;
    world.ai.asked().await.answer("whole");
    sleep(Duration::from_secs(30)).await;
    assert!(client.waiting().iter().all(|event| event["type"] != "answer.end"), "it is not confirmed");
    assert_eq!(running(&world).await, 1);
    world.faults.lift("end");
    assert_eq!(client.event_of("answer.end").await["text"], "whole");
    sleep(Duration::from_secs(20)).await;
    assert_eq!(ends(&world, "s").await.len(), 1);
    assert!(client.waiting().is_empty());
    assert_eq!(running(&world).await, 0);
}

#[actix::test]
async fn an_answer_that_somebody_else_ended_ends_once_and_stops_asking() {
    let world = World::start().await;
    let client = world.connect("s").await;
    client.question("1", "hello").await;
    let feed = world.ai.asked().await;
    feed.text("half");
    let start = client.event_of("answer.start").await;
    client.event_of("answer.delta").await;
    // Another node took this one for dead.
    let answer = AnswerId::from(start["answer"].as_str().expect("an id"));
    let body = format!(
        r#"{{"type":"answer.error","group":"chat_s","answer":"{answer}","message":"m","text":"ha","code":"interrupted","reason":"r"}}"#
    );
    let home = session("s").home();
    world.stores.answers.end(&answer, &home, body.into()).await.expect("ended");
    assert_eq!(client.event_of("answer.error").await["text"], "ha");
    until("the request is dropped", || feed.is_dropped()).await;
    sleep(Duration::from_secs(20)).await;
    assert_eq!(ends(&world, "s").await, [("answer.error".to_owned(), "ha".to_owned())]);
    assert!(client.waiting().is_empty());
    assert_eq!(running(&world).await, 0);
}

/// Another node took an answer for dead, and ended it.
async fn end_elsewhere(world: &World, start: &serde_json::Value) {
    let (answer, message) = (&start["answer"], &start["message"]);
    let body = json!({"type": "answer.error", "group": "chat_s", "answer": answer, "message": message, "text": "ha",
        "code": "interrupted", "reason": "r"});
    let answer = AnswerId::from(answer.as_str().expect("an id"));
    world.stores.answers.end(&answer, &session("s").home(), body.to_string().into()).await.expect("ended");
}

#[actix::test]
async fn a_writer_that_was_frozen_until_its_end_was_forgotten_does_not_end_again() {
    frozen(|feed| feed.text(" and more")).await;
}

#[actix::test]
async fn nor_does_one_that_was_through_just_then() {
    frozen(|feed| feed.answer(" and whole")).await;
}

async fn frozen(meanwhile: impl Fn(&Feed)) {
    let world = World::start().await;
    let client = world.connect("s").await;
    client.question("1", "hello").await;
    let feed = world.ai.asked().await;
    feed.text("half");
    let start = client.event_of("answer.start").await;
    client.event_of("answer.delta").await;
    sleep(Duration::from_secs(1)).await;
    world.faults.set("renew", Fault::Hang);
    meanwhile(&feed);
    sleep(Duration::from_secs(1)).await;
    end_elsewhere(&world, &start).await;
    sleep(Duration::from_secs(700)).await;
    world.faults.lift("renew");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(ends(&world, "s").await, [("answer.error".to_owned(), "ha".to_owned())]);
    assert_eq!(running(&world).await, 0);
}

#[actix::test]
async fn a_node_that_was_frozen_before_it_began_until_the_end_was_forgotten_does_not_begin() {
    let world = World::start().await;
    let client = world.connect("s").await;
    world.faults.set("append", Fault::ReplyLate);
    client.send(json!({"type": "message.send", "id": "1", "text": "hello"}));
    // Somebody else has ended what was owed, and that is forgotten.
    sleep(Duration::from_secs(700)).await;
    assert_eq!(ends(&world, "s").await.len(), 1);
    world.faults.lift("append");
    sleep(Duration::from_secs(60)).await;
    assert!(world.ai.is_idle().await);
    assert_eq!(ends(&world, "s").await, [("answer.error".to_owned(), String::new())]);
    assert_eq!(running(&world).await, 0);
}

#[actix::test]
async fn a_question_that_nobody_took_up_ends_once_after_its_start() {
    let world = World::start().await;
    let client = world.connect("s").await;
    // It is logged, and its node is gone before it asks.
    world.faults.set("append", Fault::ReplyLost);
    assert_eq!(client.question("1", "hello").await["code"], "store_unavailable");
    world.faults.lift("append");
    let start = client.event_of("answer.start").await;
    let error = client.event_of("answer.error").await;
    assert_eq!((&error["code"], &error["answer"]), (&json!("interrupted"), &start["answer"]));
    sleep(Duration::from_secs(60)).await;
    assert_eq!(ends(&world, "s").await.len(), 1);
    // Whoever insists learns where it stands, and asks anew if they like.
    let ack = client.question("1", "hello").await;
    assert_eq!((&ack["type"], &ack["message"]), (&json!("ack"), &start["message"]));
    sleep(Duration::from_secs(60)).await;
    assert_eq!(ends(&world, "s").await.len(), 1);
    assert!(world.ai.is_idle().await);
    client.ask("r", json!({"type": "answer.retry", "message": ack["message"]})).await;
    world.ai.asked().await.answer("at last");
    assert_eq!(client.event_of("answer.end").await["text"], "at last");
}

#[actix::test]
async fn a_retry_that_was_acknowledged_ends_though_nobody_takes_it_up() {
    let world = World::start().await;
    let client = world.connect("s").await;
    let ack = client.question("1", "hello").await;
    world.ai.asked().await.answer("fine");
    client.event_of("answer.end").await;
    // The answer's task fails before it has told anybody.
    world.faults.set("read_before", Fault::Panic("chat_s"));
    let retry = client.ask("r", json!({"type": "answer.retry", "message": ack["message"]})).await;
    assert_eq!(retry["type"], "ack", "{retry}");
    let start = client.event_of("answer.start").await;
    assert_eq!(client.event_of("answer.error").await["answer"], start["answer"]);
}

#[actix::test]
async fn an_answer_that_the_store_lost_goes_on_and_ends_once() {
    let world = World::start().await;
    let client = world.connect("s").await;
    // The store was away when it was begun: there it was never known.
    world.faults.set("begin", Fault::Away);
    client.question("1", "hello").await;
    let feed = world.ai.asked().await;
    feed.text("half");
    client.event_of("answer.delta").await;
    sleep(Duration::from_secs(3)).await;
    world.faults.lift("begin");
    sleep(Duration::from_secs(20)).await;
    feed.answer(" and whole");
    assert_eq!(client.event_of("answer.end").await["text"], "half and whole");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(ends(&world, "s").await.len(), 1);
}

#[actix::test]
async fn an_answer_whose_writer_died_is_ended_as_interrupted_with_what_was_saved() {
    let world = World::start().await;
    let client = world.connect("s").await;
    client.question("1", "hello").await;
    let feed = world.ai.asked().await;
    feed.text("half");
    client.event_of("answer.delta").await;
    sleep(Duration::from_secs(3)).await;
    // The answer's own task fails, and its lease runs out.
    world.faults.set("renew", Fault::Panic("a"));
    let error = client.event_of("answer.error").await;
    assert_eq!((&error["code"], &error["text"]), (&json!("interrupted"), &json!("half")));
    assert!(feed.is_dropped());
    assert_eq!(running(&world).await, 0);
    assert_eq!(world.node.metrics.logged.get(), 2, "the question, and the end that this node appended for it");
    sleep(Duration::from_secs(20)).await;
    assert_eq!(ends(&world, "s").await.len(), 1);
    world.faults.lift("renew");
    client.question("2", "again").await;
    world.ai.asked().await.answer("fine");
    assert_eq!(client.event_of("answer.end").await["text"], "fine");
}

#[actix::test]
async fn a_long_answer_keeps_its_lease() {
    let world = World::start().await;
    let client = world.connect("s").await;
    client.question("1", "hello").await;
    let feed = world.ai.asked().await;
    for _ in 0..20 {
        feed.text("word ");
        sleep(Duration::from_secs(10)).await;
    }
    feed.finish("stop");
    feed.done();
    client.event_of("answer.end").await;
    assert_eq!(ends(&world, "s").await, [("answer.end".to_owned(), "word ".repeat(20))]);
}

#[actix::test]
async fn a_session_has_as_many_answers_as_it_may_and_gets_its_slot_back_after_a_fault() {
    let mut options = Options::default();
    options.limits.answers_per_session = 1;
    let world = World::start_with(options).await;
    let client = world.connect("s").await;
    client.question("1", "one").await;
    let feed = world.ai.asked().await;
    assert_eq!(client.question("2", "two").await["code"], "busy");
    feed.panic();
    client.event_of("answer.error").await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(client.question("3", "three").await["type"], "ack");
    world.ai.asked().await.answer("fine");
    client.event_of("answer.end").await;
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
