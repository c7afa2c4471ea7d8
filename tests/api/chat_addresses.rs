//! Chats of the AI SDK whose answers are read from their addresses.

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use sophie_kit::ai_server::Script;

use crate::support::{JWT, Mode, Pair, TestApp, Token};

fn body(text: &str) -> Value {
    let message = json!({"id": format!("m-{text}"), "role": "user", "parts": [{"type": "text", "text": text}]});
    json!({"id": "s1", "messages": [message], "trigger": "submit-message"})
}

/// The address that a reply names, in all three ways.
async fn address(response: Response) -> String {
    let location = response.headers()["location"].to_str().expect("a text").to_owned();
    let answer = response.headers()["x-sophie-answer"].to_str().expect("a text").to_owned();
    assert_eq!(location, format!("/ds/answers/{answer}/ui"));
    assert_eq!(response.json::<Value>().await.expect("JSON"), json!({"streamUrl": location}));
    location
}

#[tokio::test]
async fn a_question_is_answered_by_the_address_of_its_answer_which_a_page_that_is_loaded_anew_is_told_too() {
    let Pair { ai, nodes, .. } = &Pair::start(&[]).await;
    let post = async |node: usize, body: &Value| {
        nodes[node].request("POST", "/ds/chat").json(body).send().await.expect("a response")
    };
    let resumed = async |chat: &str| {
        let request = nodes[1].request("GET", &format!("/ds/chat/{chat}/stream"));
        request.send().await.expect("a response")
    };
    assert_eq!(resumed("s1").await.status(), StatusCode::NO_CONTENT);
    let (script, gate) = Script::gated();
    ai.push(script);
    let asked = post(0, &body("Tell me.")).await;
    assert_eq!(asked.status(), StatusCode::CREATED);
    let place = address(asked).await;
    gate.word("One");
    let again = resumed("s1").await;
    assert_eq!(again.status(), StatusCode::OK);
    assert_eq!(address(again).await, place);
    assert_eq!(address(post(1, &body("Tell me.")).await).await, place, "the same question has the same answer");
    let second = post(1, &body("And now?")).await;
    assert_eq!(second.status(), StatusCode::CONFLICT);
    assert_eq!(second.text().await.expect("a body"), "A response is already active for this chat.");
    let reading = nodes[1].request("GET", &format!("{place}?offset=-1&live=sse")).send().await.expect("a response");
    gate.finish();
    let read = reading.text().await.expect("a body");
    assert!(read.contains(r#""type":"text-delta","id":"t0","delta":"One""#) && read.contains("streamClosed"), "{read}");
    assert_eq!(ai.calls(), 1);
}

#[tokio::test]
async fn what_is_refused_is_refused_in_one_sentence() {
    let app = TestApp::patient(Mode::Memory, &JWT).await;
    let alice = Token::of("alice").sign();
    let request = |method: &str, path: &str| app.request(method, path).json(&body("Tell me."));
    for (request, status) in [
        (request("POST", "/ds/chat"), 401),
        (request("GET", "/ds/chat"), 405),
        (request("POST", "/ds/chat/s1/stream"), 405),
        (app.request("POST", "/ds/chat").bearer_auth(&alice).body("[]"), 400),
        (app.request("GET", "/ds/chat/a%20b/stream").bearer_auth(&alice), 400),
    ] {
        let response = request.send().await.expect("a response");
        assert_eq!(response.status().as_u16(), status, "{response:?}");
        assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
        assert!(response.text().await.expect("a body").ends_with('.'));
    }
    assert_eq!(request("POST", "/ds/chat").bearer_auth(&alice).send().await.expect("a response").status(), 201);
}
