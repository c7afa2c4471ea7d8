//! What goes wrong in the gateway, as OpenAI's SDKs want to be told: the status, the shape, and whether to try again.

use serde_json::{Value, json};
use sophie_kit::ai_server::{Script, finish, word};

use crate::support::{Mode, Reply, SOON, TestApp, eventually, question, start_with_ai, streamed};

#[tokio::test]
async fn every_error_has_openais_shape() {
    let app = TestApp::start(Mode::Memory, &[("SOPHIE__SERVER__MAX_BODY_BYTES", "300000")]).await;
    for (method, path, status, code) in [
        ("GET", "/v1", 404, "unknown_url"),
        ("GET", "/v1/nothing", 404, "unknown_url"),
        ("POST", "/v1/moderations", 404, "unknown_url"),
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("POST", "/v1/models", 405, "method_not_allowed"),
        ("DELETE", "/v1/models/m", 405, "method_not_allowed"),
        ("GET", "/v1/models/org/m", 404, "model_not_found"),
    ] {
        let reply = Reply::to(app.request(method, path)).await;
        assert_eq!((reply.status, reply.error()["code"].as_str()), (status, Some(code)), "{method} {path}");
        assert_eq!(reply.header("allow").is_empty(), status != 405);
    }
    let sent = async |body: String| Reply::to(app.request("POST", "/v1/chat/completions").body(body)).await;
    for body in ["", "{", "[]", "7", "\"x\"", "{\"model\": \"m\"}", "{\"messages\": []}", &"[".repeat(10_000)] {
        let reply = sent(body.to_owned()).await;
        assert_eq!((reply.status, reply.error()["type"].as_str()), (400, Some("invalid_request_error")), "{body}");
    }
    assert_eq!(
        sent(json!({"model": "m", "messages": [], "stream": "yes"}).to_string()).await.error()["param"],
        "stream"
    );
    let huge = sent(question(&"x".repeat(300_000)).to_string()).await;
    assert_eq!((huge.status, huge.error()["code"].as_str()), (413, Some("request_too_large")));
    // Also where the length is not told before.
    let pieces = (0..40).map(|_| Ok::<_, std::io::Error>(vec![b' '; 10_000]));
    let request = app.request("POST", "/v1/chat/completions");
    let chunked = request.body(reqwest::Body::wrap_stream(futures_util::stream::iter(pieces)));
    assert_eq!(Reply::to(chunked).await.status, 413);
    assert_eq!(sent(question(&"x".repeat(250_000)).to_string()).await.status, 200);
}

in_both_modes!(a_failure_in_the_middle_ends_the_stream_without_done, a_failed_answer_is_not_kept,);

