//! `kill -9` under load: what was acknowledged is there afterwards, once; what was being written is ended.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt;
use redis::Commands;
use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Broker, SOON, TestServer, TestSocket, described, eventually};

/// What the protocol promises, from the restart on.
const INTERRUPTED_WITHIN: Duration = Duration::from_secs(15);

/// Speaks without pause until the connection is gone. Returns what was acknowledged, by text, and what was only sent.
async fn speak_until_cut(mut socket: TestSocket, session: usize) -> (HashMap<String, u64>, Vec<(String, String)>) {
    let (mut acknowledged, mut sent) = (HashMap::new(), Vec::new());
    for n in 0.. {
        let (id, text) = (format!("m{n}"), format!("{session}-{n}"));
        let command = json!({"type": "message.send", "id": id, "text": text, "assistant": false}).to_string();
        sent.push((id.clone(), text.clone()));
        if futures_util::SinkExt::send(&mut socket.stream, Message::text(command)).await.is_err() {
            break;
        }
        // Several under way at once: the window is ten commands.
        if n < 10 {
            continue;
        }
        let reply = loop {
            match timeout(SOON, socket.stream.next()).await.expect("an answer or an end") {
                Some(Ok(Message::Text(text))) => {
                    let event: Value = serde_json::from_str(&text).expect("JSON");
                    described::frame("sophie", &event);
                    if event["type"] == "ack" {
                        break Some(event);
                    }
                    // Redis was late: it is said again with the same id, as clients do.
                    if event["code"] == "store_unavailable" {
                        sleep(Duration::from_millis(100)).await;
                        let id = event["id"].as_str().expect("an id");
                        let text = format!("{session}-{}", &id[1..]);
                        let command = json!({"type": "message.send", "id": id, "text": text, "assistant": false});
                        _ = socket.try_send(command).await;
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break None,
            }
        };
        let Some(reply) = reply else { break };
        let id = reply["id"].as_str().expect("an id");
        let text = format!("{session}-{}", &id[1..]);
        acknowledged.insert(text, reply["seq"].as_u64().expect("a seq"));
    }
    (acknowledged, sent)
}

/// Every message of a session's log, by text.
async fn logged(socket: &mut TestSocket) -> HashMap<String, u64> {
    let (mut all, mut before) = (HashMap::new(), Value::Null);
    loop {
        let mut command = json!({"type": "history.get", "limit": 100});
        if !before.is_null() {
            command["before"] = before;
        }
        let page = socket.insist_on("h", command).await;
        let events = page["events"].as_array().unwrap_or_else(|| panic!("{page}"));
        for event in events.iter().filter(|event| event["type"] == "message") {
            let text = event["message"]["text"].as_str().expect("text").to_owned();
            let doubled = all.insert(text, event["seq"].as_u64().expect("a seq"));
            assert_eq!(doubled, None, "logged twice: {event}");
        }
        if page["more"] == false {
            return all;
        }
        before = events[0]["seq"].clone();
    }
}

#[tokio::test]
async fn every_acknowledged_message_outlives_a_kill_and_none_is_doubled() {
    const SESSIONS: usize = 6;
    let server = TestServer::start();
    let url = server.url(0);
    let environment = [("USE_REDIS", "true"), ("REDIS_URL", url.as_str()), ("SOPHIE__SESSION__LOG_EVENTS", "100000")];
    let mut broker = Broker::start(0, &environment).await;
    let mut speakers = JoinSet::new();
    for n in 0..SESSIONS {
        let socket = TestSocket::open(broker.address, &format!("s{n}"), "").await;
        speakers.spawn(async move { (n, speak_until_cut(socket, n).await) });
    }
    eventually("some load", SOON, async || {
        let length: u64 = server.connection(0).xlen("sophie:log:chat_s0").expect("an answer");
        (length > 100).then_some(())
    })
    .await;
    broker.signal("-KILL");
    broker.wait(SOON);
    let spoken = speakers.join_all().await;

    let broker = Broker::start(broker.address.port(), &environment).await;
    let mut total = 0;
    for (n, (acknowledged, sent)) in spoken {
        assert!(!acknowledged.is_empty());
        total += acknowledged.len();
        let mut socket = TestSocket::open(broker.address, &format!("s{n}"), "").await;
        let after = logged(&mut socket).await;
        for (text, seq) in &acknowledged {
            assert_eq!(after.get(text), Some(seq), "{text} was acknowledged");
        }
        // A client that does not know what became of its last messages sends them again.
        for (id, text) in sent.iter().rev().take(30) {
            let reply = socket.insist(id, text).await;
            assert_eq!(reply["type"], "ack", "{reply}");
        }
        let whole = logged(&mut socket).await;
        assert_eq!(whole.len(), sent.len());
        let mut seqs: Vec<u64> = whole.into_values().collect();
        seqs.sort_unstable();
        assert_eq!(seqs, (1..=sent.len() as u64).collect::<Vec<_>>(), "no hole");
    }
    println!("{total} acknowledged messages outlived the kill");
}

#[tokio::test]
async fn an_answer_under_way_ends_as_interrupted_and_can_be_asked_for_again() {
    let server = TestServer::start();
    let ai = AiServer::start().await;
    let (script, gate) = Script::gated();
    ai.push(script);
    ai.set_default(|| Script::answer("The whole answer."));
    let redis = server.url(0);
    let environment = [&ai.environment()[..], &[("USE_REDIS", "true"), ("REDIS_URL", redis.as_str())]].concat();
    let mut broker = Broker::start(0, &environment).await;
    let mut socket = TestSocket::open(broker.address, "s1", "").await;
    let ack = socket.insist_on("q", json!({"type": "message.send", "text": "Tell me."})).await;
    let start = socket.event_of("answer.start").await;
    gate.word("so ");
    gate.word("far");
    let key = format!("sophie:answer:{}:text", start["answer"].as_str().expect("an id"));
    eventually("the text is saved", SOON, async || {
        let saved: Option<String> = server.connection(0).get(&key).expect("an answer");
        (saved.as_deref() == Some("so far")).then_some(())
    })
    .await;
    broker.signal("-KILL");
    broker.wait(SOON);

    let restarted = Instant::now();
    let broker = Broker::start(broker.address.port(), &environment).await;
    let epoch = socket.ready["epoch"].as_str().expect("an epoch");
    let mut socket = TestSocket::open(broker.address, "s1", &format!("?since=1&epoch={epoch}")).await;
    assert_eq!(socket.ready["recovered"], true, "{}", socket.ready);
    let until = restarted + INTERRUPTED_WITHIN;
    let failed = loop {
        let frame = timeout_at(until, socket.stream.next()).await.expect("interrupted within 15 s of the restart");
        if let Message::Text(text) = frame.expect("open").expect("open") {
            let event: Value = serde_json::from_str(&text).expect("JSON");
            described::frame("sophie", &event);
            if event["type"] == "answer.error" {
                break event;
            }
        }
    };
    println!("interrupted {:?} after the restart", restarted.elapsed());
    assert_eq!((&failed["code"], &failed["text"]), (&json!("interrupted"), &json!("so far")));
    assert_eq!((&failed["answer"], &failed["seq"]), (&start["answer"], &json!(2)));

    let retried = socket.insist_on("r", json!({"type": "answer.retry", "message": ack["message"]})).await;
    assert_eq!(retried["type"], "ack", "{retried}");
    let again = socket.event_of("answer.start").await;
    assert_eq!(again["message"], ack["message"]);
    let end = socket.event_of("answer.end").await;
    assert_eq!((&end["answer"], &end["text"], &end["seq"]), (&again["answer"], &json!("The whole answer."), &json!(3)));
    let history = socket.insist_on("h", json!({"type": "history.get"})).await;
    let kinds: Vec<&str> =
        history["events"].as_array().expect("events").iter().filter_map(|e| e["type"].as_str()).collect();
    assert_eq!(kinds, ["message", "answer.error", "answer.end"]);
}
