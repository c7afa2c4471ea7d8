//! A Redis that comes back with an older state, under several nodes: whatever was acknowledged after that is delivered,
//! and nobody is told that nothing is missing.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};
use tokio::time::Instant;

use crate::support::{SOON, TestApp, TestServer, TestSocket};

async fn nodes(redis: &TestServer) -> [TestApp; 2] {
    [TestApp::one_of(redis, "n0", &[]).await, TestApp::one_of(redis, "n1", &[]).await]
}

async fn member(node: &TestApp, session: &str) -> TestSocket {
    let mut socket = node.open(session).await;
    let reply = socket.insist_on("join", json!({"type": "group.join", "group": "team"})).await;
    assert_eq!(reply["type"], "ack", "{reply}");
    socket
}

/// Says something in the group until it is acknowledged; returns its `seq`.
async fn say(socket: &mut TestSocket, text: &str) -> u64 {
    let command = json!({"type": "message.send", "group": "team", "text": text, "assistant": false});
    let ack = socket.insist_on(text, command).await;
    assert_eq!(ack["type"], "ack", "{ack}");
    ack["seq"].as_u64().expect("a seq")
}

/// The texts and resets of the group that a listener gets, up to a text.
async fn until(listener: &mut TestSocket, last: &str) -> (Vec<String>, Vec<Value>) {
    let (mut texts, mut resets) = (Vec::new(), Vec::new());
    loop {
        let event = listener.event().await;
        if event["group"] != "team" {
            continue;
        }
        if event["type"] == "log.reset" {
            // What came before it is of another life.
            texts.clear();
            resets.push(event);
        } else if event["type"] == "message" {
            let text = event["message"]["text"].as_str().expect("text").to_owned();
            texts.push(text);
            if texts.last().is_some_and(|text| text == last) {
                return (texts, resets);
            }
        }
    }
}

fn numbered(prefix: &str, count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("{prefix}{n}")).collect()
}

/// The log's life and end, as a session that joins is told.
async fn join_since(node: &TestApp, session: &str, since: u64, epoch: &Value) -> Value {
    let mut socket = node.open(session).await;
    let join = json!({"type": "group.join", "group": "team", "since": since, "epoch": epoch});
    let ack = socket.insist_on("j", join).await;
    assert_eq!(ack["type"], "ack", "{ack}");
    ack
}

#[tokio::test]
async fn what_is_acknowledged_after_redis_went_back_reaches_everybody_and_the_loss_is_told() {
    let mut redis = TestServer::start();
    let [n0, n1] = nodes(&redis).await;
    let (mut one, mut other) = (member(&n0, "one").await, member(&n1, "other").await);
    let mut listeners = [member(&n0, "l0").await, member(&n1, "l1").await, member(&n1, "l2").await];
    let epoch = join_since(&n0, "early", 0, &Value::Null).await["epoch"].clone();
    for text in numbered("kept", 20) {
        say(&mut one, &text).await;
    }
    redis.save();
    for text in numbered("lost", 20) {
        say(&mut other, &text).await;
    }
    for listener in &mut listeners {
        assert_eq!(until(listener, "lost20").await.0.len(), 40);
    }
    redis.kill();
    redis.launch();
    for (n, text) in (1..).zip(numbered("new", 10)) {
        let speaker = if n % 2 == 0 { &mut one } else { &mut other };
        assert_eq!(say(speaker, &text).await, 20 + n, "the log goes on where it came back");
    }
    let mut lives = Vec::new();
    for listener in &mut listeners {
        let (texts, resets) = until(listener, "new10").await;
        assert_eq!(texts, numbered("new", 10));
        let [reset] = &resets[..] else { panic!("the loss is told once: {resets:?}") };
        assert_ne!(reset["epoch"], epoch);
        assert_eq!(reset["seq"], 20);
        lives.push(reset["epoch"].clone());
    }
    assert!(lives.iter().all(|life| *life == lives[0]), "one log, one epoch: {lives:?}");
    // Who was away had 25 of the lost life: the log reaches further by now, and is another one all the same.
    for node in [&n0, &n1] {
        let ack = join_since(node, "away", 25, &epoch).await;
        assert_eq!((&ack["recovered"], &ack["epoch"], &ack["seq"]), (&json!(false), &lives[0], &json!(30)));
    }
    let history = one.ask("h", json!({"type": "history.get", "group": "team", "limit": 100})).await;
    let texts: Vec<_> = history["events"].as_array().expect("events").iter().map(|it| &it["message"]["text"]).collect();
    let expected: Vec<_> = numbered("kept", 20).into_iter().chain(numbered("new", 10)).collect();
    assert_eq!(texts, expected.iter().collect::<Vec<_>>(), "what was kept can be read");
}

