//! What is cached, and what of it is used.

use std::time::Duration;

use sophie_actors::openai::{Chunk, Parsed};
use sophie_kit::faults::Fault;
use tokio::time::sleep;

use super::*;

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
