//! Several backends: who is asked, and who takes over.

use std::time::Duration;

use serde_json::{Value, json};
use sophie::upstream::{BackendKey, MemberOptions, OpenAiOptions};
use sophie_actors::backend::Backend;
use sophie_actors::protocol::ErrorCode;
use sophie_kit::ai_server::{AiServer, Script, role, word};

use crate::support::{ADMIN_TOKEN, Answer, Backends, Mode, TestApp, Told, hasty, member};

/// Two backends, of which the second answers "second".
async fn two() -> (AiServer, AiServer, Backends) {
    two_of(member).await
}

/// The same, the first of which is one of these.
async fn two_of(first: fn(&str, &AiServer) -> MemberOptions) -> (AiServer, AiServer, Backends) {
    let (a, b) = (AiServer::start().await, AiServer::start().await);
    b.set_default(|| Script::answer("second"));
    let backends = Backends::new(vec![first("a", &a), member("b", &b)]);
    (a, b, backends)
}

/// What comes of one question whose first backend does this, and how often the second was asked.
async fn play(script: Script) -> (Told, usize, Backends) {
    play_at(member, script).await
}

/// The same, the first of which is one of these.
async fn play_at(first: fn(&str, &AiServer) -> MemberOptions, script: Script) -> (Told, usize, Backends) {
    let (a, b, backends) = two_of(first).await;
    a.push(script);
    let told = backends.ask().await;
    assert_eq!(a.calls(), 1);
    (told, b.calls(), backends)
}

