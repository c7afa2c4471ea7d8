//! What the stores are asked for a question, one call after the other.

use serde_json::json;

use crate::support::*;

#[actix::test]
async fn a_question_takes_four_calls_to_the_stores_before_the_model_hears_it() {
    let world = World::start().await;
    let client = world.connect("s").await;
    client.question("1", "hello").await;
    world.ai.asked().await.answer("hi");
    client.event_of("answer.end").await;
    until("the answer is kept", || world.faults.calls("put").len() == 1).await;
    let since = |before: usize| {
        let mut calls = world.faults.all_calls().split_off(before);
        // What does not hold the question up.
        let beside = ["orphan", "recording_begin", "recording_add", "start", "settle", "release"];
        calls.retain(|call| !beside.contains(call));
        calls
    };
    let before = world.faults.all_calls().len();
    assert_eq!(client.question("2", "and again").await["type"], "ack");
    let feed = world.ai.asked().await;
    // Slot and limits; the log; the assistant's switch, the lease and the conversation; the cache. Other nodes add the flight.
    assert_eq!(since(before), ["admit", "append", "begin", "get"]);
    feed.answer("still here");
    // Asked for again: the message is read, as its text is not known, and the cache is passed by.
    let end = client.event_of("answer.end").await;
    let before = world.faults.all_calls().len();
    client.send(json!({"type": "answer.retry", "id": "3", "message": end["message"]}));
    let _feed = world.ai.asked().await;
    assert_eq!(since(before), ["read_after", "admit", "begin"]);
}
