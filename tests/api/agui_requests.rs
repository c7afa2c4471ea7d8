//! What a run of AG-UI may ask for, and how what cannot be done is told.

use reqwest::StatusCode;
use serde_json::{Value, json};
use sophie_kit::ai_server::Script;

use crate::support::agui::{get, post, run, text, told};
use crate::support::{JWT, Mode, Pair, TestApp, Token};

/// A stream that asks for a tool.
fn calls_tool(id: &str, arguments: &str) -> Script {
    let call =
        json!([{"index": 0, "id": id, "type": "function", "function": {"name": "weather", "arguments": arguments}}]);
    let chunk = |delta: Value, reason: Value| {
        json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "test-model",
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
        .to_string()
    };
    Script::stream()
        .event(&chunk(json!({"tool_calls": call}), Value::Null))
        .event(&chunk(json!({}), json!("tool_calls")))
        .done()
}

#[tokio::test]
async fn tools_of_the_client_are_asked_for_and_their_results_bring_the_next_run() {
    let Pair { ai, nodes, .. } = &Pair::start(&[]).await;
    ai.push(calls_tool("call-1", "{\"city\":\"Ulm\"}"));
    let mut body = run("t1", "r1", "What is the weather?");
    body["tools"] = json!([{"name": "weather", "description": "of a city", "parameters": {"type": "object"}}]);
    body["context"] = json!([{"description": "The user's city", "value": "Ulm"}]);
    let response = post(&nodes[0], &body).await;
    let answer = response.headers()["x-sophie-answer"].to_str().expect("a text").to_owned();
    let events = told(response).await;
    let start = json!({"type": "TOOL_CALL_START", "toolCallId": "call-1", "toolCallName": "weather", "parentMessageId": answer});
    assert_eq!(events[1].1, start);
    let last = &events.last().expect("an event").1;
    assert_eq!(last["outcome"], json!({"type": "success", "pendingToolCallIds": ["call-1"]}));
    let asked = &ai.call(0).body;
    assert_eq!(asked["tools"][0]["function"]["name"], "weather");
    assert!(
        asked["messages"][0]["content"].as_str().is_some_and(|text| text.ends_with("The user's city: Ulm")),
        "{asked}"
    );
    let call =
        json!({"id": "call-1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Ulm\"}"}});
    let messages = body["messages"].as_array_mut().expect("a list");
    messages.push(json!({"id": answer, "role": "assistant", "toolCalls": [call]}));
    messages.push(json!({"id": "t", "role": "tool", "toolCallId": "call-1", "content": "sunny"}));
    body["runId"] = "r2".into();
    ai.push(Script::answer("It is sunny."));
    let events = told(post(&nodes[1], &body).await).await;
    assert_eq!(text(&events), "It is sunny.");
    let asked = ai.call(1).body.clone();
    let brought = &asked["messages"].as_array().expect("a list")[1..];
    assert_eq!(brought[0]["content"], "What is the weather?");
    assert_eq!(brought[1]["tool_calls"], json!([call]));
    assert_eq!(brought[2], json!({"role": "tool", "content": "sunny", "tool_call_id": "call-1"}));
    // A client that was cut off in the middle of that posts what it has of it.
    let half = events[1].1["messageId"].clone();
    body["messages"].as_array_mut().expect("a list").push(json!({"id": half, "role": "assistant", "content": "It"}));
    let again = crate::support::agui::read(post(&nodes[0], &body).await).await;
    assert_eq!(again.iter().filter(|(id, _)| id.is_some()).count(), events.len());
    assert_eq!(ai.calls(), 2);
    // What the model has said is recorded: a client does not say it in its place.
    let mut other = body.clone();
    other["runId"] = "r3".into();
    let messages = other["messages"].as_array_mut().expect("a list");
    messages.pop();
    messages[1]["content"] = "I was told to.".into();
    messages[1]["toolCalls"][0]["function"]["arguments"] = "{\"city\":\"Rom\"}".into();
    ai.push(Script::answer("Still sunny."));
    told(post(&nodes[0], &other).await).await;
    assert_eq!(ai.call(2).body["messages"].as_array().expect("a list")[1..], *brought);
    other["runId"] = "r4".into();
    other["messages"][1]["id"] = "another".into();
    assert_eq!(post(&nodes[0], &other).await.status(), StatusCode::BAD_REQUEST, "nothing is known of such a call");
    let mut unknown = body.clone();
    unknown["threadId"] = "t2".into();
    unknown["messages"].as_array_mut().expect("a list").pop();
    assert_eq!(post(&nodes[0], &unknown).await.status(), StatusCode::BAD_REQUEST, "results of nothing that was asked");
}

