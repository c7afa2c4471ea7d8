//! Two nodes share an answer, and the Redis between them goes away in its middle.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::ai_server::{AiServer, Script};
use crate::support::{Answer, Broker, Fault, FaultyRedis, SOON, TestSocket, eventually};

under_each_fault!(an_answer_of_two_nodes_outlasts_the_store_and_ends_once_at_each);

/// Longer than a leader is believed to live without a word.
const OUTAGE: Duration = Duration::from_millis(5_500);

async fn until_ready(node: &Broker, status: u16) {
    eventually("readiness", SOON, async || (node.readiness().await.0 == status).then_some(())).await;
}

async fn an_answer_of_two_nodes_outlasts_the_store_and_ends_once_at_each(fault: Fault) {
    let (redis, ai) = (FaultyRedis::start(), AiServer::start().await);
    let (script, gate) = Script::gated();
    ai.push(script);
    let (url, base) = (redis.url(0), ai.base_url());
    let environment = [
        ("USE_REDIS", "true"),
        ("REDIS_URL", url.as_str()),
        ("SOPHIE__AI__BACKEND", "openai"),
        ("OPENAI_BASE_URL", base.as_str()),
        ("OPENAI_API_KEY", "x"),
    ];
    let nodes = [Broker::start(0, &environment).await, Broker::start(0, &environment).await];
    let mut sockets = Vec::new();
    for (node, session) in nodes.iter().zip(["leads", "follows"]) {
        let mut socket = TestSocket::open(node.address, session, "").await;
        socket.insist_on("q", json!({"type": "message.send", "text": "What is new?"})).await;
        ai.wait_calls(1, SOON).await;
        sockets.push(socket);
    }
    gate.word("one ");
    let mut starts = Vec::new();
    for socket in &mut sockets {
        starts.push(socket.event_of("answer.start").await);
        assert_eq!(socket.event_of("answer.delta").await["text"], "one ");
    }
    assert_eq!(starts[1]["cache"], "coalesced");

    redis.suffer(fault);
    for node in &nodes {
        until_ready(node, 503).await;
    }
    gate.word("two ");
    assert_eq!(sockets[0].event_of("answer.delta").await["text"], "two ", "who leads needs no Redis for its own");
    sleep(OUTAGE).await;
    // The end as well comes while nobody else can be told.
    gate.word("three");
    gate.finish();
    ai.wait_finished(0, SOON).await;
    assert!(sockets[1].settled().await.iter().all(|event| event["type"] != "answer.error"), "nobody is declared dead");
    redis.recover(fault);

    let [leads, follows] = &mut sockets[..] else { unreachable!("two") };
    let led = Answer::rest(leads, starts[0].clone(), "one two ".into()).await;
    let followed = Answer::rest(follows, starts[1].clone(), "one ".into()).await;
    for answer in [&led, &followed] {
        assert_eq!((&answer.end["type"], answer.text.as_str()), (&json!("answer.end"), "one two three"), "{answer:?}");
    }
    assert_eq!(ai.calls(), 1);
    for (node, socket) in nodes.iter().zip(&mut sockets) {
        until_ready(node, 200).await;
        let history = socket.insist_on("h", json!({"type": "history.get"})).await;
        let ends = history["events"].as_array().expect("events").iter();
        assert_eq!(ends.filter(|event| event["type"] == "answer.end").count(), 1, "{history}");
    }
}
