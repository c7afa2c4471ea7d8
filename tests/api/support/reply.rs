//! A chat completion over HTTP, as any client sees it.

use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::{Request, SOON, TestApp, eventually};

/// A response with its body read to the end.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    headers: HeaderMap,
    /// The body as it came.
    pub text: String,
}

impl Reply {
    /// Sends a request, and reads all that comes.
    pub async fn to(request: impl Into<Request>) -> Self {
        let received = async {
            let response = request.into().send().await.expect("a response");
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            Self { status, headers, text: response.text().await.expect("a body") }
        };
        tokio::time::timeout(SOON * 2, received).await.expect("in time")
    }

    /// Asks for a chat completion.
    pub async fn ask(app: &TestApp, body: &Value) -> Self {
        Self::to(app.request("POST", "/v1/chat/completions").json(body)).await
    }

    /// Asks until it is answered from the cache. A finished answer is joined for the moment in which it is being kept.
    pub async fn kept(app: &TestApp, body: &Value) -> Self {
        eventually("kept", SOON, async || {
            let reply = Self::ask(app, body).await;
            let status = reply.header("x-sophie-cache");
            assert!(matches!(status, "hit" | "coalesced"), "{reply:?}");
            (status == "hit").then_some(reply)
        })
        .await
    }

    /// A header's value, empty without it.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// The JSON body.
    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        serde_json::from_str(&self.text).expect("JSON")
    }

    /// The error of a response that must be one, and bear one in OpenAI's shape.
    pub fn error(&self) -> Value {
        assert!(self.status >= 400, "{self:?}");
        assert!(!self.header("x-request-id").is_empty());
        let error = self.json()["error"].clone();
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
        assert!(error["type"].is_string(), "{error}");
        assert!(error.get("param").is_some() && error.get("code").is_some(), "{error}");
        error
    }

    /// The data lines of a stream.
    pub fn events(&self) -> Vec<&str> {
        assert_eq!((self.status, self.header("content-type")), (200, "text/event-stream"), "{self:?}");
        let events: Vec<&str> = self.text.split_terminator("\n\n").collect();
        events.into_iter().map(|event| event.strip_prefix("data: ").expect("a data line")).collect()
    }

    /// The chunks of a stream that must have ended well.
    pub fn chunks(&self) -> Vec<Value> {
        let mut events = self.events();
        assert_eq!(events.pop(), Some("[DONE]"), "{self:?}");
        events.iter().map(|event| serde_json::from_str(event).expect("JSON")).collect()
    }

    /// The text of the answer's first choice, streamed or whole.
    pub fn answer(&self) -> String {
        if self.header("content-type") == "text/event-stream" {
            let content = |chunk: &Value| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned);
            return self.chunks().iter().filter_map(content).collect();
        }
        assert_eq!(self.status, 200, "{self:?}");
        self.json()["choices"][0]["message"]["content"].as_str().expect("text").to_owned()
    }
}

/// A request with one question whose answer is fixed, so that it may be kept.
pub fn question(text: &str) -> Value {
    json!({"model": "test-model", "messages": [{"role": "user", "content": text}], "temperature": 0})
}

/// The same as a chat asks it, which says nothing of temperatures. It shares its answer where `cache.http` is `always`.
pub fn of_chats(mut body: Value) -> Value {
    body.as_object_mut().expect("an object").remove("temperature");
    body
}

/// The same, to be streamed.
pub fn streamed(text: &str) -> Value {
    let mut body = question(text);
    body["stream"] = true.into();
    body
}
