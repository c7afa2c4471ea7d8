//! The client of the AI backend against a server that misbehaves.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use sophie::upstream::{ApiKey, OpenAi, OpenAiOptions};
use sophie_actors::backend::{Backend, BackendError, ChunkStream, StreamItem};
use sophie_actors::openai::{Body, ChatRequest, Choices, Chunk};
use sophie_actors::protocol::ErrorCode;
use sophie_kit::ai_server::{AiServer, Script, finish, word};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// How long anything may take that should happen at once.
const SOON: Duration = Duration::from_secs(5);

/// A header that keeps a retry from waiting.
const AT_ONCE: (&str, &str) = ("retry-after-ms", "1");

fn options(base_url: String) -> OpenAiOptions {
    OpenAiOptions {
        base_url,
        api_key: ApiKey::new("test-key-123"),
        connect_seconds: 2,
        first_chunk_seconds: 10,
        idle_seconds: 10,
        total_seconds: 30,
        retries: 2,
        max_answer_bytes: 32 * 1024 * 1024,
        max_event_bytes: 16 * 1024 * 1024,
        ..OpenAiOptions::default()
    }
}

fn client(options: OpenAiOptions) -> OpenAi {
    // Only the first of the tests of this process can install it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    OpenAi::new(options).expect("good options")
}

fn backend(ai: &AiServer) -> OpenAi {
    client(options(ai.base_url()))
}

fn question() -> ChatRequest {
    request(json!({ "model": "m", "messages": [{ "role": "user", "content": "Hi" }] }))
}

fn request(body: Value) -> ChatRequest {
    let Value::Object(body) = body else { panic!("not an object") };
    ChatRequest { body: body.into() }
}

/// All that came of an answer.
#[derive(Debug, Default)]
struct Got {
    chunks: Vec<Chunk>,
    done: bool,
    error: Option<BackendError>,
}

impl Got {
    fn text(&self) -> String {
        self.chunks.iter().map(|chunk| chunk.text.as_str()).collect()
    }

    fn is_proven(&self) -> bool {
        self.done && self.error.is_none() && Choices::of(&self.chunks).is_finished()
    }

    fn code(&self) -> Option<ErrorCode> {
        self.error.as_ref().map(|error| error.code)
    }
}

async fn collect(mut stream: ChunkStream) -> Got {
    let mut got = Got::default();
    while let Some(item) = timeout(SOON * 4, stream.next()).await.expect("the answer ends") {
        assert!(!got.done && got.error.is_none(), "something came after the end");
        match item {
            Ok(StreamItem::Chunk(chunk)) => got.chunks.push(chunk),
            Ok(StreamItem::Done) => got.done = true,
            Err(error) => got.error = Some(error),
        }
    }
    got
}

async fn ask(backend: &OpenAi) -> Got {
    match timeout(SOON * 4, backend.stream(&question())).await.expect("the answer begins") {
        Ok(stream) => collect(stream).await,
        Err(error) => Got { error: Some(error), ..Got::default() },
    }
}

/// What comes of one call with `script`.
async fn play(script: Script) -> Got {
    let ai = AiServer::start().await;
    ai.push(script);
    let got = ask(&backend(&ai)).await;
    assert_eq!(ai.calls(), 1, "one call");
    got
}

fn assert_plain(error: &BackendError) {
    for hidden in ["127.0.0.1", "http", "test-key", "refused by the test", "status"] {
        assert!(!error.reason.contains(hidden), "{hidden} in {}", error.reason);
    }
    assert!(!error.detail.contains("test-key"), "{}", error.detail);
}

// ---- what is sent