fn begun() -> Script {
    let azure = r#"{"choices":[],"prompt_filter_results":[{"x":1}]}"#;
    Script::stream()
        .event(azure)
        .event(&role())
        .event(r#"{"choices":[{"index":0,"delta":{"content":"","tool_calls":[]}}]}"#)
}

fn error_event(code: &str) -> String {
    json!({ "error": { "message": "refused by the test", "code": code } }).to_string()
}

// ---- who takes over

#[tokio::test]
async fn the_next_backend_answers_when_one_cannot() {
    for (outcome, script) in [
        ("failed", Script::refusal(500, "", "", &[])),
        ("failed", Script::refusal(409, "", "", &[])),
        ("failed", Script::refusal(503, "", "", &[("x-should-retry", "false")])),
        ("timeout", Script::refusal(408, "", "", &[])),
        ("limited", Script::refusal(429, "", "", &[])),
        ("account", Script::refusal(401, "invalid_request_error", "invalid_api_key", &[])),
        ("account", Script::refusal(403, "", "", &[])),
        ("account", Script::refusal(429, "insufficient_quota", "insufficient_quota", &[])),
        ("no_model", Script::refusal(404, "invalid_request_error", "model_not_found", &[])),
        ("unreachable", Script::hang_up()),
        ("address", Script::respond(200, &[("content-type", "text/html")], "<html>")),
        ("address", Script::respond(404, &[], "Not Found")),
        ("address", Script::respond(307, &[("location", "http://elsewhere.example/")], "")),
        ("failed", Script::respond(200, &[("content-type", "application/json")], "{}")),
        ("failed", Script::stream().event("{nonsense").done()),
        ("failed", Script::stream().event(&error_event("")).done()),
    ] {
        let (told, asked, backends) = play(script).await;
        assert_eq!(
            (told.text().as_str(), told.done, told.error.is_none(), asked),
            ("second", true, true, 1),
            "{outcome}"
        );
        assert_eq!((backends.ended("a", outcome), backends.ended("b", "answered")), (1, 1), "{outcome}");
        assert_eq!(backends.view("a").failures, u64::from(outcome != "no_model"), "{outcome}");
    }
}

#[tokio::test]
async fn a_backend_that_dies_before_it_has_shown_anything_is_replaced() {
    for script in [
        begun().close(),
        begun().end(),
        begun().done(),
        begun().event(&error_event("")).end(),
        begun().event("{nonsense").end(),
        Script::stream().end(),
    ] {
        let (told, asked, _) = play(script).await;
        assert_eq!((told.text().as_str(), told.done, told.error.is_none(), asked), ("second", true, true, 1));
        let roles = told.chunks.iter().filter(|chunk| chunk.raw.contains("\"role\"")).count();
        assert_eq!(roles, 1, "of the first answer nothing is left");
    }
}

#[tokio::test]
async fn a_backend_that_is_too_slow_to_show_anything_is_replaced() {
    for script in [Script::silent(), Script::silent_after_headers(), begun().hang()] {
        let (a, b, backends) = two_of(hasty).await;
        a.push(script);
        let told = backends.ask().await;
        assert_eq!((told.text().as_str(), told.done, b.calls()), ("second", true, 1));
        assert_eq!(backends.ended("a", "timeout"), 1);
        a.wait_cancelled(0, Duration::from_secs(5)).await;
    }
}

#[tokio::test]
async fn a_backend_that_refuses_connections_is_replaced() {
    let (a, b, backends) = two().await;
    a.refuse().await;
    assert_eq!((backends.ask().await.text().as_str(), b.calls()), ("second", 1));
    assert_eq!(backends.ended("a", "unreachable"), 1);
}

#[tokio::test]
async fn a_backend_tries_again_before_another_one_is_asked() {
    let (a, b) = (AiServer::start().await, AiServer::start().await);
    let mut first = member("a", &a);
    first.reach.retries = 1;
    let backends = Backends::new(vec![first, member("b", &b)]);
    let busy = || Script::refusal(503, "", "", &[("retry-after-ms", "1")]);
    a.push(busy());
    a.push(Script::answer("at the second try"));
    assert_eq!(backends.ask().await.text(), "at the second try");
    assert_eq!((a.calls(), b.calls()), (2, 0));
    a.set_default(busy);
    assert!(backends.ask().await.done);
    assert_eq!((a.calls(), b.calls()), (4, 1));
}

// ---- who does not

#[tokio::test]
async fn once_something_was_shown_nobody_takes_over() {
    let tool = r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t"}]}}]}"#;
    let reasoning = r#"{"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}"#;
    for (script, code) in [
        (begun().event(&word("a")).close(), ErrorCode::Interrupted),
        (begun().event(tool).close(), ErrorCode::Interrupted),
        (begun().event(reasoning).close(), ErrorCode::Interrupted),
        (begun().event(&word("a")).event(&error_event("")).end(), ErrorCode::AiUnavailable),
        (begun().event(&word("a")).hang(), ErrorCode::AiTimeout),
    ] {
        let first: fn(&str, &AiServer) -> MemberOptions = if code == ErrorCode::AiTimeout { hasty } else { member };
        let (told, asked, backends) = play_at(first, script).await;
        assert_eq!((told.code(), told.done, asked), (Some(code), false, 0));
        assert_eq!(told.chunks.len(), 4, "what was held back has come too");
        assert_eq!(backends.view("a").failures, 1);
    }
}

#[tokio::test]
async fn what_shows_nothing_is_held_back_within_bounds() {
    let empty = |script: Script, _| script.event(r#"{"choices":[{"index":0,"delta":{"content":""}}]}"#);
    let (told, asked, _) = play((0..40).fold(Script::stream(), empty).close()).await;
    assert_eq!((told.code(), asked, told.chunks.len()), (Some(ErrorCode::Interrupted), 0, 40));
}

#[tokio::test]
async fn nothing_is_held_back_where_nobody_could_take_over() {
    let ai = AiServer::start().await;
    let backends = Backends::new(vec![hasty("a", &ai)]);
    ai.push(begun().hang());
    let told = backends.ask().await;
    assert_eq!((told.code(), told.chunks.len()), (Some(ErrorCode::AiTimeout), 3));
}

#[tokio::test]
async fn a_request_that_is_at_fault_itself_is_nobody_elses() {
    for (status, code) in
        [(400, ""), (404, ""), (413, ""), (422, ""), (400, "content_filter"), (400, "context_length_exceeded")]
    {
        let (told, asked, backends) = play(Script::refusal(status, "invalid_request_error", code, &[])).await;
        assert_eq!((told.code(), asked), (Some(ErrorCode::AiRejected), 0), "{status} {code}");
        let refusal = told.error.and_then(|error| error.refusal).expect("the backend's words");
        assert_eq!((refusal.status, &refusal.error["message"]), (status, &json!("refused by the test")));
        assert_eq!((backends.view("a").failures, backends.ended("a", "rejected")), (0, 1));
    }
}

#[tokio::test]
async fn a_refusal_for_the_account_bears_nothing_of_the_backends_words() {
    for (status, code) in [(401, "invalid_api_key"), (403, ""), (429, "insufficient_quota"), (500, "")] {
        let ai = AiServer::start().await;
        ai.push(Script::refusal(status, "", code, &[]));
        let error = Backends::new(vec![member("a", &ai)]).ask().await.error.expect("an error");
        assert_eq!((error.code, error.refusal), (ErrorCode::AiUnavailable, None), "{status}");
        assert_eq!(error.asked.map(|asked| asked.backend).as_deref(), Some("a"));
        assert!(!error.reason.contains("refused by the test") && !error.reason.contains("127.0.0.1"));
    }
}

// ---- models

fn serving(name: &str, ai: &AiServer, models: &[&str]) -> MemberOptions {
    MemberOptions { models: models.iter().map(|it| (*it).to_owned()).collect(), ..member(name, ai) }
}

#[tokio::test]
async fn a_backend_is_asked_for_its_models_alone_in_the_order_of_the_settings() {
    let (a, b, c) = (AiServer::start().await, AiServer::start().await, AiServer::start().await);
    let backends = Backends::new(vec![
        serving("a", &a, &["gpt-*", "o?"]),
        serving("b", &b, &["llama3"]),
        serving("c", &c, &["gpt-5", "llama*"]),
    ]);
    for (model, calls) in
        [("gpt-4o", [1, 0, 0]), ("o3", [2, 0, 0]), ("llama3", [2, 1, 0]), ("llama4", [2, 1, 1]), ("gpt-5", [3, 1, 1])]
    {
        assert!(backends.ask_for(json!({ "model": model })).await.done, "{model}");
        assert_eq!([a.calls(), b.calls(), c.calls()], calls, "{model}");
    }
    for model in [json!("o3-mini"), json!("GPT-4o"), Value::Null] {
        let error = backends.ask_for(json!({ "model": model })).await.error.expect("no such model");
        assert_eq!((error.code, error.reason.as_str()), (ErrorCode::AiRejected, "no such model here"));
        let refusal = error.refusal.expect("in OpenAI's shape");
        assert_eq!((refusal.status, &refusal.error["code"]), (404, &json!("model_not_found")));
        assert_eq!(refusal.error["type"], "invalid_request_error");
    }
    assert_eq!([a.calls(), b.calls(), c.calls()], [3, 1, 1]);
}

#[tokio::test]
async fn a_model_that_one_lacks_is_told_only_if_no_other_is_in_trouble() {
    let lacks = || Script::refusal(404, "invalid_request_error", "model_not_found", &[]);
    let (a, b, backends) = two().await;
    a.set_default(lacks);
    b.set_default(lacks);
    let refusal = backends.ask().await.error.and_then(|error| error.refusal).expect("a refusal");
    assert_eq!(refusal.status, 404);
    a.set_default(|| Script::refusal(503, "", "", &[]));
    assert_eq!(backends.ask().await.code(), Some(ErrorCode::AiUnavailable), "it may come back");
    assert_eq!(backends.view("b").failures, 0);
}

#[tokio::test]
async fn the_list_of_models_is_that_of_all_and_is_kept() {
    let (a, b, c) = (AiServer::start().await, AiServer::start().await, AiServer::start().await);
    a.set_models(&["gpt-4o", "whisper-1"]);
    b.set_models(&["gpt-4o", "llama3", "secret"]);
    c.refuse().await;
    let mut renamed = serving("d", &a, &["fast"]);
    renamed.reach.model = "gpt-4o".into();
    let backends = Backends::new(vec![
        serving("a", &a, &["gpt-*", "o3"]),
        serving("b", &b, &["gpt-*", "llama*"]),
        member("c", &c),
        renamed,
    ]);
    for _ in 0..3 {
        let models = backends.router.models().await;
        let names: Vec<_> = models.iter().filter_map(|model| model["id"].as_str()).collect();
        assert_eq!(names, ["gpt-4o", "o3", "llama3", "fast", "chat-model"]);
        assert!(models.iter().all(|model| model["object"] == "model"));
    }
    assert_eq!((a.models_asked(), b.models_asked()), (1, 1));
}

// ---- Azure

#[tokio::test]
async fn azure_gets_its_header_its_version_and_its_models_name() {
    let ai = AiServer::start().await;
    let mut azure = member("azure", &ai);
    azure.reach = OpenAiOptions {
        base_url: ai.base_url() + "/deployments/mine?api-version=2024-10-21",
        api_key: None,
        headers: vec![("api-key".into(), BackendKey::new("azure-key-123").expect("a key"))],
        model: "o3-mini".into(),
        ..azure.reach
    };
    let backends = Backends::new(vec![azure]);
    assert!(backends.ask_for(json!({ "model": "fast", "max_tokens": 9, "x_new": 1 })).await.done);
    let call = ai.call(0);
    assert_eq!(call.path, "/v1/deployments/mine/chat/completions?api-version=2024-10-21");
    assert_eq!(call.headers["api-key"], "azure-key-123");
    assert!(!call.headers.contains_key("authorization"));
    assert_eq!((&call.body["model"], &call.body["x_new"]), (&json!("o3-mini"), &json!(1)));
    assert_eq!((&call.body["max_completion_tokens"], call.body.get("max_tokens")), (&json!(9), None));
    let body = r#"{"error":{"message":"who is azure-key-123?","code":"x"}}"#;
    ai.push(Script::respond(401, &[("content-type", "application/json")], body));
    let error = backends.ask().await.error.expect("an error");
    assert!(error.detail.contains("who is [key]"), "{}", error.detail);
    assert!(!format!("{:?}", backends.router.view()).contains("azure-key-123"));
}

// ---- the whole program

#[tokio::test]
async fn a_chat_is_answered_by_whoever_can_and_only_operators_know_who_it_was() {
    let (a, b) = (AiServer::start().await, AiServer::start().await);
    a.set_default(|| Script::refusal(503, "", "", &[]));
    b.set_default(|| Script::answer("From the other one."));
    let tables = json!([
        { "name": "primary", "base_url": a.base_url().replace("127", "u:hunter2@127"), "retries": 0, "models": ["gpt-*"] },
        { "name": "spare", "base_url": b.base_url() + "?api-version=7", "headers": { "api-key": "hunter2hunter2" } },
    ])
    .to_string();
    let prices = r#"[{"name":"*","prompt_per_million":1000,"completion_per_million":100000}]"#;
    let env =
        [("SOPHIE__AI__BACKEND", "auto"), ("SOPHIE__AI__BACKENDS", tables.as_str()), ("SOPHIE__AI__PRICES", prices)];
    let app = TestApp::patient(Mode::Memory, &env).await;
    let mut socket = app.open("s1").await;
    let answer = Answer::to(&mut socket, "1", "Hi").await;
    assert_eq!((answer.text.as_str(), answer.end["type"].as_str()), ("From the other one.", Some("answer.end")));
    for event in [&answer.start, &answer.end] {
        assert!(!event.to_string().contains("spare") && !event.to_string().contains("primary"), "{event}");
    }
    assert_eq!(b.call(0).headers["api-key"], "hunter2hunter2");
    assert!(b.call(0).path.ends_with("?api-version=7"));

    let (status, body) = app.admin("GET", "/admin/api/backends", None).await;
    assert_eq!(status, 200, "{body}");
    assert!(!body.to_string().contains("hunter2"), "{body}");
    let (primary, spare) = (&body["backends"][0], &body["backends"][1]);
    assert_eq!(
        (&primary["name"], &primary["models"], &primary["state"]),
        (&json!("primary"), &json!(["gpt-*"]), &json!("closed"))
    );
    assert_eq!(
        (&primary["requests"], &primary["failures"], &primary["consecutive_failures"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert!(primary["last_error"]["detail"].as_str().is_some_and(|detail| detail.contains("status=503")), "{primary}");
    assert!(primary["since"].is_string() && primary["last_error"]["at"].is_string());
    assert_eq!((&spare["requests"], &spare["failures"], &spare["last_error"]), (&json!(1), &json!(0), &Value::Null));
    assert!(spare["first_piece_ms"]["p99"].is_number() && primary["first_piece_ms"]["p99"].is_null(), "{body}");
    let [read, wrote, cost] =
        ["prompt_tokens", "completion_tokens", "cost"].map(|name| spare[name].as_f64().unwrap_or(-1.0));
    assert!(cost > 0.0 && (cost - (read * 0.001 + wrote * 0.1)).abs() < 1e-9, "{body}");
    assert_eq!((&primary["prompt_tokens"], &primary["cost"]), (&json!(0), &json!(0.0)), "{body}");
    assert!(spare["url"].as_str().is_some_and(|url| url.ends_with("?api-version=***")), "{spare}");
    let without = app.request("GET", "/admin/api/backends").send().await.expect("a response");
    assert_eq!(without.status(), 401);

    let metrics = app.request("GET", "/metrics").bearer_auth(ADMIN_TOKEN).send().await.expect("a response");
    let metrics = metrics.text().await.expect("text");
    for line in [
        "sophie_backend_requests_total{backend=\"primary\",outcome=\"failed\"} 1",
        "sophie_backend_requests_total{backend=\"spare\",outcome=\"answered\"} 1",
        "sophie_backend_available{backend=\"primary\"} 1",
        "sophie_backend_first_chunk_seconds_count{backend=\"spare\"} 1",
        "sophie_degraded{dependency=\"ai\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}
