//! What is asked of the backend.

use serde_json::json;
use sophie::upstream::{BackendKey, OpenAi, OpenAiOptions};
use sophie_actors::openai::{BackendRequest, Body};
use sophie_kit::ai_server::{AiServer, Script};

use super::*;

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
        OpenAiOptions { api_key: BackendKey::new("hidden\nkey"), ..options(ai.base_url()) },
    ] {
        let error = OpenAi::new(bad).expect_err("bad options");
        assert!(!error.to_string().contains("hidden"), "{error}");
    }
    assert!(!format!("{:?}", options(String::new())).contains("test-key"));
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
async fn a_request_without_messages_is_the_backends_to_judge() {
    let ai = AiServer::start().await;
    let got = collect(backend(&ai).stream(&BackendRequest::from(Body::default())).await.expect("an answer")).await;
    assert!(got.is_proven());
}