#[tokio::test]
async fn a_request_asks_for_a_stream_with_usage_and_passes_unknown_fields_on() {
    let ai = AiServer::start().await;
    let body = json!({ "model": "m", "messages": [], "max_completion_tokens": 9, "x_new": { "deep": [1, null] } });
    let got = collect(backend(&ai).stream(&request(body.clone())).await.expect("an answer")).await;
    assert!(got.is_proven());
    let call = ai.call(0);
    assert_eq!(call.path, "/v1/chat/completions");
    assert_eq!(call.headers["authorization"], "Bearer test-key-123");
    assert_eq!(call.headers["accept"], "text/event-stream");
    assert_eq!(call.headers["content-type"], "application/json");
    let mut expected = body;
    expected["stream"] = json!(true);
    expected["stream_options"] = json!({ "include_usage": true });
    assert_eq!(call.body, expected);
}

#[tokio::test]
async fn a_slash_at_the_end_of_the_address_does_no_harm_and_without_a_key_none_is_sent() {
    let ai = AiServer::start().await;
    let options = OpenAiOptions { base_url: ai.base_url() + "/", api_key: None, ..options(String::new()) };
    assert!(ask(&client(options)).await.is_proven());
    let call = ai.call(0);
    assert_eq!(call.path, "/v1/chat/completions");
    assert!(!call.headers.contains_key("authorization"));
}

#[tokio::test]
async fn options_that_make_no_sense_are_refused_without_repeating_them() {
    let ai = AiServer::start().await;
    drop(backend(&ai));
    for bad in [
        OpenAiOptions { base_url: "ftp://user:hidden@h".into(), ..options(String::new()) },
        OpenAiOptions { api_key: ApiKey::new("hidden\nkey"), ..options(ai.base_url()) },
    ] {
        let error = OpenAi::new(bad).expect_err("bad options");
        assert!(!error.to_string().contains("hidden"), "{error}");
    }
    assert!(!format!("{:?}", options(String::new())).contains("test-key"));
}

// ---- good answers in every form

#[tokio::test]
async fn a_good_answer_comes_whole_with_usage_and_proof() {
    let got = play(Script::answer("Hello there, you.")).await;
    assert_eq!(got.text(), "Hello there, you.");
    assert!(got.is_proven());
    assert_eq!(got.chunks.iter().find_map(|chunk| chunk.usage).map(|usage| usage.total_tokens), Some(12));
}

#[tokio::test]
async fn words_arrive_while_the_answer_is_still_being_written() {
    let ai = AiServer::start().await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let backend = backend(&ai);
    gate.word("one ");
    let mut stream = timeout(SOON, backend.stream(&question())).await.expect("begins").expect("an answer");
    for (next, text) in [(Some("two "), "one "), (Some("three"), "two "), (None, "three")] {
        let item = timeout(SOON, stream.next()).await.expect("at once").expect("an item").expect("good");
        assert!(matches!(item, StreamItem::Chunk(chunk) if chunk.text == text));
        next.into_iter().for_each(|next| gate.word(next));
    }
    gate.finish();
    assert!(collect(stream).await.done);
}

#[tokio::test]
async fn every_line_end_split_at_every_byte_gives_the_same_answer() {
    for end in ["\n", "\r", "\r\n"] {
        let text = format!(
            "\u{feff}: hello{end}{end}event: message{end}data: {}{end}{end}data: {}{end}{end}data: [DONE]{end}{end}",
            word("é😀"),
            finish("stop")
        );
        let got = play(Script::pieces(text.bytes().map(|byte| [byte]))).await;
        assert_eq!(got.text(), "é😀", "{end:?}");
        assert!(got.is_proven(), "{end:?}");
    }
}

#[tokio::test]
async fn data_on_several_lines_is_one_chunk_that_can_be_sent_on_as_one_line() {
    let text = "data: {\"choices\":[{\"index\":0,\ndata: \"delta\":{\"content\":\"a\"},\ndata: \"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let got = play(Script::pieces([text])).await;
    assert_eq!(got.text(), "a");
    assert!(got.is_proven());
    assert!(!got.chunks[0].raw.contains('\n'));
}

