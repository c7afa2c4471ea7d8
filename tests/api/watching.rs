//! Who reads which answer, in which protocol, as operators see it.

use serde_json::{Value, json};
use sophie_kit::ai_server::Script;

use crate::support::response_socket::{ResponseSocket, create};
use crate::support::{Mode, SOON, TestApp, eventually, start_with_ai, until};

in_both_modes!(
    operators_see_the_answers_under_way_and_who_reads_them,
    an_answer_of_a_key_bears_its_name,
    questions_are_counted_by_protocol,
);

const KEY: (&str, &str) = ("SOPHIE__AUTH__API_KEYS", "shop:test-key");

async fn answers(app: &TestApp) -> Vec<Value> {
    let (status, body) = app.admin("GET", "/admin/api/answers", None).await;
    assert_eq!(status, 200, "{body}");
    assert!(body["node"].is_string(), "{body}");
    body["answers"].as_array().expect("answers").clone()
}

async fn operators_see_the_answers_under_way_and_who_reads_them(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    assert_eq!(answers(&app).await, Vec::<Value>::new());
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut socket = app.open("s1").await;
    assert_eq!(socket.ask("1", json!({"type": "message.send", "text": "why?"})).await["type"], "ack");
    let id = socket.event_of("answer.start").await["answer"].as_str().expect("an id").to_owned();
    let open = async |path: String| {
        let response = app.request("GET", &path).send().await.expect("a response");
        assert_eq!(response.status(), 200, "{path}");
        response
    };
    let watching = [
        open("/api/chat/s1/stream".to_owned()).await,
        open(format!("/ds/answers/{id}?offset=-1&live=sse")).await,
        open(format!("/ds/answers/{id}/ui?offset=-1&live=sse")).await,
    ];
    // A response may have begun before its reader is noted.
    let readers = json!({"ai_sdk": 1, "durable_streams": 2});
    let all = eventually("three readers", SOON, async || {
        let all = answers(&app).await;
        (all[0]["readers"] == readers).then_some(all)
    })
    .await;
    assert_eq!(all.len(), 1, "{all:?}");
    let seen = &all[0];
    assert_eq!((&seen["answer"], &seen["group"], &seen["written_here"]), (&json!(id), &json!("chat_s1"), &json!(true)));
    assert_eq!(seen["sockets"], 1);
    assert!(seen["model"].is_string() && seen["since"].is_string() && seen.get("key").is_none(), "{seen}");
    drop(watching);
    eventually("nobody reads", SOON, async || (answers(&app).await[0]["readers"] == json!({})).then_some(())).await;
    gate.finish();
    socket.event_of("answer.end").await;
    eventually("it is over", SOON, async || answers(&app).await.is_empty().then_some(())).await;
}

async fn an_answer_of_a_key_bears_its_name(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[KEY]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut socket = ResponseSocket::open(app.address()).await;
    socket.send(&create("?", json!({}))).await;
    gate.word("one ");
    socket.word_of("").await;
    let all = answers(&app).await;
    assert_eq!((&all[0]["key"], &all[0]["readers"]), (&json!("shop"), &json!({"responses": 1})), "{all:?}");
    assert!(!all[0].to_string().contains("test-key") && all[0].get("owner").is_none(), "{all:?}");
}

async fn questions_are_counted_by_protocol(mode: Mode) {
    let (_ai, app) = start_with_ai(mode, &[]).await;
    let mut socket = app.open("s1").await;
    socket.ask("1", json!({"type": "message.send", "text": "why?"})).await;
    socket.event_of("answer.end").await;
    let user = json!({"id": "m", "role": "user", "parts": [{"type": "text", "text": "why?"}]});
    let bodies = [
        ("/api/chat", json!({"id": "s2", "trigger": "submit-message", "messages": [user]})),
        (
            "/ag-ui",
            json!({"threadId": "s3", "runId": "r", "messages": [{"id": "m", "role": "user", "content": "why?"}], "tools": [], "context": []}),
        ),
        ("/v1/responses", json!({"model": "test-model", "input": "why?"})),
        ("/v1/chat/completions", json!({"model": "test-model", "messages": [{"role": "user", "content": "why?"}]})),
        ("/v1/completions", json!({"model": "test-model", "prompt": "why?"})),
        ("/api/groups/team/messages", json!({"text": "why?", "assistant": true})),
    ];
    for (path, body) in &bodies {
        let reply = app.request("POST", path).json(body).send().await.expect("a response");
        assert_eq!(reply.status(), 200, "{path}");
        reply.text().await.expect("a body");
    }
    for protocol in ["sophie", "ai_sdk", "ag_ui", "responses", "chat_completions", "completions", "http_api"] {
        // What was published is confirmed before its answer is asked for.
        let figure = format!("sophie_questions_total{{protocol=\"{protocol}\"}}");
        until(&figure, SOON, || app.figure(&figure) == 1.0).await;
    }
}
