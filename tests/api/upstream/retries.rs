//! What is refused for good, what is tried again, and when.

use std::time::Duration;

use serde_json::json;
use sophie::upstream::OpenAiOptions;
use sophie_actors::protocol::ErrorCode;
use sophie_kit::ai_server::{AiServer, Script};
use tokio::time::Instant;

use super::*;

/// A header that keeps a retry from waiting.
const AT_ONCE: (&str, &str) = ("retry-after-ms", "1");

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
        assert!(began.elapsed() < SOON * 4, "not waited for");
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

#[tokio::test]
async fn a_time_to_come_back_that_is_later_than_the_whole_time_out_is_not_waited_for() {
    let ai = AiServer::start().await;
    ai.push(Script::refusal(429, "", "", &[("retry-after", "8")]));
    let got = ask(&client(OpenAiOptions { total_seconds: 6, ..options(ai.base_url()) })).await;
    assert_eq!(got.error.expect("an error").retry_after_ms, Some(8_000));
    assert_eq!(ai.calls(), 1);
}