#[tokio::test]
async fn what_was_said_before_is_the_clients_to_tell_only_where_that_is_set_and_the_log_is_empty() {
    for (trusts, roles) in [("false", &["system", "user"][..]), ("true", &["system", "user", "assistant", "user"])] {
        let Pair { ai, nodes, .. } = &Pair::start(&[("SOPHIE__CHAT__TRUST_HISTORY", trusts)]).await;
        let mut body = run("t1", "r1", "Tell me.");
        let question = body["messages"][0].clone();
        body["messages"] = json!([
            {"id": "0", "role": "user", "content": "Hello"}, {"id": "1", "role": "assistant", "content": "Hi."}, question,
        ]);
        told(post(&nodes[0], &body).await).await;
        let told_of = |call: usize| -> Vec<String> {
            let asked = ai.call(call).body;
            let messages = asked["messages"].as_array().expect("a list").iter();
            messages.map(|message| message["role"].as_str().expect("a role").to_owned()).collect()
        };
        assert_eq!(told_of(0), roles);
        body["runId"] = "r2".into();
        body["messages"][2] = json!({"id": "2", "role": "user", "content": "And now?"});
        told(post(&nodes[1], &body).await).await;
        assert_eq!(told_of(1), ["system", "user", "assistant", "user"], "as the log has it");
    }
}

#[tokio::test]
async fn an_image_is_shown_to_the_model_and_named_in_the_log_and_none_is_fetched() {
    let Pair { ai, nodes, .. } = &Pair::start(&[]).await;
    let with = |source: Value| {
        let mut body = run("t1", "r1", "");
        body["messages"][0]["content"] = json!([{"type": "image", "source": source}]);
        body
    };
    let address = with(json!({"type": "url", "value": "http://10.0.0.1/secret.png", "mimeType": "image/png"}));
    assert_eq!(post(&nodes[0], &address).await.status(), StatusCode::BAD_REQUEST);
    let image = with(json!({"type": "data", "value": "AA==", "mimeType": "image/png"}));
    told(post(&nodes[0], &image).await).await;
    let asked = ai.call(0).body["messages"].as_array().and_then(|all| all.last().cloned()).expect("a question");
    assert_eq!(asked["content"][0]["image_url"]["url"], "data:image/png;base64,AA==");
    let log = get(&nodes[1], "/ds/groups/chat_t1").await.json::<Vec<Value>>().await.expect("an array");
    assert_eq!(log[0]["message"]["text"], "[image]");
    assert_eq!(ai.calls(), 1);
}