#[tokio::test]
async fn the_loss_is_told_though_nobody_says_anything() {
    let mut redis = TestServer::start();
    let [n0, n1] = nodes(&redis).await;
    let (mut one, mut other) = (member(&n0, "one").await, member(&n1, "other").await);
    say(&mut one, "kept").await;
    redis.save();
    say(&mut one, "lost").await;
    for listener in [&mut one, &mut other] {
        until(listener, "lost").await;
    }
    redis.kill();
    redis.launch();
    for listener in [&mut one, &mut other] {
        loop {
            let reset = listener.event_of("log.reset").await;
            if reset["group"] == "team" {
                break assert_eq!(reset["seq"], 1);
            }
        }
    }
}

#[tokio::test]
async fn a_client_that_was_away_is_not_told_that_it_misses_nothing_though_all_nodes_were_restarted() {
    let mut redis = TestServer::start();
    let [n0, n1] = nodes(&redis).await;
    let mut one = member(&n0, "one").await;
    let home = one.ready["epoch"].clone();
    let epoch = join_since(&n1, "away", 0, &Value::Null).await["epoch"].clone();
    for text in numbered("kept", 3) {
        say(&mut one, &text).await;
        one.say(&format!("h{text}"), &text).await;
    }
    redis.save();
    for text in numbered("lost", 3) {
        say(&mut one, &text).await;
        one.say(&format!("h{text}"), &text).await;
    }
    drop(one);
    for node in [n0, n1] {
        node.stop().await.expect("stopped");
    }
    redis.kill();
    redis.launch();
    let [n0, n1] = nodes(&redis).await;
    let mut one = member(&n1, "other").await;
    for text in numbered("new", 10) {
        say(&mut one, &text).await;
    }
    for node in [&n0, &n1] {
        let ack = join_since(node, "away", 6, &epoch).await;
        assert_eq!((&ack["recovered"], &ack["seq"]), (&json!(false), &json!(13)), "{ack}");
    }
    let mut back = n0.open_with("one", &format!("?since=6&epoch={}", home.as_str().expect("an epoch"))).await;
    assert_eq!((&back.ready["recovered"], &back.ready["seq"]), (&json!(false), &json!(3)), "{}", back.ready);
    for text in numbered("again", 6) {
        back.say(&text, &text).await;
    }
    let back = n1.open_with("one", &format!("?since=6&epoch={}", home.as_str().expect("an epoch"))).await;
    assert_eq!((&back.ready["recovered"], &back.ready["seq"]), (&json!(false), &json!(9)), "{}", back.ready);
}

#[tokio::test]
async fn an_id_of_what_was_lost_is_new_and_one_of_what_was_kept_is_known() {
    let mut redis = TestServer::start();
    let [n0, n1] = nodes(&redis).await;
    let (mut one, mut other) = (member(&n0, "one").await, member(&n1, "other").await);
    for text in ["kept", "saved"] {
        say(&mut one, text).await;
    }
    redis.save();
    for text in ["lost", "gone"] {
        say(&mut one, text).await;
    }
    until(&mut other, "gone").await;
    redis.kill();
    redis.launch();
    assert_eq!(say(&mut one, "kept").await, 1, "it is there");
    assert_eq!(say(&mut one, "gone").await, 3, "it is not there any more, and so is logged");
    assert_eq!(say(&mut one, "saved").await, 2);
    let (texts, resets) = until(&mut other, "gone").await;
    assert_eq!((texts, resets.len()), (vec!["gone".to_owned()], 1));
}

