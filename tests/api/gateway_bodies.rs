//! The bodies of requests: they reach the backend as they came, and cost no more than they are long.

use crate::ai_server::Script;
use crate::support::{Mode, Reply, TestApp, start_with_ai};

/// A request whose schema has an order, and numbers that no float holds.
fn ordered(properties: &str) -> String {
    format!(
        r#"{{"model":"test-model","messages":[{{"role":"user","content":"\\u00e9?"}}],"temperature":0,"top_p":0.10,"response_format":{{"type":"json_schema","json_schema":{{"name":"s","schema":{{"type":"object","properties":{{{properties}}}}}}}}},"tools":[{{"z":1,"a":12345678901234567890123, "m":1.50e+3}}],"seed":18446744073709551617,"stream":false}}"#
    )
}

async fn ask_raw(app: &TestApp, body: &str) -> Reply {
    let request = app.request("POST", "/v1/chat/completions").header("content-type", "application/json");
    Reply::to(request.body(body.to_owned())).await
}

#[tokio::test]
async fn a_body_reaches_the_backend_as_it_came_and_its_order_makes_another_question() {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    let (reasons_first, answers_first) = (
        ordered(r#""reasoning":{"type":"string"},"answer":{"type":"string"}"#),
        ordered(r#""answer":{"type":"string"},"reasoning":{"type":"string"}"#),
    );
    for (at, body) in [&reasons_first, &answers_first].into_iter().enumerate() {
        ai.push(Script::whole("."));
        assert_eq!(ask_raw(&app, body).await.header("x-sophie-cache"), "miss");
        assert_eq!(ai.call(at).text, *body);
        assert_eq!(ai.call(at).headers["content-length"], body.len().to_string());
    }
    // The order of the fields themselves says nothing.
    let turned = reasons_first
        .replace(r#""model":"test-model","#, "")
        .replace(r#","stream":false}"#, r#","model":"test-model"}"#);
    assert!(matches!(ask_raw(&app, &turned).await.header("x-sophie-cache"), "hit" | "coalesced"));
    // As a stream, the wish to be told the count is all that comes to it; the long way of a long body ends there too.
    let long = reasons_first
        .replace("?", &"?".repeat(300_000))
        .replace(r#""stream":false"#, r#""stream":true,"stream_options":{"x": 1}"#);
    assert_eq!(ask_raw(&app, &long).await.status, 200);
    assert_eq!(ai.call(2).text, long.replace(r#"{"x": 1}"#, r#"{"x":1,"include_usage":true}"#));
    assert_eq!(ai.call(2).headers["content-length"], ai.call(2).text.len().to_string());
}
