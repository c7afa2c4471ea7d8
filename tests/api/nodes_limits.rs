//! Limits that several nodes share: exact, however many try at once, and not lost with a node.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};

use crate::support::{Broker, JWT, SOON, TestApp, TestServer, TestSocket, Token, eventually};

/// A node that died holds its slots until their leases have run out.
const FREED_WITHIN: Duration = Duration::from_secs(30);

async fn three(redis: &TestServer, environment: &[(&str, &str)]) -> Vec<TestApp> {
    join_all((0..3).map(async |n| TestApp::one_of(redis, &format!("n{n}"), environment).await)).await
}

/// Sends to all sockets at once, so many each; the replies.
async fn all_at_once(sockets: &mut [TestSocket], each: usize, assistant: bool) -> Vec<Value> {
    let replies = join_all(sockets.iter_mut().enumerate().map(async |(at, socket)| {
        let id = |n: usize| format!("{at}-{n}");
        for n in 0..each {
            let text = format!("question {at} {n}");
            socket.send(json!({"type": "message.send", "id": id(n), "text": text, "assistant": assistant})).await;
        }
        let mut replies = Vec::new();
        while replies.len() < each {
            let event = socket.event().await;
            if event["type"] == "ack" || event["type"] == "error" {
                replies.push(event);
            }
        }
        replies
    }));
    replies.await.into_iter().flatten().collect()
}

async fn question(socket: &mut TestSocket, id: &str) -> Value {
    socket.insist_on(id, json!({"type": "message.send", "text": id})).await
}

fn count(replies: &[Value], what: &str) -> usize {
    replies.iter().filter(|reply| reply["type"] == what || reply["code"] == what).count()
}

#[tokio::test]
async fn a_limit_of_messages_admits_exactly_so_many_of_a_hundred_on_three_nodes() {
    let redis = TestServer::start();
    let limits = [
        ("SOPHIE__LIMITS__ENABLED", "true"),
        ("SOPHIE__LIMITS__USER_MESSAGES_PER_MINUTE", "1"),
        ("SOPHIE__LIMITS__USER_BURST", "37"),
        ("SOPHIE__LIMITS__ADDRESS_MESSAGES_PER_MINUTE", "1000"),
        // No other limit is in the way, and each of them is asked.
        ("SOPHIE__LIMITS__SERVICE_MESSAGES_PER_MINUTE", "1000"),
        ("SOPHIE__LIMITS__GROUP_MESSAGES_PER_MINUTE", "1000"),
        JWT[0],
        JWT[1],
    ];
    let nodes = three(&redis, &limits).await;
    let query = format!("?token={}", Token::of("alice").sign());
    let mut sockets = Vec::new();
    for n in 0..20 {
        sockets.push(nodes[n % 3].open_with(&format!("s{n}"), &query).await);
    }
    let replies = all_at_once(&mut sockets, 5, false).await;
    assert_eq!((count(&replies, "ack"), count(&replies, "rate_limited")), (37, 63));
    let (_, left) = nodes[2].admin("GET", "/admin/api/limits/alice", None).await;
    assert_eq!((&left["limits"][0]["name"], &left["limits"][0]["remaining"]), (&json!("user_messages"), &json!(0)));
    // What was refused by one limit took nothing of the others.
    let (_, left) = nodes[0].admin("GET", "/admin/api/limits/service", None).await;
    let remaining = left["limits"][0]["remaining"].as_u64().expect("a number");
    assert!((963..=1_000).contains(&remaining), "{left}");
}

#[tokio::test]
async fn a_session_has_so_many_answers_at_once_whichever_nodes_its_sockets_are_at() {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    ai.set_default(Script::silent);
    let environment = [&ai.environment()[..], &[("SOPHIE__LIMITS__ANSWERS_PER_SESSION", "4")]].concat();
    let nodes = three(&redis, &environment).await;
    let mut sockets = Vec::new();
    for node in &nodes {
        sockets.push(node.open("s1").await);
    }
    let replies = all_at_once(&mut sockets, 34, true).await;
    assert_eq!((count(&replies, "ack"), count(&replies, "busy")), (4, 98));
    for node in &nodes {
        let (_, session) = node.admin("GET", "/admin/api/sessions/s1", None).await;
        assert_eq!(session["answers"], 4, "{session}");
    }
    // Nothing was logged of what was refused.
    let history = sockets[0].ask("h", json!({"type": "history.get", "limit": 100})).await;
    assert_eq!(history["events"].as_array().map(Vec::len), Some(4));
    // Where an answer ends, a slot is free on all nodes.
    let answer = eventually("an answer is known", SOON, async || {
        let late = nodes[1].open("s1").await;
        Some(late.ready["answers"][0]["answer"].clone()).filter(Value::is_string)
    });
    let cancel = json!({"type": "answer.cancel", "answer": answer.await});
    let (reply, _) = sockets[2].ask_for("c", cancel, "answer.end").await;
    assert_eq!(reply["type"], "ack", "{reply}");
    assert_eq!(question(&mut sockets[2], "next").await["type"], "ack");
    assert_eq!(question(&mut sockets[0], "last").await["code"], "busy");
}

#[tokio::test]
async fn the_service_has_so_many_answers_at_once_on_three_nodes() {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    ai.set_default(Script::silent);
    let environment = [&ai.environment()[..], &[("SOPHIE__LIMITS__ANSWERS_AT_ONCE", "10")]].concat();
    let nodes = three(&redis, &environment).await;
    let mut sockets = Vec::new();
    for n in 0..50 {
        sockets.push(nodes[n % 3].open(&format!("s{n}")).await);
    }
    let replies = all_at_once(&mut sockets, 2, true).await;
    assert_eq!((count(&replies, "ack"), count(&replies, "busy")), (10, 90));
    let refused = replies.iter().find(|reply| reply["code"] == "busy").expect("most were");
    assert!(refused["retry_after_ms"].is_u64(), "{refused}");
    let speak = json!({"text": "hi", "assistant": true});
    let spoken = nodes[0].request("POST", "/api/groups/team/messages").json(&speak).send().await.expect("a response");
    assert_eq!(spoken.status(), 429, "applications count as well");
}

#[tokio::test]
async fn a_node_that_dies_loses_its_slots() {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    ai.set_default(Script::silent);
    let url = redis.url(0);
    let own = [("USE_REDIS", "true"), ("REDIS_URL", url.as_str()), ("SOPHIE__LIMITS__ANSWERS_PER_SESSION", "1")];
    let environment = [&ai.environment()[..], &own].concat();
    let (mut dies, lives) = (Broker::start(0, &environment).await, Broker::start(0, &environment).await);
    let mut there = TestSocket::open(dies.address, "s1", "").await;
    let mut here = TestSocket::open(lives.address, "s1", "").await;
    assert_eq!(question(&mut there, "q").await["type"], "ack");
    assert_eq!(question(&mut here, "early").await["code"], "busy");
    dies.signal("-KILL");
    dies.wait(FREED_WITHIN);
    let here = tokio::sync::Mutex::new(here);
    let attempt = std::sync::atomic::AtomicUsize::new(0);
    eventually("the slot is free", FREED_WITHIN, async || {
        let n = attempt.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let reply = question(&mut *here.lock().await, &format!("try-{n}")).await;
        assert!(reply["type"] == "ack" || reply["code"] == "busy", "{reply}");
        (reply["type"] == "ack").then_some(())
    })
    .await;
}
