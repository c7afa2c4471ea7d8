//! Answers that break off, never end, or are none.

use serde_json::json;
use sophie::upstream::OpenAiOptions;
use sophie_actors::protocol::ErrorCode;
use sophie_kit::ai_server::{AiServer, Script, word};

use super::*;

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
