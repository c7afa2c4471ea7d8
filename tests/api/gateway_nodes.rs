//! HTTP callers on several nodes: one request to the backend, from the first chunk, wherever they ask.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};

use crate::support::{Answer, Reply, SOON, TestApp, TestServer, of_chats, question, streamed};

async fn two_nodes() -> (TestServer, AiServer, [TestApp; 2]) {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    let environment = [
        &ai.environment()[..],
        &[
            ("SOPHIE__AI__RETRIES", "0"),
            ("SOPHIE__AI__SYSTEM_PROMPT", ""),
            ("SOPHIE__AI__MODEL", "test-model"),
            ("SOPHIE__CACHE__HTTP", "always"),
        ],
    ]
    .concat();
    let nodes = [TestApp::one_of(&redis, "n0", &environment).await, TestApp::one_of(&redis, "n1", &environment).await];
    (redis, ai, nodes)
}

#[tokio::test]
async fn equal_requests_on_two_nodes_and_of_chat_sessions_cost_one_call() {
    let (_redis, ai, nodes) = two_nodes().await;
    let text = "It takes a while to say all of this.";
    ai.set_default(move || Script::slow_answer(text, Duration::from_millis(60)));
    let mut sockets = [nodes[0].open("s0").await, nodes[1].open("s1").await];
    let sessions = join_all(sockets.iter_mut().map(async |socket| {
        let ack = socket.insist_on("q", json!({"type": "message.send", "text": "same?"})).await;
        Answer::of(socket, &ack["message"]).await.text
    }));
    let bodies: Vec<Value> =
        (0..10).map(|n| if n % 2 == 0 { of_chats(streamed("same?")) } else { of_chats(question("same?")) }).collect();
    let callers = join_all(bodies.iter().enumerate().map(|(n, body)| Reply::ask(&nodes[n % 2], body)));
    let (sessions, replies) = tokio::join!(sessions, callers);
    assert!(sessions.iter().all(|answer| answer == text), "{sessions:?}");
    assert!(replies.iter().all(|reply| reply.answer() == text), "{replies:?}");
    assert_eq!(ai.calls(), 1);
    assert!(replies.iter().filter(|reply| reply.header("x-sophie-cache") == "miss").count() <= 1, "{replies:?}");
    // From the cache, on either node, with its age.
    for node in &nodes {
        let hit = Reply::kept(node, &of_chats(question("same?"))).await;
        assert!(hit.header("age").parse::<u64>().is_ok());
    }
}

#[tokio::test]
async fn the_last_caller_that_goes_ends_the_request_on_whichever_node_it_is() {
    let (_redis, ai, nodes) = two_nodes().await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let first = tokio::spawn({
        let request = nodes[0].request("POST", "/v1/chat/completions").json(&streamed("?"));
        async move { request.send().await.expect("a response") }
    });
    ai.wait_calls(1, SOON).await;
    gate.word("one ");
    let mut leader = first.await.expect("no panic");
    let request = nodes[1].request("POST", "/v1/chat/completions").json(&streamed("?"));
    let mut follower = request.send().await.expect("a response");
    assert_eq!(follower.headers()["x-sophie-cache"], "coalesced");
    for response in [&mut leader, &mut follower] {
        assert!(response.chunk().await.expect("read").is_some_and(|bytes| bytes.starts_with(b"data: ")));
    }
    drop(leader);
    // The node that asks has no caller left, and goes on for the other's.
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    assert!(!ai.call(0).cancelled);
    gate.word("two");
    assert!(follower.chunk().await.expect("read").is_some());
    drop(follower);
    ai.wait_cancelled(0, SOON).await;
    assert_eq!(ai.calls(), 1);
}
