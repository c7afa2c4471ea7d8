//! Answers that are owed and whose writer, or whose record, is gone.

use std::time::Duration;

use serde_json::json;
use sophie_kit::faults::Fault;
use tokio::time::sleep;

use super::*;
use crate::slots::with_stuck_answers;

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
    let _held = with_stuck_answers(&world).await;
    let client = world.connect("s").await;
    let note = client.ask("1", json!({"type": "message.send", "text": "hello", "assistant": false})).await;
    let retry = client.ask("r", json!({"type": "answer.retry", "message": note["message"]})).await;
    assert_eq!(retry["type"], "ack", "{retry}");
    let start = client.event_of("answer.start").await;
    assert_eq!(client.event_of("answer.error").await["answer"], start["answer"]);
}

#[actix::test]
async fn an_answer_that_the_store_lost_goes_on_and_ends_once() {
    let world = World::start().await;
    // The store was away when it was begun: there it was never known.
    world.faults.set("begin", Fault::Away);
    let (client, feed, _) = world.half_answered("s").await;
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
    let (client, feed, _) = world.half_answered("s").await;
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
