//! An answer ends once, whoever ends it.

use std::time::Duration;

use serde_json::{Value, json};
use sophie_actors::ids::AnswerId;
use sophie_kit::faults::Fault;
use tokio::time::sleep;

use super::*;

/// Nothing more comes of the one answer of `s`, which stands in the log with one end.
async fn is_over(world: &World, client: &Client, kind: &str, text: &str) {
    sleep(Duration::from_secs(20)).await;
    assert_eq!(ends(world, "s").await, [(kind.to_owned(), text.to_owned())]);
    assert!(client.waiting().is_empty());
    assert_eq!(running(world).await, 0);
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
    is_over(&world, &client, "answer.end", "whole").await;
}

#[actix::test]
async fn an_answer_that_somebody_else_ended_ends_once_and_stops_asking() {
    let world = World::start().await;
    let (client, feed, start) = world.half_answered("s").await;
    end_elsewhere(&world, &start).await;
    assert_eq!(client.event_of("answer.error").await["text"], "ha");
    until("the request is dropped", || feed.is_dropped()).await;
    is_over(&world, &client, "answer.error", "ha").await;
}

/// Another node took an answer for dead, and ended it.
async fn end_elsewhere(world: &World, start: &Value) {
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
    let (_client, feed, start) = world.half_answered("s").await;
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
