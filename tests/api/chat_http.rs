//! Chats over plain HTTP, as `useChat` of the AI SDK asks for them.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};
use tokio::time::timeout;

use crate::support::{SOON, TestApp, TestServer, eventually};

struct Cluster {
    _redis: TestServer,
    ai: AiServer,
    nodes: [TestApp; 2],
}

impl Cluster {
    async fn start() -> Self {
        let (redis, ai) = (TestServer::start(), AiServer::start().await);
        let own = [("SOPHIE__AI__RETRIES", "0"), ("SOPHIE__AUTH__API_KEYS", "site:sk-site")];
        let environment = [&ai.environment()[..], &own].concat();
        let nodes =
            [TestApp::one_of(&redis, "n0", &environment).await, TestApp::one_of(&redis, "n1", &environment).await];
        Self { _redis: redis, ai, nodes }
    }
}

fn user(id: &str, text: &str) -> Value {
    json!({"id": id, "role": "user", "parts": [{"type": "text", "text": text}]})
}

fn submit(chat: &str, id: &str, text: &str) -> Value {
    json!({"id": chat, "messages": [user(id, text)], "trigger": "submit-message"})
}

async fn post(app: &TestApp, body: &Value) -> Response {
    app.request("POST", "/api/chat").json(body).send().await.expect("a response")
}

async fn get(app: &TestApp, path: &str) -> Response {
    app.request("GET", path).send().await.expect("a response")
}

/// The chunks of a stream that ends as it should.
async fn chunks(response: Response) -> Vec<Value> {
    assert_eq!(response.status(), StatusCode::OK, "{response:?}");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["x-vercel-ai-ui-message-stream"], "v1");
    let body = timeout(SOON, response.text()).await.expect("it ends").expect("a whole body");
    let mut events: Vec<&str> = body.split_terminator("\n\n").filter(|event| !event.starts_with(':')).collect();
    assert_eq!(events.pop(), Some("data: [DONE]"), "{body}");
    events
        .into_iter()
        .map(|event| serde_json::from_str(event.strip_prefix("data: ").expect("data")).expect("JSON"))
        .collect()
}

fn text(chunks: &[Value]) -> String {
    chunks.iter().filter(|chunk| chunk["type"] == "text-delta").filter_map(|chunk| chunk["delta"].as_str()).collect()
}

#[tokio::test]
async fn a_question_is_answered_in_a_stream_and_the_same_one_is_answered_alike() {
    let Cluster { ai, nodes, .. } = &Cluster::start().await;
    ai.push(Script::slow_answer("Words, märchenhaft schön.", Duration::from_millis(10)));
    let mut socket = nodes[1].open("s1").await;
    let response = post(&nodes[0], &submit("s1", "m1", "Tell me.")).await;
    let answer = response.headers()["x-sophie-answer"].to_str().expect("a text").to_owned();
    let told = chunks(response).await;
    assert_eq!(told[0], json!({"type": "start", "messageId": answer}));
    assert_eq!(text(&told), "Words, märchenhaft schön.");
    let finish = told.last().expect("a chunk");
    assert_eq!((&finish["type"], &finish["finishReason"]), (&json!("finish"), &json!("stop")));
    assert_eq!(socket.event_of("answer.end").await["answer"], answer, "a chat is a session");
    for node in nodes {
        assert_eq!(chunks(post(node, &submit("s1", "m1", "Tell me.")).await).await, told);
        assert_eq!(chunks(get(node, "/api/chat/s1/stream").await).await, told);
    }
    assert_eq!(ai.calls(), 1);
    let other = post(&nodes[0], &submit("s1", "m1", "Something else.")).await;
    assert_eq!(other.status(), StatusCode::CONFLICT);
}

