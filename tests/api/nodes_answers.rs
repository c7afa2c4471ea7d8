//! Answers that are written on one node and read on all.

use std::time::Duration;

use futures_util::future::join_all;
use redis::{Commands, PubSubCommands};
use serde_json::json;
use sophie_kit::ai_server::{AiServer, Script};

use crate::support::{Answer, SOON, TestApp, TestServer, TestSocket, eventually, until};

async fn cluster(environment: &[(&str, &str)]) -> (TestServer, AiServer, [TestApp; 2]) {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    let backend = [&ai.environment()[..], &[("SOPHIE__AI__RETRIES", "0")]].concat();
    let environment = [&backend[..], environment].concat();
    let nodes = [TestApp::one_of(&redis, "n0", &environment).await, TestApp::one_of(&redis, "n1", &environment).await];
    (redis, ai, nodes)
}

async fn member(app: &TestApp, session: &str) -> TestSocket {
    let mut socket = app.open(session).await;
    assert_eq!(socket.ask("join", json!({"type": "group.join", "group": "team"})).await["type"], "ack");
    socket
}

async fn ask(socket: &mut TestSocket) -> serde_json::Value {
    let ack = socket.ask("q", json!({"type": "message.send", "group": "team", "text": "Tell me."})).await;
    assert_eq!(ack["type"], "ack", "{ack}");
    ack["message"].clone()
}

#[tokio::test]
async fn an_answer_is_read_alike_on_every_node() {
    let (_redis, ai, nodes) = cluster(&[]).await;
    let text = "An answer of many words, written with pauses, märchenhaft schön.".to_owned();
    ai.push(Script::slow_answer(&text, Duration::from_millis(15)));
    let mut asker = member(&nodes[0], "asker").await;
    let mut sockets = [member(&nodes[0], "a").await, member(&nodes[1], "b").await, member(&nodes[1], "c").await];
    let message = ask(&mut asker).await;
    let answers = join_all(sockets.iter_mut().chain([&mut asker]).map(|socket| Answer::of(socket, &message))).await;
    for answer in &answers {
        assert_eq!((&answer.start, &answer.end), (&answers[0].start, &answers[0].end));
        assert_eq!((answer.text.as_str(), &answer.end["finish_reason"]), (text.as_str(), &json!("stop")));
    }
    assert_eq!(ai.calls(), 1);
}

