//! Equal questions on several nodes: one request to the backend, whoever comes and goes.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};

use crate::support::{Answer, Broker, SOON, TestApp, TestServer, TestSocket, eventually};

const NO_RETRIES: (&str, &str) = ("SOPHIE__AI__RETRIES", "0");

async fn cluster<const N: usize>(environment: &[(&str, &str)]) -> (TestServer, AiServer, [TestApp; N]) {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    let all = [&ai.environment()[..], &[NO_RETRIES], environment].concat();
    let nodes: Vec<_> = join_all((0..N).map(async |n| TestApp::one_of(&redis, &format!("n{n}"), &all).await)).await;
    let Ok(nodes) = nodes.try_into() else { unreachable!("as many as were asked for") };
    (redis, ai, nodes)
}

const QUESTION: &str = "What is new?";

async fn ask(socket: &mut TestSocket) -> Value {
    let ack = socket.insist_on("q", json!({"type": "message.send", "text": QUESTION})).await;
    assert_eq!(ack["type"], "ack", "{ack}");
    ack["message"].clone()
}

#[tokio::test]
async fn forty_equal_questions_on_three_nodes_cost_one_request() {
    let (_redis, ai, nodes) = cluster::<3>(&[]).await;
    let text = "Nothing much, and it takes a while to say so.";
    ai.set_default(move || Script::slow_answer(text, Duration::from_millis(60)));
    let mut sockets = Vec::new();
    for n in 0..40 {
        sockets.push(nodes[n % 3].open(&format!("s{n}")).await);
    }
    let answers = join_all(sockets.iter_mut().map(async |socket| {
        let message = ask(socket).await;
        Answer::of(socket, &message).await
    }))
    .await;
    assert!(answers.iter().all(|answer| answer.text == text && answer.end["finish_reason"] == "stop"));
    assert_eq!(ai.calls(), 1);
    let count = |status: &str| answers.iter().filter(|answer| answer.start["cache"] == status).count();
    assert_eq!((count("miss"), count("coalesced") + count("hit")), (1, 39));
    assert_eq!(answers[0].end["usage"], answers[39].end["usage"]);
}

