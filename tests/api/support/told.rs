//! A response of OpenAI's Responses, as any client sees it.

use serde_json::{Value, json};

use super::{Reply, Request, SOON, TestApp, eventually};

/// A request for a response with one question whose answer is fixed, so that it may be kept in the cache.
pub fn respond_to(text: &str) -> Value {
    json!({"model": "test-model", "input": text, "temperature": 0})
}

/// The same with more fields.
pub fn with(mut body: Value, more: Value) -> Value {
    let fields = more.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(fields);
    body
}

/// Responses at a node, for a key.
pub struct Responses<'a> {
    pub app: &'a TestApp,
    pub key: &'a str,
}

impl Responses<'_> {
    fn request(&self, method: &str, path: &str) -> Request {
        self.app.request(method, &format!("/v1/responses{path}")).bearer_auth(self.key)
    }

    /// Asks for one.
    pub async fn create(&self, body: &Value) -> Reply {
        Reply::to(self.creating(body)).await
    }

    /// The request for one.
    pub fn creating(&self, body: &Value) -> Request {
        self.request("POST", "").json(body)
    }

    /// `GET` below one.
    pub async fn get(&self, path: &str) -> Reply {
        Reply::to(self.request("GET", &format!("/{path}"))).await
    }

    /// The events of one that follow a number, to their end.
    pub async fn events_after(&self, id: &str, number: Option<usize>) -> Vec<Value> {
        let after = number.map(|number| format!("&starting_after={number}")).unwrap_or_default();
        events(&self.get(&format!("{id}?stream=true{after}")).await)
    }

    /// One that has ended.
    pub async fn ended(&self, id: &str) -> Value {
        eventually("ended", SOON, async || {
            let reply = self.get(id).await;
            // The store of a busy machine may be late.
            if reply.status == 503 {
                return None;
            }
            assert_eq!(reply.status, 200, "{reply:?}");
            let response = reply.json();
            let is_over = !["queued", "in_progress"].contains(&response["status"].as_str().expect("a status"));
            is_over.then_some(response)
        })
        .await
    }

    /// Stops one.
    pub async fn cancel(&self, id: &str) -> Reply {
        Reply::to(self.request("POST", &format!("/{id}/cancel"))).await
    }

    /// Deletes one.
    pub async fn delete(&self, id: &str) -> Reply {
        Reply::to(self.request("DELETE", &format!("/{id}"))).await
    }
}

/// The events of a stream that must have ended well: named as they are, and numbered one after the other.
pub fn events(reply: &Reply) -> Vec<Value> {
    assert_eq!((reply.status, reply.header("content-type")), (200, "text/event-stream"), "{reply:?}");
    let events = reply.text.split_terminator("\n\n").filter(|event| !event.starts_with(':'));
    let events: Vec<Value> = events.map(event).collect();
    for pair in events.windows(2) {
        let number = |event: &Value| event["sequence_number"].as_u64().expect("a number");
        assert_eq!(number(&pair[1]), number(&pair[0]) + 1, "{pair:?}");
    }
    events
}

fn event(text: &str) -> Value {
    let (name, data) = text.split_once('\n').expect("two lines");
    let event: Value = serde_json::from_str(data.strip_prefix("data: ").expect("data")).expect("JSON");
    assert_eq!(event["type"], name.strip_prefix("event: ").expect("a name"), "{text}");
    event
}

/// The text that a response says.
pub fn text_of(response: &Value) -> String {
    let items = response["output"].as_array().expect("items").iter().filter(|item| item["type"] == "message");
    items.filter_map(|item| item["content"][0]["text"].as_str()).collect()
}