#[tokio::test]
async fn who_comes_in_the_middle_on_another_node_reads_from_the_start() {
    let (redis, ai, nodes) = cluster(&[]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut asker = member(&nodes[0], "s1").await;
    let message = ask(&mut asker).await;
    gate.word("one ");
    gate.word("two ");
    let start = asker.event_of("answer.start").await;
    let key = format!("sophie:answer:{}:text", start["answer"].as_str().expect("an id"));
    eventually("the other nodes know of both", SOON, async || {
        let saved: Option<String> = redis.connection(0).get(&key).expect("an answer");
        (saved.as_deref() == Some("one two ")).then_some(())
    })
    .await;
    for node in &nodes {
        let (_, session) = node.admin("GET", "/admin/api/sessions/s1", None).await;
        assert_eq!(session["answers"], 1, "wherever it is being written: {session}");
    }
    // By joining the group: another session. By connecting: the same one.
    let mut joiner = nodes[1].open("s2").await;
    joiner.send(json!({"type": "group.join", "group": "team"})).await;
    let mut second = nodes[1].open("s1").await;
    let shown = second.ready["answers"].as_array().expect("answers").clone();
    assert_eq!(shown.len(), 1, "{}", second.ready);
    assert_eq!((&shown[0]["text"], &shown[0]["offset"]), (&json!("one two "), &json!(8)));
    gate.word("three");
    gate.finish();
    let joined = Answer::of(&mut joiner, &message).await;
    assert_eq!(joined.text, "one two three");
    let continued = Answer::rest(&mut second, shown[0].clone(), "one two ".into()).await;
    assert_eq!(continued.end, joined.end);
    assert_eq!(ai.calls(), 1);
}

#[tokio::test]
async fn an_answer_is_cancelled_from_any_node_of_its_group_and_no_other() {
    let (_redis, ai, nodes) = cluster(&[]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut asker = member(&nodes[0], "asker").await;
    let mut other = member(&nodes[1], "other").await;
    let mut stranger = nodes[1].open("stranger").await;
    ask(&mut asker).await;
    gate.word("some");
    let start = other.event_of("answer.start").await;
    other.event_of("answer.delta").await;
    let cancel = json!({"type": "answer.cancel", "answer": start["answer"]});
    assert_eq!(stranger.ask("1", cancel.clone()).await["code"], "not_found");
    let (reply, end) = other.ask_for("1", cancel, "answer.end").await;
    assert_eq!(reply["type"], "ack", "{reply}");
    for end in [end, asker.event_of("answer.end").await] {
        assert_eq!((&end["finish_reason"], &end["text"]), (&json!("cancelled"), &json!("some")));
    }
    ai.wait_cancelled(0, SOON).await;
}

#[tokio::test]
async fn an_answer_goes_on_while_anybody_listens_on_any_node() {
    let (_redis, ai, nodes) = cluster(&[("SOPHIE__AI__ABANDON_SECONDS", "1")]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut asker = member(&nodes[0], "asker").await;
    let mut other = member(&nodes[1], "other").await;
    ask(&mut asker).await;
    gate.word("some");
    other.event_of("answer.delta").await;
    drop(asker);
    // Longer than it would be left to itself.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(!ai.call(0).cancelled);
    drop(other);
    ai.wait_cancelled(0, SOON).await;
    let mut back = nodes[1].open("asker").await;
    loop {
        let page = back.ask("h", json!({"type": "history.get", "group": "team"})).await;
        if page["events"].as_array().is_some_and(|events| events.len() == 2) {
            assert_eq!(page["events"][1]["finish_reason"], "cancelled", "{page}");
            break;
        }
    }
}

#[tokio::test]
async fn pieces_go_between_nodes_by_time_and_not_one_by_one() {
    const WORDS: usize = 600;
    let (redis, ai, nodes) = cluster(&[]).await;
    let text = vec!["word"; WORDS].join(" ");
    ai.push(Script::slow_answer(&text, Duration::from_millis(1)));
    let mut asker = member(&nodes[0], "asker").await;
    let mut other = member(&nodes[1], "other").await;
    let listeners = || -> usize {
        let mut redis = redis.connection(0);
        let heard: (String, usize) =
            redis::cmd("PUBSUB").arg("NUMSUB").arg("sophie:0:events").query(&mut redis).expect("asked");
        heard.1
    };
    let others = listeners();
    let mut watched = redis.connection(0);
    let (count, counted) = std::sync::mpsc::channel();
    let watching = std::thread::spawn(move || {
        let mut frames = 0;
        _ = watched.subscribe(&["sophie:0:events"], |message| {
            let body: String = message.get_payload().expect("text");
            if body.to_lowercase().contains("\"grew\"") {
                frames += 1;
            }
            if body.contains("answer.end") {
                _ = count.send(frames);
                return redis::ControlFlow::Break(());
            }
            redis::ControlFlow::Continue
        });
    });
    until("it is watched", SOON, || listeners() > others).await;
    let began = tokio::time::Instant::now();
    let message = ask(&mut asker).await;
    let answer = Answer::of(&mut other, &message).await;
    let took = began.elapsed();
    assert_eq!(answer.text, text);
    let frames =
        tokio::task::spawn_blocking(move || counted.recv_timeout(SOON)).await.expect("no panic").expect("an end");
    watching.join().expect("no panic");
    println!("{WORDS} pieces in {took:?} crossed in {frames} messages");
    assert!(frames >= 2, "it was not sent in one piece");
    let most = took.as_millis() / 20 + 2;
    assert!(frames as u128 <= most, "{frames} messages in {took:?}");
}
