//! Connections to Redis that are cut while Redis is there: they cost time, and no message and no error.

use std::time::Duration;

use serde_json::json;
use sophie_kit::ai_server::{AiServer, Script};
use tokio::time::{Instant, interval};

use crate::support::{Proxy, TestApp, TestServer};

/// How often, and within what time.
const CUTS: usize = 8;
const WITHIN: Duration = Duration::from_secs(2);
const MESSAGES: usize = 300;

#[tokio::test]
async fn a_connection_that_is_cut_costs_time_and_no_message() {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    let proxy = Proxy::before(redis.port());
    let url = format!("redis://127.0.0.1:{}/0", proxy.port);
    let quick = [
        ("SOPHIE__LIMITS__ENABLED", "true"),
        ("SOPHIE__LIMITS__USER_BURST", "1000"),
        ("SOPHIE__LIMITS__ADDRESS_MESSAGES_PER_MINUTE", "1000"),
        ("SOPHIE__SESSION__COMMANDS_PER_SECOND", "1000"),
        ("SOPHIE__SESSION__COMMANDS_BURST", "1000"),
    ];
    // With time for Redis: one that the machine pauses is no connection that is cut.
    let app = TestApp::one_at(url, "n0", &[&ai.environment()[..], &quick].concat()).await;
    let mut socket = app.open("s1").await;
    let began = Instant::now();
    let mut pace = interval(WITHIN / MESSAGES as u32);
    let mut cuts = 0;
    for n in 0..MESSAGES {
        pace.tick().await;
        if began.elapsed() > WITHIN / CUTS as u32 * cuts as u32 && cuts < CUTS {
            proxy.cut();
            cuts += 1;
        }
        let text = format!("m{n}");
        socket.send(json!({"type": "message.send", "id": text, "text": text, "assistant": false})).await;
    }
    let (mut acknowledged, mut refused, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    while acknowledged.len() + refused.len() < MESSAGES {
        let event = socket.event().await;
        match event["type"].as_str() {
            Some("ack") => acknowledged.push(event["id"].as_str().expect("an id").to_owned()),
            Some("error") => refused.push(event),
            Some("message") => seen.push(event["message"]["text"].as_str().expect("a text").to_owned()),
            _ => {}
        }
    }
    assert_eq!(cuts, CUTS);
    assert!(acknowledged.len() >= 290, "{} of {MESSAGES}, else {:?}", acknowledged.len(), refused.first());
    while seen.len() < acknowledged.len() {
        let event = socket.event().await;
        if event["type"] == "message" {
            seen.push(event["message"]["text"].as_str().expect("a text").to_owned());
        }
    }
    // Each once, in the order in which they were said.
    assert_eq!(seen, acknowledged);
}

#[tokio::test]
async fn a_question_that_is_asked_while_connections_are_cut_is_answered() {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    ai.set_default(|| Script::answer("an answer"));
    let proxy = Proxy::before(redis.port());
    let url = format!("redis://127.0.0.1:{}/0", proxy.port);
    let limits = [
        ("SOPHIE__LIMITS__ENABLED", "true"),
        ("SOPHIE__LIMITS__USER_BURST", "1000"),
        ("SOPHIE__LIMITS__USER_TOKENS_PER_HOUR", "1000000"),
        ("SOPHIE__LIMITS__ADDRESS_TOKENS_PER_HOUR", "1000000"),
    ];
    let app = TestApp::one_at(url, "n0", &[&ai.environment()[..], &limits].concat()).await;
    let mut socket = app.open("s1").await;
    for n in 0..20 {
        let id = format!("q{n}");
        socket.send(json!({"type": "message.send", "id": id, "text": format!("question {n}?")})).await;
        proxy.cut();
        assert_eq!(socket.reply(&id).await["type"], "ack");
        assert_eq!(socket.event_of("answer.end").await["text"], "an answer");
    }
}
