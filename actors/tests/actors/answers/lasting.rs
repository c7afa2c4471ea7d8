//! How long an answer may take, and how many there may be.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::*;

#[actix::test]
async fn a_backend_that_never_ends_is_given_up_after_the_whole_time() {
    let world = World::start_where(|options| options.answers.total_seconds = 20).await;
    let (client, feed) = world.asked("s").await;
    feed.text("half");
    let error = client.event_of("answer.error").await;
    assert_eq!((&error["code"], &error["text"]), (&json!("ai_timeout"), &json!("half")));
    assert!(feed.is_dropped());
}

#[actix::test]
async fn an_answer_that_nobody_listens_to_is_abandoned_after_its_grace() {
    let world = World::start().await;
    let (client, feed, _) = world.half_answered("s").await;
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
async fn a_long_answer_keeps_its_lease() {
    let world = World::start().await;
    let (client, feed) = world.asked("s").await;
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
    let world = World::start_where(|options| options.limits.answers_per_session = 1).await;
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
