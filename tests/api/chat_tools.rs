//! Chats of the AI SDK with tools, files and what the client tells of before.

use serde_json::{Value, json};
use sophie_kit::ai_server::Script;
use tokio::time::timeout;

use crate::support::chat_socket::{ChatSocket, resume, user};
use crate::support::{Pair, SOON, TestApp, eventually};

/// A model that asks for tools, each with its arguments.
fn asks_for(calls: &[(&str, &str)]) -> Script {
    let call = |(at, (id, arguments)): (usize, &(&str, &str))| {
        let function = json!({"name": "weather", "arguments": arguments});
        json!({"index": at, "id": id, "type": "function", "function": function})
    };
    let calls: Vec<Value> = calls.iter().enumerate().map(call).collect();
    let said = json!({"choices": [{"index": 0, "delta": {"content": "Let me see."}}]});
    let asked = json!({"choices": [{"index": 0, "delta": {"tool_calls": calls}}]});
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]});
    [said, asked, end].iter().fold(Script::stream(), |script, chunk| script.event(&chunk.to_string())).done()
}

fn tool() -> Value {
    json!({"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}})
}

/// Posts, and the chunks of the answer, or the refusal.
async fn post(app: &TestApp, body: &Value) -> Result<Vec<Value>, (u16, String)> {
    let response = app.request("POST", "/api/chat").json(body).send().await.expect("a response");
    let status = response.status().as_u16();
    let body = timeout(SOON, response.text()).await.expect("it ends").expect("a whole body");
    if status == 200 { Ok(chunks(&body)) } else { Err((status, body)) }
}

fn chunks(body: &str) -> Vec<Value> {
    let events = body.split_terminator("\n\n").filter_map(|event| event.strip_prefix("data: "));
    events.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).expect("JSON")).collect()
}

fn kinds(chunks: &[Value]) -> Vec<&str> {
    chunks.iter().map(|chunk| chunk["type"].as_str().expect("a type")).collect()
}

fn result(call: &str, output: &Value) -> Value {
    json!({"type": "tool-weather", "toolCallId": call, "state": "output-available", "input": {"city": call}, "output": output})
}

fn go_on(chat: &str, message: &Value, results: Vec<Value>) -> Value {
    let step = json!({"type": "step-start"});
    let parts: Vec<Value> = std::iter::once(step).chain(results).collect();
    let assistant = json!({"id": message, "role": "assistant", "parts": parts});
    json!({
        "id": chat, "trigger": "submit-message", "messageId": message, "tools": [tool()],
        "messages": [user("m1", "Is it warm?"), assistant],
    })
}

fn question(chat: &str) -> Value {
    json!({"id": chat, "trigger": "submit-message", "messages": [user("m1", "Is it warm?")], "tools": [tool()]})
}

async fn messages(app: &TestApp, chat: &str) -> Value {
    app.request("GET", &format!("/api/chat/{chat}/messages"))
        .send()
        .await
        .expect("a response")
        .json()
        .await
        .expect("JSON")
}