#[tokio::test]
async fn frames_without_choices_and_unknown_fields_come_through_untouched() {
    let frames = [
        r#"{"choices":[],"prompt_filter_results":[{"x":1}]}"#,
        r#"{"choices":null}"#,
        r#"{"id":"only"}"#,
        r#"{"choices":[{"index":0,"delta":{"reasoning_content":"hm","content":null},"x_new":[1]}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"end"},"finish_reason":"tea_time"}]}"#,
    ];
    let got = play(frames.iter().fold(Script::stream(), |script, frame| script.event(frame)).done()).await;
    assert_eq!(got.chunks.iter().map(|chunk| &*chunk.raw).collect::<Vec<_>>(), frames);
    assert_eq!(got.text(), "end");
    assert!(got.is_proven());
}

#[tokio::test]
async fn a_slow_drip_is_an_answer_like_any_other() {
    let got = play(Script::drip("drop", Duration::from_millis(1))).await;
    assert_eq!(got.text(), "drop");
    assert!(got.is_proven());
}

#[tokio::test]
async fn a_chunk_of_5_mb_passes() {
    let got = play(Script::huge(5_000_000)).await;
    assert_eq!(got.text().len(), 5_000_000);
    assert!(got.is_proven());
}

#[tokio::test]
async fn a_whole_json_body_is_an_answer_and_its_own_proof() {
    let got = play(Script::whole("All at once.")).await;
    assert_eq!(got.text(), "All at once.");
    assert!(got.is_proven());
    assert_eq!(got.chunks[0].usage.map(|usage| usage.total_tokens), Some(12));
}

#[tokio::test]
async fn a_request_that_wants_no_stream_is_sent_so() {
    let ai = AiServer::start().await;
    ai.push(Script::whole("Whole."));
    let body = json!({ "model": "m", "messages": [], "stream": false });
    let got = collect(backend(&ai).stream(&request(body.clone())).await.expect("an answer")).await;
    assert_eq!(got.text(), "Whole.");
    assert_eq!(ai.call(0).body, body);
}

#[tokio::test]
async fn a_connection_serves_further_answers_also_when_the_response_ends_after_done() {
    let ai = AiServer::start().await;
    let late = || Script::stream().event(&finish("stop")).event("[DONE]").pause(Duration::from_millis(20)).end();
    ai.set_default(late);
    let backend = backend(&ai);
    for n in 0..10 {
        assert!(ask(&backend).await.is_proven());
        ai.wait_finished(n, SOON).await;
    }
    // The next request may be quicker than the return of a connection; but by far not always.
    assert!(ai.call(9).connection < 5, "{} connections for 10 answers", ai.call(9).connection + 1);
}

// ---- answers that are not complete

#[tokio::test]
async fn an_end_without_done_is_told_as_such() {
    for script in [Script::without_done("cut"), Script::ended_after("cut")] {
        let got = play(script).await;
        assert_eq!(got.text(), "cut");
        assert!(!got.done && got.error.is_none() && !got.is_proven());
    }
}

#[tokio::test]
async fn a_missing_finish_reason_leaves_the_answer_unproven() {
    let got = play(Script::without_finish_reason("cut")).await;
    assert!(got.done && !got.is_proven());
}

#[tokio::test]
async fn an_empty_stream_is_an_answer_that_never_came() {
    let got = play(Script::stream().end()).await;
    assert!(got.chunks.is_empty() && !got.done && got.error.is_none());
}

#[tokio::test]
async fn a_connection_that_breaks_within_the_answer_interrupts_it_and_is_not_tried_again() {
    let got = play(Script::broken_after("half an")).await;
    assert_eq!(got.text(), "half an");
    assert_eq!(got.code(), Some(ErrorCode::Interrupted));
    assert_plain(&got.error.expect("an error"));
}

#[tokio::test]
async fn an_error_inside_the_stream_is_an_error() {
    for (error, code) in [
        (json!({ "message": "refused by the test", "type": "server_error" }), ErrorCode::AiUnavailable),
        (json!({ "message": "refused by the test", "code": "content_filter" }), ErrorCode::AiRejected),
        (json!("refused by the test"), ErrorCode::AiUnavailable),
    ] {
        for text in ["", "so far "] {
            let got = play(Script::error_after(text, error.clone())).await;
            assert_eq!(got.text(), text);
            assert_eq!(got.code(), Some(code), "{error}");
            assert_plain(&got.error.expect("an error"));
        }
    }
}

