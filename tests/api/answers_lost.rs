//! Answers that a store which went back has lost: nobody shows one as being written for ever.

use serde_json::{Value, json};

use crate::ai_server::{AiServer, Script};
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
    viewer.event_of("answer.delta").await;
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
    proxy.set(Passage::Late(std::time::Duration::ZERO));
    let reset = loop {
        let event = viewer.event_within(INTERRUPTED_WITHIN).await;
        if event["type"] == "log.reset" {
            break event;
        }
    };
    assert_eq!(reset["seq"], 2, "behind question and end");
    eventually("nothing is shown as being written", SOON, async || shown(&deaf).await.is_empty().then_some(())).await;
}