#[tokio::test]
async fn who_comes_late_on_another_node_reads_from_the_first_chunk() {
    let (_redis, ai, nodes) = cluster::<2>(&[]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut early = nodes[0].open("early").await;
    let first = ask(&mut early).await;
    gate.word("one ");
    gate.word("two ");
    early.event_of("answer.delta").await;
    let mut late = nodes[1].open("late").await;
    let second = ask(&mut late).await;
    let start = late.event_of("answer.start").await;
    assert_eq!((&start["message"], &start["cache"]), (&second, &json!("coalesced")));
    let mut text = String::new();
    while text != "one two " {
        text += late.event_of("answer.delta").await["text"].as_str().expect("text");
    }
    gate.word("three");
    gate.finish();
    let whole = Answer::rest(&mut late, start, text).await;
    assert_eq!(whole.text, "one two three");
    assert_eq!(early.event_of("answer.end").await["message"], first);
    assert_eq!(ai.calls(), 1);
    // And from the cache, wherever it is asked, once it is kept there: the end is told before.
    eventually("it is kept", SOON, async || {
        (nodes[1].admin("GET", "/admin/api/cache", None).await.1["entries"] == 1).then_some(())
    })
    .await;
    let mut last = nodes[1].open("last").await;
    let message = ask(&mut last).await;
    let answer = Answer::of(&mut last, &message).await;
    assert_eq!((answer.text.as_str(), &answer.start["cache"]), ("one two three", &json!("hit")));
}

#[tokio::test]
async fn one_who_leaves_or_cancels_harms_nobody_and_the_last_one_ends_it() {
    let (_redis, ai, nodes) = cluster::<2>(&[("SOPHIE__AI__ABANDON_SECONDS", "1")]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut leader = nodes[0].open("leader").await;
    ask(&mut leader).await;
    gate.word("one ");
    let started = leader.event_of("answer.start").await;
    leader.event_of("answer.delta").await;
    let mut followers = [nodes[1].open("a").await, nodes[1].open("b").await];
    for socket in &mut followers {
        ask(socket).await;
        socket.event_of("answer.delta").await;
    }
    // The node that asked has nobody left who reads.
    let cancel = json!({"type": "answer.cancel", "answer": started["answer"]});
    let (reply, end) = leader.ask_for("c", cancel, "answer.end").await;
    assert_eq!((&reply["type"], &end["finish_reason"]), (&json!("ack"), &json!("cancelled")));
    let [mut stays, goes] = followers;
    drop(goes);
    // Longer than an answer is left to itself, and than a follower is believed.
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    assert!(!ai.call(0).cancelled, "somebody still reads");
    gate.word("two");
    assert_eq!(stays.event_of("answer.delta").await["text"], "two");
    drop(stays);
    ai.wait_cancelled(0, SOON).await;
}

#[tokio::test]
async fn a_failure_is_everybodys_and_the_next_question_gets_a_try_of_its_own() {
    let (_redis, ai, nodes) = cluster::<2>(&[]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut sockets = [nodes[0].open("a").await, nodes[1].open("b").await];
    for socket in &mut sockets {
        ask(socket).await;
        socket.event_of("answer.start").await;
    }
    gate.word("so far");
    for socket in &mut sockets {
        assert_eq!(socket.event_of("answer.delta").await["text"], "so far");
    }
    gate.cut();
    let mut ends = Vec::new();
    for socket in &mut sockets {
        let end = socket.event_of("answer.error").await;
        assert_eq!((&end["code"], &end["text"]), (&json!("interrupted"), &json!("so far")));
        ends.push(end);
    }
    assert_eq!(ends[0]["reason"], ends[1]["reason"]);
    assert_eq!(ai.calls(), 1);
    let mut again = nodes[1].open("c").await;
    let message = ask(&mut again).await;
    assert_eq!(Answer::of(&mut again, &message).await.end["finish_reason"], "stop");
    assert_eq!(ai.calls(), 2);
}

/// Three nodes as processes; the first leads, five sessions each on the others follow.
async fn ten_followers(ai: &AiServer, redis: &TestServer) -> ([Broker; 3], TestSocket, Vec<TestSocket>) {
    let url = redis.url(0);
    let own = [NO_RETRIES, ("USE_REDIS", "true"), ("REDIS_URL", url.as_str())];
    let environment = [&ai.environment()[..], &own].concat();
    let nodes = [
        Broker::start(0, &environment).await,
        Broker::start(0, &environment).await,
        Broker::start(0, &environment).await,
    ];
    let mut leader = TestSocket::open(nodes[0].address, "leader", "").await;
    ask(&mut leader).await;
    ai.wait_calls(1, SOON).await;
    let mut followers = Vec::new();
    for n in 0..10 {
        let mut socket = TestSocket::open(nodes[1 + n % 2].address, &format!("s{n}"), "").await;
        ask(&mut socket).await;
        assert_eq!(socket.event_of("answer.start").await["cache"], "coalesced");
        followers.push(socket);
    }
    (nodes, leader, followers)
}

/// A leader's death is noticed when its lease has run out; on a machine that pauses this is later.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(30);

async fn end_of(socket: &mut TestSocket) -> Value {
    loop {
        let event = socket.event_within(TAKEN_OVER_WITHIN).await;
        if event["type"] == "answer.end" || event["type"] == "answer.error" {
            return event;
        }
    }
}

#[tokio::test]
async fn a_leader_that_dies_before_anything_was_shown_is_replaced_and_nobody_notices() {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    ai.push(Script::silent());
    ai.set_default(|| Script::answer("The whole answer."));
    let ([mut leading, _second, _third], _leader, mut followers) = ten_followers(&ai, &redis).await;
    leading.signal("-KILL");
    leading.wait(SOON);
    for end in join_all(followers.iter_mut().map(end_of)).await {
        assert_eq!((&end["type"], &end["text"]), (&json!("answer.end"), &json!("The whole answer.")), "{end}");
    }
    assert_eq!(ai.calls(), 2, "one more");
    for socket in &mut followers {
        assert!(socket.settled().await.iter().all(|event| event["type"] != "answer.end"), "one end each");
    }
}

#[tokio::test]
async fn a_leader_that_dies_in_the_middle_leaves_the_same_text_to_everyone() {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    let (script, gate) = Script::gated();
    ai.push(script);
    let ([mut leading, _second, _third], _leader, mut followers) = ten_followers(&ai, &redis).await;
    gate.word("so ");
    gate.word("far");
    for socket in &mut followers {
        let mut text = String::new();
        while text != "so far" {
            text += socket.event_of("answer.delta").await["text"].as_str().expect("text");
        }
    }
    leading.signal("-KILL");
    leading.wait(SOON);
    for end in join_all(followers.iter_mut().map(end_of)).await {
        assert_eq!((&end["type"], &end["code"]), (&json!("answer.error"), &json!("interrupted")), "{end}");
        assert_eq!(end["text"], "so far");
    }
    assert_eq!(ai.calls(), 1);
    for socket in &mut followers {
        assert!(socket.settled().await.iter().all(|event| event["type"] != "answer.error"), "one end each");
    }
    // One click away.
    ai.set_default(|| Script::answer("The whole answer."));
    let history = followers[0].insist_on("h", json!({"type": "history.get"})).await;
    let message = history["events"][0]["message"]["id"].clone();
    let retry = json!({"type": "answer.retry", "message": message});
    assert_eq!(followers[0].insist_on("r", retry).await["type"], "ack");
    assert_eq!(followers[0].event_of("answer.end").await["text"], "The whole answer.");
}