#[tokio::test]
async fn who_comes_back_at_another_node_is_told_all_from_the_first_chunk() {
    let Cluster { ai, nodes, .. } = &Cluster::start().await;
    let (script, gate) = Script::gated();
    ai.push(script);
    assert_eq!(get(&nodes[0], "/api/chat/s1/stream").await.status(), StatusCode::NO_CONTENT);
    let first = post(&nodes[0], &submit("s1", "m1", "Tell me.")).await;
    gate.word("one ");
    let mut pieces = first.bytes_stream();
    timeout(SOON, pieces.next()).await.expect("in time").expect("a piece").expect("no error");
    // Who goes ends nothing.
    drop(pieces);
    let second = post(&nodes[1], &submit("s1", "m2", "And now?")).await;
    assert_eq!(second.status(), StatusCode::CONFLICT);
    assert_eq!(second.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(second.text().await.expect("a body"), "A response is already active for this chat.");
    let again = get(&nodes[1], "/api/chat/s1/stream").await;
    gate.word("two");
    gate.finish();
    let told = chunks(again).await;
    assert_eq!((told[0]["type"].as_str(), text(&told).as_str()), (Some("start"), "one two"));
    assert_eq!(ai.calls(), 1);
}

#[tokio::test]
async fn a_stop_ends_the_answer_from_any_node_and_by_the_sites_own_server() {
    let Cluster { ai, nodes, .. } = &Cluster::start().await;
    for (n, key) in [None, Some("sk-site")].into_iter().enumerate() {
        let (script, gate) = Script::gated();
        ai.push(script);
        let chat = format!("s{n}");
        let stream = post(&nodes[0], &submit(&chat, "m1", &format!("Tell me {n}."))).await;
        gate.word("half");
        let stop = async |body: Value| {
            let request = nodes[1].request("POST", &format!("/api/chat/{chat}/stop")).json(&body);
            let request = key.map_or(request.try_clone().expect("a body"), |key| request.bearer_auth(key));
            let response = request.send().await.expect("a response");
            (response.status().as_u16(), response.json::<Value>().await.expect("JSON"))
        };
        let done = (200, json!({"success": true}));
        assert_eq!(stop(json!({"activeStreamId": "another"})).await, done);
        assert_eq!(get(&nodes[0], &format!("/api/chat/{chat}/stream")).await.status(), StatusCode::OK, "it goes on");
        assert_eq!(stop(json!({})).await, done);
        let told = chunks(stream).await;
        assert_eq!(told.last().expect("a chunk"), &json!({"type": "abort", "reason": "cancelled"}));
        ai.wait_cancelled(n, SOON).await;
        assert_eq!(stop(json!({})).await, done, "nothing is left to stop");
    }
}

#[tokio::test]
async fn another_answer_takes_the_place_of_the_last_one() {
    let Cluster { ai, nodes, .. } = &Cluster::start().await;
    ai.push(Script::answer("First."));
    let told = chunks(post(&nodes[0], &submit("s1", "m1", "Tell me.")).await).await;
    ai.push(Script::answer("Second."));
    let shown = json!({"id": told[0]["messageId"], "role": "assistant", "parts": []});
    let again = json!({"id": "s1", "messages": [user("m1", "Tell me."), shown], "trigger": "regenerate-message"});
    let told = chunks(post(&nodes[1], &again).await).await;
    assert_eq!(text(&told), "Second.");
    let messages = eventually("both have been logged", SOON, async || {
        let messages: Value = get(&nodes[0], "/api/chat/s1/messages").await.json().await.expect("JSON");
        (messages[1]["id"] == told[0]["messageId"]).then_some(messages)
    })
    .await;
    let texts: Vec<_> =
        messages.as_array().expect("an array").iter().map(|it| (&it["role"], &it["parts"][0]["text"])).collect();
    assert_eq!(texts, [(&json!("user"), &json!("Tell me.")), (&json!("assistant"), &json!("Second."))]);
}

#[tokio::test]
async fn a_long_chat_is_posted_as_a_whole_with_each_question() {
    let Cluster { ai, nodes, .. } = &Cluster::start().await;
    ai.push(Script::answer("Yes."));
    let mut long = submit("s1", "m1", "Tell me.");
    let before = user("m0", &"said before ".repeat(50_000));
    long["messages"].as_array_mut().expect("messages").insert(0, before);
    assert!(long.to_string().len() > 600_000);
    assert_eq!(text(&chunks(post(&nodes[0], &long).await).await), "Yes.");
    long["more"] = "x".repeat(1 << 20).into();
    assert_eq!(post(&nodes[0], &long).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn what_is_wrong_is_said_in_one_sentence() {
    let Cluster { nodes, .. } = &Cluster::start().await;
    let wrong = [
        (json!([]), 400),
        (json!({"messages": [user("1", "x")], "trigger": "submit-message"}), 400),
        (json!({"id": "a b", "messages": [user("1", "x")], "trigger": "submit-message"}), 400),
        (json!({"id": "s1", "messages": [], "trigger": "submit-message"}), 400),
        (json!({"id": "s1", "messages": [user("1", " ")], "trigger": "submit-message"}), 400),
        (submit("s1", "1", &"x".repeat(16_001)), 413),
        (json!({"id": "s1", "messages": [user("1", "x")], "trigger": "regenerate-message"}), 400),
    ];
    for (body, status) in wrong {
        let response = post(&nodes[0], &body).await;
        assert_eq!(response.status().as_u16(), status, "{body}");
        assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
        let sentence = response.text().await.expect("a body");
        assert!(sentence.ends_with('.') && sentence.starts_with(char::is_uppercase), "{sentence}");
    }
    let plain = get(&nodes[0], "/api/chat").await;
    assert_eq!(
        (plain.status(), &plain.headers()["upgrade"]),
        (StatusCode::UPGRADE_REQUIRED, &"websocket".parse().expect("a value"))
    );
    assert_eq!(plain.text().await.expect("a body"), "This address takes POST, or a WebSocket.");
    assert_eq!(
        nodes[0].request("PUT", "/api/chat").send().await.expect("a response").status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
    assert_eq!(get(&nodes[0], "/api/chat/s1/else").await.status(), StatusCode::NOT_FOUND);
    let page = nodes[0].request("POST", "/api/chat").header("origin", "https://elsewhere.example");
    assert_eq!(page.json(&submit("s1", "1", "x")).send().await.expect("a response").status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn of_two_questions_that_come_at_once_to_two_nodes_one_is_answered() {
    let Cluster { ai, nodes, .. } = &Cluster::start().await;
    for n in 0..10 {
        let (script, gate) = Script::gated();
        ai.push(script);
        let chat = format!("s{n}");
        let questions = ["m1", "m2"].map(|id| submit(&chat, id, &format!("Tell me {n}, {id}.")));
        let (one, other) = tokio::join!(post(&nodes[0], &questions[0]), post(&nodes[1], &questions[1]));
        let mut statuses = [one.status().as_u16(), other.status().as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
        gate.word("Yes.");
        gate.finish();
        let answered = if one.status() == StatusCode::OK { one } else { other };
        assert_eq!(text(&chunks(answered).await), "Yes.");
        // Not before: an answer may be read before its backend is asked.
        assert_eq!(ai.calls(), n + 1);
    }
}
