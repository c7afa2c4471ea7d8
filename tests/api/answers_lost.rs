//! Answers that a store which went back has lost: nobody shows one as being written for ever.

use std::time::Duration;

use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};

use crate::answers_owed::{INTERRUPTED_WITHIN, log, node_at};
use crate::support::{Broker, Passage, Proxy, SOON, TestServer, TestSocket, eventually};

/// The answers that a session which connects now is shown as being written.
async fn shown(node: &Broker) -> Vec<Value> {
    let socket = TestSocket::open(node.address, "s1", "").await;
    socket.ready["answers"].as_array().expect("answers").clone()
}

#[tokio::test]
async fn an_answer_that_was_lost_with_its_writer_ends_as_interrupted() {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    ai.set_default(|| Script::silent_after("so far"));
    let mut dying = node_at(&redis.url(0), &ai, "dying").await;
    let living = node_at(&redis.url(0), &ai, "living").await;
    let mut asker = TestSocket::open(dying.address, "s1", "").await;
    let mut viewer = TestSocket::open(living.address, "s1", "").await;
    asker.insist_on("q", json!({"type": "message.send", "text": "Tell me."})).await;
    let start = viewer.event_of("answer.start").await;
    let mut text = String::new();
    while text != "so far" {
        text += viewer.event_of("answer.delta").await["text"].as_str().expect("text");
    }
    // It must not see that the store is empty.
    dying.signal("-STOP");
    redis::cmd("FLUSHALL").query::<()>(&mut redis.connection(0)).expect("flushed");
    dying.signal("-KILL");
    dying.wait(SOON);
    let error = loop {
        let event = viewer.event_within(INTERRUPTED_WITHIN).await;
        if event["type"] == "answer.error" {
            break event;
        }
    };
    assert_eq!((&error["answer"], &error["code"]), (&start["answer"], &json!("interrupted")));
    assert_eq!(error["text"], "so far", "what was shown is kept");
    assert_eq!(shown(&living).await, Vec::<Value>::new());
    assert_eq!(log(&redis, "s1").iter().filter(|event| event["type"] != "message").count(), 1);
}

#[tokio::test]
async fn an_answer_that_ended_while_a_join_waited_is_not_shown_to_who_joins() {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    let (script, gate) = Script::gated();
    ai.push(script);
    let asking = node_at(&redis.url(0), &ai, "asking").await;
    let proxy = Proxy::before(redis.port());
    let viewing = node_at(&format!("redis://127.0.0.1:{}/0", proxy.port), &ai, "viewing").await;
    let mut asker = TestSocket::open(asking.address, "s1", "").await;
    let mut viewer = TestSocket::open(viewing.address, "s1", "").await;
    let join = json!({"type": "group.join", "group": "room"});
    let mut member = TestSocket::open(asking.address, "s2", "").await;
    assert_eq!(member.insist_on("join", join.clone()).await["type"], "ack");
    let mut joining = TestSocket::open(viewing.address, "s3", "").await;
    proxy.set(Passage::Closed);
    assert_eq!(joining.ask("early", join.clone()).await["code"], "store_unavailable");
    proxy.set(Passage::Late(Duration::ZERO));
    // What is told in this group comes to the other node behind all that was told before.
    heard(&mut asker, &mut viewer, "the feed is back").await;
    member.insist_on("q", json!({"type": "message.send", "text": "Tell me.", "group": "room"})).await;
    member.event_of("answer.start").await;
    gate.word("so far");
    member.event_of("answer.delta").await;
    gate.finish();
    member.event_of("answer.end").await;
    heard(&mut asker, &mut viewer, "it has ended").await;
    assert_eq!(joining.insist_on("join", join).await["type"], "ack");
    let since = joining.settled().await;
    assert!(since.iter().all(|event| event["type"] != "answer.start"), "{since:?}");
    let again = TestSocket::open(viewing.address, "s3", "").await;
    assert_eq!(again.ready["answers"], json!([]));
}

/// Says something that another socket of the session must see.
async fn heard(teller: &mut TestSocket, hearer: &mut TestSocket, text: &str) {
    assert_eq!(teller.insist(text, text).await["type"], "ack");
    while hearer.event_of("message").await["message"]["text"] != text {}
}

#[tokio::test]
async fn an_end_behind_which_the_log_began_anew_is_an_end_for_who_had_not_heard_it() {
    let (mut redis, ai) = (TestServer::start(), AiServer::start().await);
    let (script, gate) = Script::gated();
    ai.push(script);
    let hearing = node_at(&redis.url(0), &ai, "hearing").await;
    let proxy = Proxy::before(redis.port());
    let deaf = node_at(&format!("redis://127.0.0.1:{}/0", proxy.port), &ai, "deaf").await;
    let mut asker = TestSocket::open(hearing.address, "s1", "").await;
    let mut viewer = TestSocket::open(deaf.address, "s1", "").await;
    asker.insist_on("q", json!({"type": "message.send", "text": "Tell me."})).await;
    gate.word("so far");
    viewer.event_of("answer.delta").await;
    proxy.set(Passage::Closed);
    gate.finish();
    asker.event_of("answer.end").await;
    redis.save();
    let say = |text: &str| json!({"type": "message.send", "text": text, "assistant": false});
    assert_eq!(asker.insist_on("lost", say("Lost.")).await["type"], "ack");
    redis.kill();
    redis.launch();
    assert_eq!(asker.insist_on("after", say("After.")).await["type"], "ack");
    proxy.set(Passage::Late(Duration::ZERO));
    let reset = loop {
        let event = viewer.event_within(INTERRUPTED_WITHIN).await;
        if event["type"] == "log.reset" {
            break event;
        }
    };
    assert_eq!(reset["seq"], 2, "behind question and end");
    eventually("nothing is shown as being written", SOON, async || shown(&deaf).await.is_empty().then_some(())).await;
}
