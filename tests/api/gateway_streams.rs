//! Streams for applications: they begin in time, say that they live, and tell the count of tokens where OpenAI tells it.

use std::time::Duration;

use serde_json::{Value, json};
use sophie_kit::ai_server::{Gate, Script, finish, role, word};
use tokio::time::{Instant, timeout};

use crate::support::{Mode, Reply, SOON, TestApp, question, start_with_ai, streamed};

const SOON_BEGUN: (&str, &str) = ("SOPHIE__AI__HEADERS_SECONDS", "1");

/// A stream of a model that thinks: its head has come, and nothing of the answer.
async fn thinking(app: &TestApp, body: &Value) -> reqwest::Response {
    let request = app.request("POST", "/v1/chat/completions").json(body);
    timeout(SOON, request.send()).await.expect("the head comes before the answer").expect("a response")
}

async fn next(response: &mut reqwest::Response, within: Duration) -> String {
    let piece = timeout(within, response.chunk()).await.expect("a sign of life").expect("read").expect("more");
    String::from_utf8(piece.to_vec()).expect("text")
}

async fn gated(environment: &[(&str, &str)]) -> (sophie_kit::ai_server::AiServer, TestApp, Gate) {
    let (ai, app) = start_with_ai(Mode::Memory, environment).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    (ai, app, gate)
}

#[tokio::test]
async fn a_stream_begins_before_its_answer_and_says_that_it_lives() {
    let (_ai, app, gate) = gated(&[SOON_BEGUN]).await;
    let asked = Instant::now();
    let mut response = thinking(&app, &streamed("hard?")).await;
    assert!(asked.elapsed() >= Duration::from_secs(1));
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"text/event-stream".parse().unwrap())
    );
    assert_eq!(response.headers()["x-sophie-cache"], "miss");
    let is_comment = |text: &str| text.starts_with(": ") && text.ends_with("\n\n") && text.lines().count() == 2;
    let first = next(&mut response, SOON).await;
    assert!(is_comment(&first), "{first}");
    // Since it was asked: the first one may have been read later than it came.
    let second = next(&mut response, Duration::from_secs(30)).await;
    assert!(is_comment(&second) && asked.elapsed() >= Duration::from_secs(15), "{second} {:?}", asked.elapsed());
    gate.word("At last.");
    assert_eq!(next(&mut response, SOON).await, format!("data: {}\n\n", word("At last.")));
    gate.finish();
    let rest = timeout(SOON, response.text()).await.expect("an end").expect("read");
    assert!(rest.ends_with("data: [DONE]\n\n"), "{rest}");
}

#[tokio::test]
async fn a_failure_after_the_beginning_comes_inside_the_stream() {
    let (_ai, app, gate) = gated(&[SOON_BEGUN, ("SOPHIE__AI__RETRIES", "0")]).await;
    let response = thinking(&app, &streamed("hard?")).await;
    assert_eq!(response.status(), 200);
    gate.cut();
    let text = timeout(SOON, response.text()).await.expect("an end").expect("read");
    let events: Vec<&str> = text.split_terminator("\n\n").filter(|event| !event.starts_with(':')).collect();
    assert_eq!(events.len(), 1, "{text}");
    let error: Value = serde_json::from_str(events[0].strip_prefix("data: ").expect("data")).expect("JSON");
    assert!(error["error"]["message"].is_string() && error["error"]["code"].is_string(), "{error}");
    // One that fails at once has a status, and is not kept from having one: with the usual time, which is longer than pauses are.
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    ai.push(Script::refusal(400, "invalid_request_error", "bad", &[]));
    assert_eq!(Reply::ask(&app, &streamed("bad?")).await.status, 400);
}

#[tokio::test]
async fn a_whole_answer_waits_for_its_status() {
    let (_ai, app, gate) = gated(&[SOON_BEGUN]).await;
    let body = question("whole?");
    let (reply, ()) = tokio::join!(Reply::ask(&app, &body), async {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        gate.word("Here.");
        gate.finish();
    });
    assert_eq!((reply.status, reply.answer()), (200, "Here.".to_owned()));
}

#[tokio::test]
async fn an_answer_that_came_whole_is_streamed_with_its_count_where_openai_has_it() {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    ai.push(Script::whole("Whole."));
    assert_eq!(Reply::ask(&app, &question("?")).await.status, 200);
    let mut counted = streamed("?");
    counted["stream_options"] = json!({"include_usage": true});
    let chunks = Reply::kept(&app, &counted).await.chunks();
    let (last, others) = chunks.split_last().expect("chunks");
    assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(12)));
    assert_eq!((&last["id"], &last["object"]), (&json!("chatcmpl-whole"), &json!("chat.completion.chunk")));
    assert!(
        !others.is_empty() && others.iter().all(|chunk| chunk["usage"].is_null() && chunk["choices"][0].is_object())
    );
    let plain = Reply::kept(&app, &streamed("?")).await;
    assert!(!plain.text.contains("usage"), "{plain:?}");
    assert_eq!(plain.answer(), "Whole.");
    // Once more whole, nothing is lost.
    assert_eq!(Reply::kept(&app, &question("?")).await.json()["usage"]["total_tokens"], 12);
    assert_eq!(ai.calls(), 1);
}

#[tokio::test]
async fn what_stands_beside_the_count_is_passed_on() {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    let timed = r#"{"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3},"timings":{"predicted_ms":1.50}}"#;
    ai.push(Script::stream().event(&role()).event(&word("a")).event(&finish("stop")).event(timed).done());
    let reply = Reply::ask(&app, &streamed("?")).await;
    let bare = r#"{"id":"c","choices":[],"timings":{"predicted_ms":1.50}}"#;
    assert_eq!(reply.events(), [role().as_str(), &word("a"), &finish("stop"), bare, "[DONE]"]);
}
