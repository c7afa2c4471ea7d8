//! An acknowledged question has exactly one answer or one error, whatever becomes of who was to write it.

use std::collections::HashMap;
use std::time::Duration;

use redis::Commands;
use redis::streams::StreamRangeReply;
use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{ADMIN_TOKEN, Broker, SOON, TestApp, TestServer, TestSocket, eventually};

/// What the protocol promises of a node that died is 15 s. A node that Redis answers too late once leaves its writers 5 s more, and on a
/// busy machine that happens.
pub(crate) const INTERRUPTED_WITHIN: Duration = Duration::from_secs(25);

async fn node(redis: &TestServer, ai: &AiServer, name: &str) -> Broker {
    node_at(&redis.url(0), ai, name).await
}

/// A node that uses the Redis at this URL.
pub(crate) async fn node_at(url: &str, ai: &AiServer, name: &str) -> Broker {
    Broker::node(url, ai, name, &[]).await
}

/// What lies in the log of a session's home group.
pub(crate) fn log(redis: &TestServer, session: &str) -> Vec<Value> {
    let key = format!("sophie:log:chat_{session}");
    let entries: StreamRangeReply = redis.connection(0).xrange_all(key).expect("an answer");
    let body = |entry: &redis::streams::StreamId| entry.get::<String>("b").expect("a body");
    entries.ids.iter().map(|entry| serde_json::from_str(&body(entry)).expect("JSON")).collect()
}

/// How often each question in a session's log was answered, by the message's id.
fn ends(redis: &TestServer, session: &str) -> HashMap<String, usize> {
    let log = log(redis, session);
    let id = |value: &Value| value.as_str().expect("an id").to_owned();
    let questions = log.iter().filter(|event| event["type"] == "message").map(|event| id(&event["message"]["id"]));
    let mut ends: HashMap<String, usize> = questions.map(|question| (question, 0)).collect();
    for event in log.iter().filter(|event| event["type"] != "message") {
        *ends.entry(id(&event["message"])).or_default() += 1;
    }
    ends
}

#[tokio::test]
async fn questions_of_a_node_that_is_killed_in_a_burst_have_one_answer_or_one_error_each() {
    const SESSIONS: usize = 40;
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    ai.set_default(|| Script::silent_after("so far"));
    let mut dying = node(&redis, &ai, "dying").await;
    let _living = node(&redis, &ai, "living").await;
    let name = |n: usize| format!("s{n}");
    let mut sockets = Vec::new();
    for n in 0..SESSIONS {
        sockets.push(TestSocket::open(dying.address, &name(n), "").await);
    }
    for (n, socket) in sockets.iter_mut().enumerate() {
        for id in ["a", "b"] {
            let text = format!("Question {id} of {n}");
            socket.send(json!({"type": "message.send", "id": id, "text": text})).await;
        }
    }
    // What was logged was perhaps acknowledged: it is held to the same.
    let all = || (0..SESSIONS).flat_map(|n| ends(&redis, &name(n)).into_values()).collect::<Vec<_>>();
    while all().len() < 10 {
        sleep(Duration::from_millis(1)).await;
    }
    dying.signal("-KILL");
    dying.wait(SOON);
    let died = Instant::now();
    let mut acknowledged = 0;
    for socket in &mut sockets {
        let (events, _) = socket.until_closed().await;
        acknowledged += events.iter().filter(|event| event["type"] == "ack").count();
    }
    let logged = all().len();
    println!("{logged} questions logged, {acknowledged} acknowledged");
    assert!(logged >= acknowledged);
    while all().contains(&0) {
        assert!(died.elapsed() < INTERRUPTED_WITHIN, "without an end: {:?}", all());
        sleep(Duration::from_millis(200)).await;
    }
    println!("all ended {:?} after the kill", died.elapsed());
    sleep(Duration::from_secs(2)).await;
    assert_eq!(all(), vec![1; logged], "each once");
}