#[tokio::test]
async fn an_event_named_error_is_an_error_whatever_it_says() {
    let got = play(Script::stream().piece("event: error\ndata: {\"message\":\"refused by the test\"}\n\n").end()).await;
    assert_eq!(got.code(), Some(ErrorCode::AiUnavailable));
}

#[tokio::test]
async fn what_is_no_json_interrupts_an_answer() {
    let got = play(Script::stream().event(&word("a")).event("{nonsense").done()).await;
    assert_eq!((got.text().as_str(), got.code()), ("a", Some(ErrorCode::Interrupted)));
    let got = play(Script::stream().event("{nonsense").done()).await;
    assert_eq!(got.code(), Some(ErrorCode::AiUnavailable));
}

#[tokio::test]
async fn a_line_without_end_is_given_up() {
    let script = (0..9)
        .fold(Script::stream().event(&word("a")).piece("data: "), |script, _| script.piece(vec![b'x'; 1024 * 1024]));
    let ai = AiServer::start().await;
    ai.push(script.hang());
    let got = ask(&client(OpenAiOptions { max_event_bytes: 8 * 1024 * 1024, ..options(ai.base_url()) })).await;
    assert_eq!((got.text().as_str(), got.code()), ("a", Some(ErrorCode::Interrupted)));
    ai.wait_cancelled(0, SOON).await;
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let ai = AiServer::start().await;
    ai.push(Script::flood(1_000, 1_000_000));
    let got = ask(&client(OpenAiOptions { max_answer_bytes: 100_000, ..options(ai.base_url()) })).await;
    assert_eq!(got.code(), Some(ErrorCode::Interrupted));
    assert!((10_000..100_000).contains(&got.text().len()));
    ai.wait_cancelled(0, SOON).await;
}

// ---- responses that are no answers

#[tokio::test]
async fn a_web_page_is_no_answer() {
    for (kind, body) in [("text/html", "<html>hi"), ("text/plain", "Hello"), ("", "<!doctype html>"), ("", "")] {
        let got = play(Script::respond(200, &[("content-type", kind)], body)).await;
        assert_eq!(got.code(), Some(ErrorCode::AiUnavailable), "{kind}");
        assert_plain(&got.error.expect("an error"));
    }
    assert_eq!(play(Script::respond(200, &[], "{}")).await.code(), Some(ErrorCode::AiUnavailable));
}

#[tokio::test]
async fn a_json_body_without_an_answer_is_none() {
    let json = [("content-type", "application/json")];
    assert_eq!(play(Script::respond(200, &json, "{}")).await.code(), Some(ErrorCode::AiUnavailable));
    let error = r#"{"error":{"message":"refused by the test","type":"invalid_request_error"}}"#;
    assert_eq!(play(Script::respond(200, &json, error)).await.code(), Some(ErrorCode::AiRejected));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let ai = AiServer::start().await;
    let elsewhere = AiServer::start().await;
    let there = elsewhere.base_url() + "/chat/completions";
    ai.push(Script::respond(307, &[("location", &there)], ""));
    assert_eq!(ask(&backend(&ai)).await.code(), Some(ErrorCode::AiUnavailable));
    assert_eq!(elsewhere.calls(), 0);
}

#[tokio::test]
async fn a_request_that_is_refused_is_rejected_at_once() {
    for status in [400, 404, 413, 422] {
        let got = play(Script::refusal(status, "invalid_request_error", "", &[])).await;
        assert_eq!(got.code(), Some(ErrorCode::AiRejected), "{status}");
        let error = got.error.expect("an error");
        assert_plain(&error);
        assert!(error.detail.contains(&status.to_string()) && error.detail.contains("refused by the test"));
        let refusal = error.refusal.expect("the backend's words, for those who speak its language");
        assert_eq!((refusal.status, &refusal.error["message"]), (status, &json!("refused by the test")));
        assert_eq!(error.retry_after_ms, None);
    }
}