#[tokio::test]
async fn a_restart_of_redis_that_lost_nothing_is_no_other_life() {
    let mut redis = TestServer::start();
    let [n0, n1] = nodes(&redis).await;
    let (mut one, mut other) = (member(&n0, "one").await, member(&n1, "other").await);
    let mut listeners = [member(&n0, "l0").await, member(&n1, "l1").await];
    let epoch = join_since(&n0, "early", 0, &Value::Null).await["epoch"].clone();
    for text in numbered("before", 5) {
        say(&mut one, &text).await;
    }
    for listener in &mut listeners {
        until(listener, "before5").await;
    }
    redis.save();
    redis.kill();
    redis.launch();
    for text in numbered("after", 5) {
        say(&mut other, &text).await;
    }
    for listener in &mut listeners {
        let (texts, resets) = until(listener, "after5").await;
        assert_eq!((texts, resets), (numbered("after", 5), Vec::new()));
    }
    let ack = join_since(&n1, "away", 3, &epoch).await;
    assert_eq!((&ack["recovered"], &ack["seq"]), (&json!(true), &json!(10)), "{ack}");
}

#[tokio::test]
async fn an_answer_under_way_when_redis_goes_back_ends_once_and_whole() {
    let (mut redis, ai) = (TestServer::start(), AiServer::start().await);
    let (script, gate) = Script::gated();
    ai.push(script);
    let backend = ai.environment();
    let (n0, n1) = (TestApp::one_of(&redis, "n0", &backend).await, TestApp::one_of(&redis, "n1", &backend).await);
    let (mut asker, mut other) = (member(&n0, "asker").await, member(&n1, "other").await);
    say(&mut asker, "kept").await;
    redis.save();
    let question = json!({"type": "message.send", "group": "team", "text": "Tell me."});
    assert_eq!(asker.insist_on("q", question).await["type"], "ack");
    let start = other.event_of("answer.start").await;
    gate.word("so ");
    gate.word("far");
    let mut shown = String::new();
    while shown != "so far" {
        shown += other.event_of("answer.delta").await["text"].as_str().expect("text");
    }
    redis.kill();
    redis.launch();
    say(&mut other, "on").await;
    gate.word(" so good");
    gate.finish();
    let mut ends = BTreeMap::new();
    for (name, socket) in [("asker", &mut asker), ("other", &mut other)] {
        let end = socket.event_of("answer.end").await;
        assert_eq!((&end["answer"], &end["text"]), (&start["answer"], &json!("so far so good")));
        assert!(socket.settled().await.iter().all(|it| it["type"] != "answer.end" && it["type"] != "answer.error"));
        ends.insert(name, end);
    }
    assert_eq!(ends["asker"], ends["other"]);
}

#[tokio::test]
async fn who_had_gone_when_redis_went_back_is_no_member_again() {
    let mut redis = TestServer::start();
    let [n0, n1] = nodes(&redis).await;
    let (mut one, going) = (member(&n1, "one").await, member(&n0, "going").await);
    let _stays = member(&n0, "stays").await;
    let members = async |socket: &mut TestSocket| {
        let reply = socket.insist_on("m", json!({"type": "group.members", "group": "team"})).await;
        let listed = reply["members"].as_array().unwrap_or_else(|| panic!("{reply}")).clone();
        let mut names: Vec<String> = listed.iter().filter_map(|it| it["session"].as_str().map(str::to_owned)).collect();
        names.sort();
        names
    };
    let until = Instant::now() + SOON;
    while members(&mut one).await != ["going", "one", "stays"] {
        assert!(Instant::now() < until, "never there");
    }
    say(&mut one, "kept").await;
    redis.save();
    say(&mut one, "lost").await;
    drop(going);
    while members(&mut one).await != ["one", "stays"] {
        assert!(Instant::now() < until + SOON, "never gone");
    }
    redis.kill();
    redis.launch();
    loop {
        let reset = one.event_of("log.reset").await;
        if reset["group"] == "team" {
            break;
        }
    }
    let until = Instant::now() + SOON;
    while members(&mut one).await != ["one", "stays"] {
        assert!(Instant::now() < until, "{:?}", members(&mut one).await);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