#[tokio::test]
async fn a_hundred_long_answers_of_a_dead_node_end_in_time() {
    const SESSIONS: usize = 100;
    const LENGTH: usize = 300_000;
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    let long: &'static str = Box::leak("x".repeat(LENGTH).into_boxed_str());
    ai.set_default(move || Script::silent_after(long));
    let mut dying = node(&redis, &ai, "dying").await;
    let living = node(&redis, &ai, "living").await;
    let name = |n: usize| format!("s{n}");
    let mut sockets = Vec::new();
    for n in 0..SESSIONS {
        let mut socket = TestSocket::open(dying.address, &name(n), "").await;
        // The same for all: the model is asked once.
        let ack = socket.insist_on("q", json!({"type": "message.send", "text": "Tell me everything."})).await;
        assert_eq!(ack["type"], "ack", "{ack}");
        sockets.push(socket);
    }
    eventually("all of all texts is saved", 3 * SOON, async || {
        let mut connection = redis.connection(0);
        let keys: Vec<String> = connection.keys("sophie:answer:*:text").expect("an answer");
        let saved = keys.iter().filter(|key| connection.strlen::<_, usize>(*key).expect("an answer") >= LENGTH);
        (saved.count() == SESSIONS).then_some(())
    })
    .await;
    let mut viewer = TestSocket::open(living.address, "viewer", "").await;
    dying.signal("-KILL");
    dying.wait(SOON);
    let died = Instant::now();
    let ended = |n: &usize| log(&redis, &name(*n)).iter().any(|event| event["type"] == "answer.error");
    let mut waiting: Vec<usize> = (0..SESSIONS).collect();
    while !waiting.is_empty() {
        assert!(died.elapsed() < INTERRUPTED_WITHIN, "without an end: {waiting:?}");
        waiting.retain(|n| !ended(n));
        // Nobody else suffers from it.
        let note = format!("at {}", waiting.len());
        assert_eq!(viewer.insist(&note, &note).await["type"], "ack");
        sleep(Duration::from_millis(200)).await;
    }
    println!("all ended {:?} after the kill", died.elapsed());
    for n in 0..SESSIONS {
        let log = log(&redis, &name(n));
        assert_eq!(log.len(), 2, "a question and an end");
        assert_eq!(log[1]["text"].as_str().map(str::len), Some(LENGTH));
    }
}

#[tokio::test]
async fn a_node_that_was_frozen_until_its_end_was_forgotten_does_not_end_again() {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    let (script, gate) = Script::gated();
    ai.push(script);
    let frozen = node(&redis, &ai, "frozen").await;
    let living = node(&redis, &ai, "living").await;
    let mut asker = TestSocket::open(frozen.address, "s1", "").await;
    let mut viewer = TestSocket::open(living.address, "s1", "").await;
    asker.insist_on("q", json!({"type": "message.send", "text": "Tell me."})).await;
    gate.word("so far");
    let start = viewer.event_of("answer.start").await;
    viewer.event_of("answer.delta").await;
    frozen.signal("-STOP");
    let error = loop {
        let event = viewer.event_within(INTERRUPTED_WITHIN).await;
        if event["type"] == "answer.error" {
            break event;
        }
    };
    assert_eq!((&error["code"], &error["answer"]), (&json!("interrupted"), &start["answer"]));
    // As when ten minutes have passed.
    let key = format!("sophie:answer:{}", start["answer"].as_str().expect("an id"));
    assert_eq!(redis.connection(0).del::<_, usize>(&key), Ok(1));
    frozen.signal("-CONT");
    gate.word(" and on");
    gate.finish();
    // It learns that it has ended, and says no more.
    eventually("nothing is under way", SOON, async || {
        let (_, metrics) = frozen.get("/metrics").await;
        metrics.contains("sophie_answers_running 0\n").then_some(())
    })
    .await;
    let later = viewer.settled().await;
    assert!(later.iter().all(|event| event["type"] != "answer.end"), "{later:?}");
    assert_eq!(log(&redis, "s1").iter().filter(|event| event["type"] != "message").count(), 1);
}