#[tokio::test]
async fn a_failure_before_the_first_chunk_is_the_responses_status() {
    /// What the backend does, the status, and `x-should-retry`.
    type Case = (fn() -> Script, u16, &'static str);
    let cases: [Case; 8] = [
        (|| Script::refusal(400, "invalid_request_error", "", &[]), 400, ""),
        (|| Script::refusal(401, "invalid_request_error", "invalid_api_key", &[]), 503, "false"),
        (|| Script::refusal(429, "insufficient_quota", "insufficient_quota", &[]), 503, "false"),
        (|| Script::refusal(429, "requests", "rate_limit_exceeded", &[("retry-after", "3")]), 429, ""),
        (|| Script::refusal(500, "server_error", "", &[]), 503, ""),
        (Script::hang_up, 503, ""),
        (|| Script::error_after("", json!({"message": "overloaded", "type": "server_error"})), 503, ""),
        (|| Script::respond(200, &[("content-type", "text/html")], "<html>"), 503, "false"),
    ];
    for (n, (script, status, should_retry)) in cases.into_iter().enumerate() {
        // A backend that keeps failing is left out for a while: each gets a fresh one.
        let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
        for body in [streamed(&format!("{n}?")), question(&format!("{n}?"))] {
            ai.push(script());
            let reply = Reply::ask(&app, &body).await;
            assert_eq!((reply.status, reply.header("x-should-retry")), (status, should_retry), "{n}: {reply:?}");
            let error = reply.error();
            assert!(!error.to_string().contains("127.0.0.1") && !error.to_string().contains("a-key"), "{error}");
            let waits = matches!(status, 429 | 503) && should_retry.is_empty();
            assert_eq!(reply.header("retry-after").is_empty(), !waits, "{n}");
        }
    }
    let (ai, app) = start_with_ai(Mode::Memory, &[("SOPHIE__AI__FIRST_CHUNK_SECONDS", "1")]).await;
    ai.push(Script::silent_after_headers());
    let slow = Reply::ask(&app, &streamed("slow?")).await;
    assert_eq!((slow.status, slow.error()["code"].as_str()), (504, Some("ai_timeout")));
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    ai.push(Script::ended_after("half an "));
    let cut = Reply::ask(&app, &question("cut?")).await;
    assert_eq!((cut.status, cut.error()["code"].as_str()), (502, Some("interrupted")));
}

async fn a_failure_in_the_middle_ends_the_stream_without_done(mode: Mode) {
    // Longer than a busy machine may pause between two pieces.
    let idle = [("SOPHIE__AI__IDLE_SECONDS", "4")];
    let scripts: Vec<(Script, &str)> = vec![
        (Script::broken_after("one two"), "interrupted"),
        (Script::ended_after("one two"), "interrupted"),
        (Script::without_finish_reason("one two"), "interrupted"),
        (Script::error_after("one two", json!({"message": "no", "type": "server_error"})), "ai_unavailable"),
        (Script::silent_after("one two"), "ai_timeout"),
    ];
    for (n, (script, code)) in scripts.into_iter().enumerate() {
        let (ai, app) = start_with_ai(mode, &idle).await;
        ai.push(script);
        let reply = Reply::ask(&app, &streamed(&format!("{n}?"))).await;
        let events = reply.events();
        assert!(!events.contains(&"[DONE]"), "{n}: {events:?}");
        let (last, before) = events.split_last().expect("events");
        let last: Value = serde_json::from_str(last).expect("JSON");
        assert_eq!((&last["error"]["code"], last["error"]["message"].is_string()), (&json!(code), true), "{n}: {last}");
        assert_eq!(before.iter().filter(|event| event.contains("one ")).count(), 1, "{n}: what had come was passed on");
    }
}

async fn a_failed_answer_is_not_kept(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    ai.push(Script::ended_after("half"));
    ai.push(Script::stream().event(&word("held back")).event(&finish("content_filter")).done());
    assert_eq!(Reply::ask(&app, &question("?")).await.status, 502);
    // Until a failure is told to all nodes, others may still join it.
    let fresh = async |body: Value| {
        eventually("a try of its own", SOON, async || {
            let reply = Reply::ask(&app, &body).await;
            assert_ne!(reply.header("x-sophie-cache"), "hit");
            (reply.header("x-sophie-cache") == "miss").then_some(reply)
        })
        .await
    };
    assert_eq!(fresh(streamed("?")).await.answer(), "held back");
    assert_ne!(fresh(question("?")).await.answer(), "held back");
    assert_eq!(ai.calls(), 3);
}

#[tokio::test]
async fn a_backends_own_words_about_a_request_are_passed_on() {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    let error =
        json!({"message": "'n' is too large", "type": "invalid_request_error", "param": "n", "code": "bad_n", "x": 1});
    let body = json!({"error": error}).to_string();
    for status in [400, 404, 413, 422] {
        for asked in [streamed("?"), question("?")] {
            ai.push(Script::respond(status, &[("content-type", "application/json")], &body));
            let reply = Reply::ask(&app, &asked).await;
            assert_eq!((reply.status, reply.error()), (status, error.clone()));
        }
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_does_not_count_as_a_call() {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    let mut half = tokio::net::TcpStream::connect(app.address()).await.expect("connected");
    let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{";
    tokio::io::AsyncWriteExt::write_all(&mut half, head.as_bytes()).await.expect("sent");
    drop(half);
    assert_eq!(Reply::ask(&app, &question("?")).await.status, 200);
    assert_eq!(ai.calls(), 1);
}
