//! What the tests of AG-UI share.

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{SOON, TestApp, TestSocket};

/// A run with one question, whose id is made of what it asks.
pub fn run(thread: &str, run: &str, text: &str) -> Value {
    json!({
        "threadId": thread, "runId": run, "tools": [], "context": [],
        "messages": [{"id": format!("m-{text}"), "role": "user", "content": text}],
    })
}

pub async fn post(app: &TestApp, body: &Value) -> Response {
    app.request("POST", "/ag-ui").json(body).send().await.expect("a response")
}

pub async fn get(app: &TestApp, path: &str) -> Response {
    app.request("GET", path).send().await.expect("a response")
}

/// The events of a stream as far as it goes, each with its id if it has one.
pub async fn known(response: Response) -> Result<Vec<(Option<String>, Value)>, reqwest::Error> {
    assert_eq!(response.status(), StatusCode::OK, "{response:?}");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let body = response.text().await?;
    let events = body.split_terminator("\n\n").filter(|event| !event.starts_with(':'));
    Ok(events
        .map(|event| {
            let (id, data) = match event.strip_prefix("id: ").and_then(|event| event.split_once('\n')) {
                Some((id, data)) => (Some(id.to_owned()), data),
                None => (None, event),
            };
            let data = data.strip_prefix("data: ").expect("data");
            (id, serde_json::from_str(data).expect("JSON"))
        })
        .collect())
}

/// The events of a stream that ends as it should, each with its id if it has one.
pub async fn read(response: Response) -> Vec<(Option<String>, Value)> {
    timeout(SOON, known(response)).await.expect("it ends").expect("a whole body")
}

/// The events of a run, each with its id.
pub async fn told(response: Response) -> Vec<(String, Value)> {
    read(response).await.into_iter().map(|(id, event)| (id.expect("an id"), event)).collect()
}

/// The text of the answer.
pub fn text(events: &[(String, Value)]) -> String {
    let deltas = events.iter().filter(|(_, event)| event["type"] == "TEXT_MESSAGE_CONTENT");
    deltas.filter_map(|(_, event)| event["delta"].as_str()).collect()
}

/// A question over a socket; its answer's id.
pub async fn say(socket: &mut TestSocket) -> String {
    let ack = socket.ask("q", json!({"type": "message.send", "text": "Tell me."})).await;
    assert_eq!(ack["type"], "ack", "{ack}");
    socket.event_of("answer.start").await["answer"].as_str().expect("an id").to_owned()
}