#[tokio::test]
async fn an_answer_goes_on_over_a_store_that_came_back_empty_and_ends_once() {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    let (script, gate) = Script::gated();
    ai.push(script);
    let node = node(&redis, &ai, "n").await;
    let mut socket = TestSocket::open(node.address, "s1", "").await;
    socket.insist_on("q", json!({"type": "message.send", "text": "Tell me."})).await;
    gate.word("so far");
    socket.event_of("answer.delta").await;
    redis::cmd("FLUSHALL").query::<()>(&mut redis.connection(0)).expect("flushed");
    gate.word(" and on");
    socket.event_of("answer.delta").await;
    sleep(Duration::from_secs(1)).await;
    gate.finish();
    assert_eq!(socket.event_of("answer.end").await["text"], "so far and on");
    let log = log(&redis, "s1");
    assert_eq!(log.iter().filter(|event| event["type"] == "answer.end").count(), 1, "{log:?}");
}

#[tokio::test]
async fn a_question_over_http_is_answered_though_its_sender_has_left() {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    ai.set_default(|| Script::answer("An answer."));
    // With time for Redis: a question whose place in the log is confirmed too late is carried out by nobody but its sender.
    let app = TestApp::one_of(&redis, "n", &ai.environment()).await;
    let mut viewer = app.open("s1").await;
    let mut tries = 0;
    while ends(&redis, "s1").len() < 30 {
        let body = json!({"text": format!("Question {tries}"), "assistant": true});
        let request = app.request("POST", "/admin/api/groups/chat_s1/messages").bearer_auth(ADMIN_TOKEN);
        let sent = request.json(&body).send();
        // Its sender leaves at some moment of the few milliseconds that it takes.
        _ = timeout(Duration::from_micros(500 * (tries % 40)), sent).await;
        tries += 1;
        assert!(tries < 4_000, "none gets through");
    }
    sleep(Duration::from_secs(1)).await;
    let logged = eventually("each has its end", INTERRUPTED_WITHIN, async || {
        let ends = ends(&redis, "s1");
        (!ends.values().any(|count| *count == 0)).then_some(ends)
    })
    .await;
    assert!(logged.values().all(|count| *count == 1), "{logged:?}");
    let errors = log(&redis, "s1").iter().filter(|event| event["type"] == "answer.error").count();
    assert_eq!(errors, 0, "what was logged is carried out");
    viewer.settled().await;
}

#[tokio::test]
async fn a_retry_of_a_made_up_message_reads_no_log() {
    const TRIES: usize = 30;
    let app = TestApp::patient(crate::support::Mode::Redis, &[]).await;
    let mut socket = app.open("s1").await;
    let text = "word ".repeat(600);
    for n in 0..200 {
        assert_eq!(socket.say(&format!("m{n}"), &text).await["type"], "ack");
    }
    let known = socket.say("last", "The last one.").await["message"].as_str().expect("an id").to_owned();
    let read = || -> u64 {
        let info: String = redis::cmd("INFO").arg("stats").query(&mut app.redis().connection(0)).expect("an answer");
        let line = info.lines().find_map(|line| line.strip_prefix("total_net_output_bytes:")).expect("a figure");
        line.trim().parse().expect("a number")
    };
    let before = read();
    let tag = &known[..7];
    for n in 0..TRIES {
        // As an id of this group's looks, without a place, at one of another message, and at none.
        for id in
            [format!("{tag}madeupmadeup{n:02}"), format!("{tag}madeupmadeup{n:02}-{}", n + 1), format!("{known}9")]
        {
            let refused = socket.ask("r", json!({"type": "answer.retry", "message": id})).await;
            assert_eq!(refused["code"], "not_found", "{refused}");
        }
    }
    let each = (read() - before) / (3 * TRIES) as u64;
    println!("{each} bytes a command");
    assert!(each < 8_000, "{each} bytes a command");
    let retry = socket.ask("r", json!({"type": "answer.retry", "message": known})).await;
    assert_eq!(retry["type"], "ack", "{retry}");
    assert_eq!(socket.event_of("answer.start").await["message"], known);
}