#[tokio::test]
async fn trouble_with_the_account_is_told_as_such_and_not_tried_again() {
    for script in [
        Script::refusal(401, "invalid_request_error", "invalid_api_key", &[]),
        Script::refusal(403, "", "", &[]),
        Script::refusal(429, "insufficient_quota", "insufficient_quota", &[AT_ONCE]),
        Script::refusal(429, "insufficient_quota", "insufficient_quota", &[AT_ONCE, ("x-should-retry", "true")]),
    ] {
        let got = play(script).await;
        let error = got.error.expect("an error");
        assert_eq!((error.code, error.retry_after_ms), (ErrorCode::AiUnavailable, None));
        assert!(error.reason.contains("account"), "{}", error.reason);
        assert_eq!(error.refusal, None, "nobody's business");
        assert_plain(&error);
    }
}

#[tokio::test]
async fn a_key_that_the_backend_repeats_stays_out_of_the_log() {
    let body = r#"{"error":{"message":"Incorrect API key: test-key-123"}}"#;
    let got = play(Script::respond(401, &[("content-type", "application/json")], body)).await;
    let error = got.error.expect("an error");
    assert!(error.detail.contains("[key]"), "{}", error.detail);
    assert_plain(&error);
}

// ---- retries

#[tokio::test]
async fn passing_faults_are_tried_again() {
    for status in [408, 409, 429, 500, 503] {
        let ai = AiServer::start().await;
        ai.push(Script::refusal(status, "", "", &[AT_ONCE]));
        ai.push(Script::refusal(status, "", "", &[AT_ONCE]));
        assert!(ask(&backend(&ai)).await.is_proven(), "{status}");
        assert_eq!(ai.calls(), 3);
        assert_eq!(ai.call(0).body, ai.call(2).body);
    }
}

#[tokio::test]
async fn after_two_retries_the_fault_is_told_with_a_time_to_come_back() {
    let ai = AiServer::start().await;
    ai.set_default(|| Script::refusal(503, "", "", &[AT_ONCE]));
    let error = ask(&backend(&ai)).await.error.expect("an error");
    assert_eq!(ai.calls(), 3);
    assert_eq!(error.code, ErrorCode::AiUnavailable);
    assert!(error.retry_after_ms.is_some());
}

#[tokio::test]
async fn between_attempts_there_is_a_pause_that_grows() {
    let ai = AiServer::start().await;
    ai.set_default(|| Script::refusal(500, "", "", &[]));
    ask(&backend(&ai)).await.error.expect("an error");
    let at = |n| ai.call(n).at.expect("a time");
    let (first, second) = (at(1) - at(0), at(2) - at(1));
    assert!(first >= Duration::from_millis(370) && second >= Duration::from_millis(740), "{first:?} {second:?}");
}

#[tokio::test]
async fn a_lost_connection_is_tried_again_before_the_first_byte() {
    let ai = AiServer::start().await;
    ai.push(Script::hang_up());
    ai.push(Script::stream().close());
    assert!(ask(&backend(&ai)).await.is_proven());
    assert_eq!(ai.calls(), 3);
}

#[tokio::test]
async fn a_connection_lost_after_the_first_byte_is_not_tried_again() {
    let got = play(Script::stream().piece(": working").close()).await;
    assert_eq!(got.code(), Some(ErrorCode::Interrupted));
}

#[tokio::test]
async fn a_server_that_refuses_connections_is_unavailable_until_it_comes_back() {
    let ai = AiServer::start().await;
    ai.refuse().await;
    let backend = backend(&ai);
    let error = ask(&backend).await.error.expect("an error");
    assert_eq!(error.code, ErrorCode::AiUnavailable);
    assert!(error.retry_after_ms.is_some());
    assert_plain(&error);
    ai.accept().await;
    assert!(ask(&backend).await.is_proven());
}