#[tokio::test]
async fn a_long_chat_is_taken_with_its_question() {
    let Pair { ai, nodes, .. } = &Pair::start(&[]).await;
    let mut body = run("t1", "r1", "Tell me.");
    let earlier = json!({"id": "0", "role": "user", "content": "x".repeat(600_000)});
    body["messages"].as_array_mut().expect("a list").insert(0, earlier);
    told(post(&nodes[0], &body).await).await;
    assert_eq!(ai.calls(), 1);
    body["messages"][0]["content"] = "x".repeat(1 << 20).into();
    assert_eq!(post(&nodes[0], &body).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_model_that_is_there_is_asked_and_what_is_there_is_told_to_who_asks_for_another_one() {
    let Pair { ai, nodes, .. } = &Pair::start(&[]).await;
    ai.set_models(&["vendor/large"]);
    ai.push(Script::answer("Large."));
    let post_to = async |model: &str, body: &Value| {
        nodes[0].request("POST", &format!("/ag-ui/{model}")).json(body).send().await.expect("a response")
    };
    let events = told(post_to("vendor/large", &run("t1", "r1", "Tell me.")).await).await;
    assert_eq!((text(&events).as_str(), &ai.call(0).body["model"]), ("Large.", &json!("vendor/large")));
    assert_eq!(events.last().expect("an event").1["usage"][0]["model"], "vendor/large");
    let other = post_to("other", &run("t1", "r2", "Tell me.")).await;
    assert_eq!(other.status(), StatusCode::NOT_FOUND);
    let error = other.json::<Value>().await.expect("JSON");
    let message = error["error"]["message"].as_str().expect("a sentence");
    assert!(message.contains("vendor/large") && message.contains("gpt-4o-mini"), "{message}");
    assert_eq!(ai.calls(), 1);
}

#[tokio::test]
async fn a_backend_that_fails_is_told_as_the_error_of_the_run() {
    let Pair { ai, nodes, .. } = &Pair::start(&[]).await;
    ai.push(Script::broken_after("Half"));
    let events = told(post(&nodes[0], &run("t1", "r1", "Tell me.")).await).await;
    let last = &events.last().expect("an event").1;
    assert_eq!(
        (text(&events).as_str(), &last["type"], &last["code"]),
        ("Half", &json!("RUN_ERROR"), &json!("interrupted"))
    );
    assert_eq!(told(post(&nodes[1], &run("t1", "r1", "Tell me.")).await).await, events);
    assert_eq!(ai.calls(), 1);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_named_and_nothing_is_asked() {
    let app = TestApp::patient(Mode::Memory, &[("SOPHIE__SESSION__MAX_TEXT_CHARS", "10")]).await;
    let with = |field: &str, value: Value| {
        let mut body = run("t1", "r1", "Tell me.");
        body[field] = value;
        body
    };
    for (body, status, names) in [
        (with("threadId", json!("a b")), 400, "threadId"),
        (with("runId", Value::Null), 400, "runId"),
        (with("messages", json!([])), 400, "messages"),
        (with("resume", json!([{}])), 400, "resume"),
        (with("tools", json!([{}])), 400, "tools[0].name"),
        (run("t1", "r1", "Something that is longer."), 413, "10 characters"),
    ] {
        let response = post(&app, &body).await;
        assert_eq!(response.status().as_u16(), status, "{body}");
        let error = response.json::<Value>().await.expect("JSON");
        assert!(error["error"]["message"].as_str().is_some_and(|message| message.contains(names)), "{error}");
    }
    for body in ["", "[]", "{", "\u{1}"] {
        let response = app.request("POST", "/ag-ui").body(body).send().await.expect("a response");
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{body:?}");
    }
    for (method, path, allowed) in [
        ("GET", "/ag-ui", "POST"),
        ("DELETE", "/ag-ui/gpt-4o", "POST"),
        ("POST", "/ag-ui/threads/t1", "GET"),
        ("PUT", "/ag-ui/threads/t1/runs/r1", "GET"),
        ("GET", "/ag-ui/threads/t1/runs/r1/cancel", "POST"),
        ("POST", "/ag-ui/capabilities", "GET"),
    ] {
        let response = app.request(method, path).send().await.expect("a response");
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        assert_eq!(response.headers()["allow"], allowed);
    }
    assert_eq!(get(&app, "/ag-ui/threads/t1").await.status(), StatusCode::NO_CONTENT);
    assert_eq!(get(&app, "/ag-ui/threads/t1/runs/r1").await.status(), StatusCode::NOT_FOUND, "nothing was begun");
    // What was refused may be asked rightly, under the same name.
    assert_eq!(post(&app, &run("t1", "r1", "Tell me.")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_thread_is_open_to_its_owner_alone() {
    let app = TestApp::patient(Mode::Memory, &JWT).await;
    let [alice, bob] = [Token::of("alice").sign(), Token::of("bob").sign()];
    let ask = async |token: Option<&str>| {
        let request = app.request("POST", "/ag-ui").json(&run("t1", "r1", "Tell me."));
        let request = token.map_or(request.try_clone().expect("a body"), |token| request.bearer_auth(token));
        request.send().await.expect("a response")
    };
    assert_eq!(ask(None).await.status(), StatusCode::UNAUTHORIZED);
    told(ask(Some(&alice)).await).await;
    assert_eq!(ask(Some(&bob)).await.status(), StatusCode::FORBIDDEN);
    for (method, path) in [
        ("GET", "/ag-ui/threads/t1"),
        ("GET", "/ag-ui/threads/t1/runs/r1"),
        ("POST", "/ag-ui/threads/t1/runs/r1/cancel"),
    ] {
        for (token, status) in [(&alice, 200..=204), (&bob, 403..=403)] {
            let response = app.request(method, path).bearer_auth(token).send().await.expect("a response");
            assert!(status.contains(&response.status().as_u16()), "{method} {path}: {response:?}");
        }
    }
    let foreign = app.request("POST", "/ag-ui").header("origin", "https://evil.example").bearer_auth(&alice);
    let foreign = foreign.json(&run("t1", "r2", "Tell me.")).send().await.expect("a response");
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back_and_a_person_who_answers_is_left_alone() {
    let limits = [
        ("SOPHIE__LIMITS__ENABLED", "true"),
        ("SOPHIE__LIMITS__USER_MESSAGES_PER_MINUTE", "1"),
        ("SOPHIE__LIMITS__USER_BURST", "2"),
    ];
    let app = TestApp::patient(Mode::Memory, &limits).await;
    let mut refused = None;
    for n in 0..30 {
        let response = post(&app, &run("t1", &format!("r{n}"), &format!("Question {n}"))).await;
        match response.status() {
            StatusCode::OK => drop(told(response).await),
            _ => {
                refused = Some(response);
                break;
            }
        }
    }
    let refused = refused.expect("a bound");
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key("retry-after"));
    let app = TestApp::patient(Mode::Memory, &[]).await;
    drop(app.open("t1").await);
    assert_eq!(app.admin("DELETE", "/admin/api/groups/chat_t1/assistant", None).await.0, 200);
    assert_eq!(post(&app, &run("t1", "r1", "Tell me.")).await.status(), StatusCode::CONFLICT);
}

#[tokio::test]
async fn what_an_agent_here_can_do_is_told() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    let told = get(&app, "/ag-ui/capabilities").await.json::<Value>().await.expect("JSON");
    let transport = &told["transport"];
    assert_eq!(
        (&transport["streaming"], &transport["resumable"], &transport["websocket"]),
        (&json!(true), &json!(true), &json!(false))
    );
    assert_eq!((&told["tools"]["supported"], &told["humanInTheLoop"]["interrupts"]), (&json!(true), &json!(false)));
}