#[tokio::test]
async fn an_answer_goes_on_with_the_results_of_its_tools_in_the_same_message() {
    let pair = Pair::start(&[]).await;
    let [one, two] = &pair.nodes;
    pair.ai.push(asks_for(&[("x", r#"{"city":"x"}"#), ("y", r#"{"city":"y"}"#)]));
    let first = post(one, &question("s1")).await.expect("an answer");
    assert_eq!(pair.ai.call(0).body["tools"], json!([tool()]));
    let message = &first[0]["messageId"];
    assert_eq!(first.iter().filter(|chunk| chunk["type"] == "tool-input-available").count(), 2);
    pair.ai.push(asks_for(&[("z", "")]));
    let (hot, cold) = (json!({"degrees": 31}), json!("cold"));
    let second =
        post(two, &go_on("s1", message, vec![result("x", &hot), result("y", &cold)])).await.expect("an answer");
    assert_eq!(&second[0], &json!({"type": "start", "messageId": message}), "it is the same message");
    let asked = pair.ai.call(1).body["messages"].as_array().expect("messages").clone();
    let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "weather", "arguments": arguments}});
    let calls = [call("x", r#"{"city":"x"}"#), call("y", r#"{"city":"y"}"#)];
    assert_eq!(
        asked[asked.len() - 4..],
        [
            json!({"role": "user", "content": "Is it warm?"}),
            json!({"role": "assistant", "content": "Let me see.", "tool_calls": calls}),
            json!({"role": "tool", "content": r#"{"degrees":31}"#, "tool_call_id": "x"}),
            json!({"role": "tool", "content": "cold", "tool_call_id": "y"}),
        ]
    );
    pair.ai.push(Script::answer("It is warm."));
    let all = vec![result("x", &hot), result("y", &cold), json!({"type": "step-start"}), result("z", &json!(1))];
    let third = post(one, &go_on("s1", message, all)).await.expect("an answer");
    let told = ["start", "start-step", "text-start", "text-delta", "text-end", "finish-step", "finish"];
    let mut kinds = kinds(&third);
    kinds.dedup();
    assert_eq!(kinds, told, "what the client has is not told again");
    let asked = pair.ai.call(2).body["messages"].as_array().expect("messages").clone();
    assert_eq!(
        asked[asked.len() - 2],
        json!({"role": "assistant", "content": "Let me see.", "tool_calls": [call("z", "{}")]})
    );
    // Who begins the message anew is told all of it, and calls no tool again.
    for node in &pair.nodes {
        let response = node.request("GET", "/api/chat/s1/stream").send().await.expect("a response");
        let again = chunks(&response.text().await.expect("a whole body"));
        assert_eq!(&again[0], &json!({"type": "start", "messageId": message}));
        let count = |kind: &str| again.iter().filter(|chunk| chunk["type"] == kind).count();
        assert_eq!((count("start"), count("start-step"), count("finish-step"), count("finish")), (1, 3, 3, 1));
        assert_eq!(
            (count("tool-input-start"), count("tool-input-available"), count("tool-output-available")),
            (3, 0, 3)
        );
        let mut socket = ChatSocket::open(node.address()).await;
        socket.send(&resume("r", "s1")).await;
        let by_socket: Vec<_> = socket.answered("r").await.chunks;
        assert_eq!(by_socket.iter().filter(|chunk| chunk["type"] == "tool-output-available").count(), 3);
    }
    let shown = eventually("the end is logged", SOON, async || {
        let messages = messages(two, "s1").await;
        (messages[1]["parts"].as_array().is_some_and(|parts| parts.len() == 9)).then_some(messages)
    });
    let shown = shown.await;
    assert_eq!((shown.as_array().map(Vec::len), &shown[1]["id"]), (Some(2), message));
    let parts = shown[1]["parts"].as_array().expect("parts");
    let kinds: Vec<_> = parts.iter().map(|part| part["type"].as_str().expect("a type")).collect();
    let tool = "tool-weather";
    assert_eq!(kinds, ["step-start", "text", tool, tool, "step-start", "text", tool, "step-start", "text"]);
    assert_eq!(
        (&parts[2]["output"], &parts[2]["input"], &parts[2]["state"]),
        (&hot, &json!({"city": "x"}), &json!("output-available"))
    );
    assert_eq!(parts[8]["text"], "It is warm.");
}

#[tokio::test]
async fn results_that_belong_to_nothing_are_refused() {
    let pair = Pair::start(&[]).await;
    let node = &pair.nodes[0];
    pair.ai.push(asks_for(&[("x", "{}"), ("y", "{}")]));
    let first = post(node, &question("s1")).await.expect("an answer");
    let message = &first[0]["messageId"];
    let refused = async |body: Value| post(node, &body).await.expect_err("refused");
    let both = || vec![result("x", &json!(1)), result("y", &json!(2))];
    assert_eq!(refused(go_on("s1", message, vec![result("x", &json!(1))])).await.0, 400, "one is missing");
    assert_eq!(refused(go_on("s1", &json!("another"), both())).await.0, 409);
    assert_eq!(refused(go_on("s2", message, both())).await.0, 400, "there is nothing in that chat");
    let long = json!("x".repeat(1 << 20));
    assert_eq!(refused(go_on("s1", message, vec![result("x", &long), result("y", &long)])).await.0, 413);
    let mut bad = question("s3");
    bad["tools"] = json!([{"type": "web_search"}]);
    let (status, sentence) = refused(bad).await;
    assert!(status == 400 && sentence.contains("tools[0]"), "{sentence}");
    pair.ai.push(Script::answer("It is warm."));
    post(node, &go_on("s1", message, both())).await.expect("an answer");
    assert_eq!(refused(go_on("s1", message, both())).await.0, 400, "it has gone on, and asked for nothing more");
    assert_eq!(pair.ai.calls(), 2);
}

#[tokio::test]
async fn an_image_goes_to_the_model_with_its_question_and_the_log_keeps_the_text() {
    let pair = Pair::start(&[]).await;
    let (one, two) = (&pair.nodes[0], &pair.nodes[1]);
    let mut asked = question("s1");
    let image = "data:image/png;base64,iVBORw0KGgo=";
    let file = json!({"type": "file", "mediaType": "image/png", "url": image});
    asked["messages"][0]["parts"].as_array_mut().expect("parts").push(file);
    pair.ai.push(Script::answer("A cat."));
    let told = post(one, &asked).await.expect("an answer");
    let body = pair.ai.call(0).body;
    let last = body["messages"].as_array().expect("messages").last().expect("one").clone();
    let parts = json!([{"type": "text", "text": "Is it warm?"}, {"type": "image_url", "image_url": {"url": image}}]);
    assert_eq!(last["content"], parts);
    assert_eq!(post(two, &asked).await.expect("an answer"), told, "the same one again has the same answer");
    pair.ai.push(Script::answer("A dog."));
    let mut again = asked.clone();
    again["trigger"] = json!("regenerate-message");
    post(two, &again).await.expect("an answer");
    assert_eq!(pair.ai.call(1).body["messages"].as_array().expect("messages").last(), Some(&last));
    assert_eq!(messages(two, "s1").await[0]["parts"], json!([{"type": "text", "text": "Is it warm?"}]));
}

#[tokio::test]
async fn what_a_client_tells_of_before_counts_where_the_log_is_empty_and_it_is_trusted() {
    for trusted in [false, true] {
        let pair = Pair::start(&[("SOPHIE__CHAT__TRUST_HISTORY", if trusted { "true" } else { "false" })]).await;
        let node = &pair.nodes[0];
        let before =
            json!({"id": "a0", "role": "assistant", "parts": [{"type": "text", "text": "Told by the client."}]});
        let all = |last: Value| json!([user("m0", "Asked before."), before, last]);
        let asked = |last: Value| json!({"id": "s1", "trigger": "submit-message", "messages": all(last)});
        pair.ai.push(Script::answer("Yes."));
        post(node, &asked(user("m1", "Is it warm?"))).await.expect("an answer");
        let texts = |n: usize| pair.ai.call(n).body["messages"].to_string();
        assert_eq!(texts(0).contains("Told by the client."), trusted);
        pair.ai.push(Script::answer("Yes again."));
        post(node, &asked(user("m2", "And now?"))).await.expect("an answer");
        assert!(
            !texts(1).contains("Told by the client.") && texts(1).contains("Is it warm?"),
            "the log has something now"
        );
        // An answer of which no more is known than what the client tells.
        pair.ai.push(asks_for(&[("x", "{}")]));
        let first = post(node, &question("s2")).await.expect("an answer");
        let logged = async || (messages(node, "s2").await.as_array().map(Vec::len) == Some(2)).then_some(());
        eventually("the end is logged", SOON, logged).await;
        let answer = first[0]["messageId"].as_str().expect("an id");
        let answer = sophie_actors::ids::AnswerId::from(answer);
        assert!(node.node().stores.recordings.forget(&answer).await.expect("a store"));
        let step = go_on("s2", &first[0]["messageId"], vec![result("x", &json!(1))]);
        pair.ai.push(Script::answer("Warm."));
        match (post(&pair.nodes[1], &step).await, trusted) {
            (Ok(_), true) => {
                assert!(texts(3).contains(r#""arguments":"{\"city\":\"x\"}""#), "{}", texts(3));
            }
            (Err((409, sentence)), false) => {
                assert_eq!(sentence, "It is no longer known here what these tools were asked for; ask again.");
            }
            (other, _) => panic!("{other:?}"),
        }
    }
}