#[tokio::test]
async fn the_server_decides_whether_to_try_again() {
    let no = play(Script::refusal(503, "", "", &[AT_ONCE, ("x-should-retry", "false")])).await;
    assert_eq!(no.code(), Some(ErrorCode::AiUnavailable));
    let ai = AiServer::start().await;
    ai.push(Script::refusal(400, "", "", &[AT_ONCE, ("x-should-retry", "true")]));
    assert!(ask(&backend(&ai)).await.is_proven());
}

#[tokio::test]
async fn a_short_wait_is_waited_and_a_long_one_is_told() {
    let ai = AiServer::start().await;
    ai.push(Script::refusal(429, "", "", &[("retry-after", "1")]));
    let began = Instant::now();
    assert!(ask(&backend(&ai)).await.is_proven());
    assert!(began.elapsed() >= Duration::from_secs(1));
    for (wait, told) in [("40", 40_000), ("86400", 120_000)] {
        let began = Instant::now();
        let error = play(Script::refusal(429, "", "", &[("retry-after", wait)])).await.error.expect("an error");
        assert_eq!((error.code, error.retry_after_ms), (ErrorCode::AiUnavailable, Some(told)));
        assert!(began.elapsed() < SOON);
    }
}

#[tokio::test]
async fn a_time_to_come_back_may_be_told_in_every_form() {
    let in_40_s = httpdate::fmt_http_date(std::time::SystemTime::now() + Duration::from_secs(40));
    for (name, value) in [("retry-after", "40"), ("retry-after", &in_40_s), ("retry-after-ms", "40000")] {
        let error = play(Script::refusal(429, "", "", &[(name, value)])).await.error.expect("an error");
        let told = error.retry_after_ms.expect("a time");
        assert!((30_000..=40_000).contains(&told), "{name}: {value}: {told}");
        assert!(error.reason.contains("busy"), "{}", error.reason);
    }
    let now = httpdate::fmt_http_date(std::time::SystemTime::now());
    let ai = AiServer::start().await;
    ai.push(Script::refusal(429, "", "", &[("retry-after", &now)]));
    assert!(ask(&backend(&ai)).await.is_proven(), "a date that has come is no reason to wait");
}

// ---- time-outs

#[tokio::test]
async fn a_backend_that_does_not_begin_times_out_and_is_let_go() {
    for script in [Script::silent(), Script::silent_after_headers()] {
        let ai = AiServer::start().await;
        ai.push(script);
        let error = ask(&client(OpenAiOptions { first_chunk_seconds: 1, ..options(ai.base_url()) })).await.error;
        let error = error.expect("an error");
        assert_eq!(error.code, ErrorCode::AiTimeout);
        assert!(error.reason.contains("begin"), "{}", error.reason);
        ai.wait_cancelled(0, SOON).await;
        assert_eq!(ai.calls(), 1);
    }
}

#[tokio::test]
async fn comments_are_no_piece_of_an_answer_but_a_sign_of_life() {
    let ai = AiServer::start().await;
    let backend = client(OpenAiOptions { first_chunk_seconds: 1, idle_seconds: 1, ..options(ai.base_url()) });
    let comments = |script: Script, _| script.pause(Duration::from_millis(300)).piece(": processing\n\n");
    let script = (0..6).fold((0..6).fold(Script::stream(), comments).event(&word("a")), comments);
    ai.push(script.event(&finish("stop")).done());
    let got = ask(&backend).await;
    assert_eq!((got.text().as_str(), got.is_proven()), ("a", true));
    ai.push((0..3).fold(Script::stream(), comments).hang());
    assert_eq!(ask(&backend).await.code(), Some(ErrorCode::AiTimeout));
    ai.wait_cancelled(1, SOON).await;
}

#[tokio::test]
async fn a_backend_that_accepts_no_connection_times_out() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().expect("an address").into()).expect("a free port");
    socket.listen(0).expect("a queue of the least length");
    let address = socket.local_addr().ok().and_then(|it| it.as_socket()).expect("an address");
    // Full once a connection is kept waiting.
    let mut waiting = vec![];
    while let Ok(stream) = timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
        waiting.push(stream.expect("a place in the queue"));
    }
    let options = OpenAiOptions { connect_seconds: 1, retries: 0, ..options(format!("http://{address}/v1")) };
    let error = ask(&client(options)).await.error.expect("an error");
    assert_eq!(error.code, ErrorCode::AiTimeout);
    assert!(error.reason.contains("connection"), "{}", error.reason);
}

