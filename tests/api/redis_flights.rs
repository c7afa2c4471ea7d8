//! Two nodes share an answer, and the Redis between them goes away in its middle.

use std::time::Duration;

use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Gate, Script};
use tokio::time::sleep;

use crate::support::{Answer, Broker, Client, Fault, FaultyRedis, SOON, TestSocket, eventually, streamed};

under_each_fault!(
    an_answer_of_two_nodes_outlasts_the_store_and_ends_once_at_each,
    who_leaves_while_the_store_is_away_ends_the_answer_and_nothing_else,
);

/// Longer than a leader is believed to live without a word.
const OUTAGE: Duration = Duration::from_millis(5_500);

async fn until_ready(node: &Broker, status: u16) {
    eventually("readiness", SOON, async || (node.readiness().await.0 == status).then_some(())).await;
}

/// An answer that two nodes share.
struct Shared {
    gate: Gate,
    /// Which of the AI server's calls it is.
    call: usize,
    /// Of the node that leads, and of the one that follows.
    sockets: Vec<TestSocket>,
    starts: Vec<Value>,
}

/// Asks both nodes the same. On a machine that is so busy that Redis is late already, a node asks for itself: then once more.
async fn share(nodes: &[Broker; 2], ai: &AiServer) -> Shared {
    for attempt in 0..10 {
        let (script, gate) = Script::gated();
        let call = ai.calls();
        ai.push(script);
        let (mut sockets, mut starts) = (Vec::new(), Vec::new());
        for (node, session) in nodes.iter().zip(["leads", "follows"]) {
            let mut socket = TestSocket::open(node.address, &format!("{session}-{attempt}"), "").await;
            let question = json!({"type": "message.send", "text": format!("What is new, {attempt}?")});
            socket.insist_on("q", question).await;
            ai.wait_calls(call + 1, SOON).await;
            starts.push(socket.event_of("answer.start").await);
            sockets.push(socket);
        }
        if starts[1]["cache"] == "coalesced" {
            return Shared { gate, call, sockets, starts };
        }
        gate.finish();
        for socket in &mut sockets {
            socket.event_of("answer.end").await;
        }
    }
    panic!("the nodes share no answer");
}

async fn an_answer_of_two_nodes_outlasts_the_store_and_ends_once_at_each(fault: Fault) {
    let (redis, ai) = (FaultyRedis::start(), AiServer::start().await);
    let url = redis.url(0);
    let environment = [&ai.environment()[..], &[("USE_REDIS", "true"), ("REDIS_URL", url.as_str())]].concat();
    let nodes = [Broker::start(0, &environment).await, Broker::start(0, &environment).await];
    let Shared { gate, call, mut sockets, starts } = share(&nodes, &ai).await;
    gate.word("one ");
    for socket in &mut sockets {
        assert_eq!(socket.event_of("answer.delta").await["text"], "one ");
    }

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
    ai.wait_finished(call, SOON).await;
    assert!(sockets[1].settled().await.iter().all(|event| event["type"] != "answer.error"), "nobody is declared dead");
    redis.recover(fault);

    let [leads, follows] = &mut sockets[..] else { unreachable!("two") };
    let led = Answer::rest(leads, starts[0].clone(), "one two ".into()).await;
    let followed = Answer::rest(follows, starts[1].clone(), "one ".into()).await;
    for answer in [&led, &followed] {
        assert_eq!((&answer.end["type"], answer.text.as_str()), (&json!("answer.end"), "one two three"), "{answer:?}");
    }
    assert_eq!(ai.calls(), call + 1);
    for (node, socket) in nodes.iter().zip(&mut sockets) {
        until_ready(node, 200).await;
        let history = socket.insist_on("h", json!({"type": "history.get"})).await;
        let ends = history["events"].as_array().expect("events").iter();
        assert_eq!(ends.filter(|event| event["type"] == "answer.end").count(), 1, "{history}");
    }
}

async fn who_leaves_while_the_store_is_away_ends_the_answer_and_nothing_else(fault: Fault) {
    let (redis, ai) = (FaultyRedis::start(), AiServer::start().await);
    let url = redis.url(0);
    let environment = [&ai.environment()[..], &[("USE_REDIS", "true"), ("REDIS_URL", url.as_str())]].concat();
    let node = Broker::start(0, &environment).await;
    let http = Client::new();
    let ask =
        |text: &str| http.post(format!("http://{}/v1/chat/completions", node.address)).json(&streamed(text)).send();
    ai.push(Script::silent_after("one two"));
    let mut asked = ask("?").await.expect("a response");
    asked.chunk().await.expect("read").expect("something");
    redis.suffer(fault);
    until_ready(&node, 503).await;
    drop(asked);
    ai.wait_cancelled(0, SOON).await;
    ai.push(Script::answer("Still here."));
    let other = tokio::time::timeout(SOON, async { ask("another?").await?.text().await }).await;
    let other = other.expect("in time").expect("a body");
    assert!(other.contains("[DONE]"), "{other}");
    redis.recover(fault);
}