#[tokio::test]
async fn a_backend_that_falls_silent_times_out_and_is_let_go() {
    let ai = AiServer::start().await;
    ai.push(Script::silent_after("half an"));
    let got = ask(&client(OpenAiOptions { idle_seconds: 1, ..options(ai.base_url()) })).await;
    assert_eq!((got.text().as_str(), got.code()), ("half an", Some(ErrorCode::AiTimeout)));
    assert!(got.error.expect("an error").reason.contains("silent"));
    ai.wait_cancelled(0, SOON).await;
}

#[tokio::test]
async fn an_answer_has_an_end_in_time_however_busy_it_is() {
    let ai = AiServer::start().await;
    ai.push(Script::slow_answer(&"word ".repeat(1_000), Duration::from_millis(20)));
    ai.push(Script::flood(10, 100_000_000));
    for _ in 0..2 {
        let got = ask(&client(OpenAiOptions { total_seconds: 1, ..options(ai.base_url()) })).await;
        assert_eq!(got.code(), Some(ErrorCode::AiTimeout));
        assert!(!got.chunks.is_empty());
    }
}

#[tokio::test]
async fn a_time_to_come_back_that_is_later_than_the_whole_time_out_is_not_waited_for() {
    let ai = AiServer::start().await;
    ai.push(Script::refusal(429, "", "", &[("retry-after", "8")]));
    let got = ask(&client(OpenAiOptions { total_seconds: 3, ..options(ai.base_url()) })).await;
    assert_eq!(got.error.expect("an error").retry_after_ms, Some(8_000));
    assert_eq!(ai.calls(), 1);
}

// ---- cancelling and slow readers

#[tokio::test]
async fn whoever_drops_an_answer_closes_its_connection_at_once() {
    let ai = AiServer::start().await;
    let (script, gate) = Script::gated();
    ai.push(script);
    gate.word("one ");
    let backend = backend(&ai);
    let stream = backend.stream(&question()).await.expect("an answer");
    drop(stream);
    ai.wait_cancelled(0, Duration::from_secs(1)).await;
}

#[tokio::test]
async fn whoever_stops_waiting_for_an_answer_closes_its_connection_at_once() {
    let ai = AiServer::start().await;
    ai.push(Script::silent());
    let backend = backend(&ai);
    let asked = question();
    tokio::select! {
        _ = backend.stream(&asked) => panic!("a silent server answered"),
        () = ai.wait_calls(1, SOON) => {}
    }
    ai.wait_cancelled(0, Duration::from_secs(1)).await;
}

#[tokio::test]
async fn a_slow_reader_makes_the_backend_wait_and_not_the_memory_grow() {
    let ai = AiServer::start().await;
    ai.push(Script::flood(64 * 1024, 2_000));
    let backend = client(OpenAiOptions { max_answer_bytes: usize::MAX, ..options(ai.base_url()) });
    let stream = backend.stream(&question()).await.expect("an answer");
    ai.wait("a stalled call", SOON * 2, |calls| calls[0].stalled).await;
    let sent = ai.call(0).sent;
    assert!(sent < 32 * 1024 * 1024, "{sent} of 130 MB were taken though nobody reads");
    let got = collect(stream).await;
    assert_eq!(got.text().len(), 2_000 * 64 * 1024);
    assert!(got.is_proven(), "the answer goes on when it is read");
}

#[tokio::test]
async fn a_request_without_messages_is_the_backends_to_judge() {
    let ai = AiServer::start().await;
    let got = collect(backend(&ai).stream(&ChatRequest { body: Body::default() }).await.expect("an answer")).await;
    assert!(got.is_proven());
}
