//! A response as it comes, held to what is described of it.

use serde_json::Value;

use super::operation::{Expected, expected};

/// What the headers begin with that are to be described wherever they are sent. All others stand in every response, or are HTTP's own.
const TOLD_OF: [&str; 9] =
    ["x-sophie-", "x-ratelimit-", "stream-", "x-should-retry", "retry-after", "link", "location", "etag", "age"];

/// A response of which a part has come. It panics at what is not as it is described.
pub struct Seen {
    request: String,
    expected: Option<Expected>,
    /// How the body is described, and of which type it is.
    body: Option<(&'static Value, String)>,
    /// The data of events are base64.
    is_encoded: bool,
    /// What has come of the body, or of its next event.
    come: Vec<u8>,
}

impl Seen {
    /// A response whose head has come. `header`: its headers, with names in lower case.
    pub fn new(method: &str, target: &str, status: u16, headers: &[(&str, &str)]) -> Self {
        let request = format!("{method} {target} ({status})");
        let header = |wanted: &str| headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        let mut seen = Self { request, expected: None, body: None, is_encoded: false, come: Vec::new() };
        // Below 200 nothing is answered yet, or the connection is no HTTP any more. A compressed body is another matter than what is in it.
        if status < 200 || header("content-encoding").is_some() {
            return seen;
        }
        seen.expected = expected(method, target, status).unwrap_or_else(|wrong| panic!("{wrong}"));
        let Some(expected) = &seen.expected else { return seen };
        let described = &expected.response["headers"];
        for (name, value) in headers.iter().filter(|(name, _)| TOLD_OF.iter().any(|told| name.starts_with(told))) {
            let known = described.as_object().into_iter().flatten();
            let known = known.filter(|(known, _)| known.eq_ignore_ascii_case(name)).count();
            assert!(known == 1, "{}: the header {name}: {value} is not described", seen.request);
        }
        seen.is_encoded = header("stream-sse-data-encoding").is_some();
        if method == "HEAD" {
            return seen;
        }
        let kind = header("content-type").map(|kind| kind.split(';').next().unwrap_or_default().trim().to_owned());
        let content = expected.response["content"].as_object();
        seen.body = kind.map(|kind| match content.and_then(|content| content.get(&kind)) {
            Some(described) => (described, kind),
            None => panic!("{}: a body of the type {kind} is not described", seen.request),
        });
        seen
    }

    /// More of the body has come.
    pub fn take(&mut self, bytes: &[u8]) {
        self.come.extend_from_slice(bytes);
        if self.body.as_ref().is_some_and(|(_, kind)| kind == "text/event-stream") {
            while let Some(end) = self.come.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = self.come.drain(..end + 2).collect();
                self.event(&String::from_utf8_lossy(&event));
            }
        }
    }

    /// The body has come to its end.
    pub fn end(self) {
        let Some(expected) = &self.expected else { return };
        match &self.body {
            None => assert!(self.come.is_empty(), "{}: a body is not described", self.request),
            Some((described, kind)) if kind == "application/json" => {
                let value = read(&String::from_utf8_lossy(&self.come));
                let value = value.unwrap_or_else(|error| panic!("{}: no JSON: {error}", self.request));
                self.check(expected, &described["schema"], &value);
            }
            Some(_) => {}
        }
    }

    fn event(&self, event: &str) {
        let (Some(expected), Some((described, _))) = (&self.expected, &self.body) else { return };
        let data: Vec<&str> =
            event.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim_start).collect();
        let data = data.join("\n");
        if data.is_empty() || data == "[DONE]" {
            return;
        }
        let is_text = self.is_encoded && event.starts_with("event: data\n");
        let value = if is_text { Ok(data.clone().into()) } else { read(&data) };
        let value = value.unwrap_or_else(|error| panic!("{}: no JSON: {data}: {error}", self.request));
        self.check(expected, &described["x-item-schema"], &value);
    }

    fn check(&self, expected: &Expected, schema: &'static Value, value: &Value) {
        if let Err(wrong) = expected.document.check(schema, value) {
            panic!("{}: {wrong}", self.request);
        }
    }
}

/// Reads JSON. A backend may cut a character in two, and what it says is passed on: half of one is read as one that is not known.
fn read(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text).or_else(|error| {
        let mut parts = text.split("\\u");
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            match part.get(..4) {
                Some(half) if half.starts_with(['d', 'D']) && half.as_bytes()[1] > b'7' => {
                    whole.push_str("\\ufffd");
                    whole.push_str(&part[4..]);
                }
                _ => {
                    whole.push_str("\\u");
                    whole.push_str(part);
                }
            }
        }
        serde_json::from_str(&whole).map_err(|_| error)
    })
}

/// What is wrong with a response, if anything.
#[cfg(test)]
fn wrong_with(method: &str, target: &str, status: u16, headers: &[(&str, &str)], body: &str) -> Option<String> {
    let outcome = std::panic::catch_unwind(|| super::whole(method, target, status, headers, body.as_bytes()));
    outcome.err().map(|panic| *panic.downcast::<String>().expect("a sentence"))
}

#[test]
fn a_response_that_is_not_as_it_is_described_is_found() {
    const JSON: (&str, &str) = ("content-type", "application/json");
    const EVENTS: (&str, &str) = ("content-type", "text/event-stream");
    let refused = r#"{"error":{"code":"not_found","message":"There is none."}}"#;
    for (method, target, status, headers, body) in [
        ("GET", "/health/live", 200, &[JSON][..], r#"{"status":"live"}"#),
        ("GET", "/nowhere", 404, &[JSON], refused),
        ("HEAD", "/health/live", 200, &[JSON], ""),
        ("GET", "/admin/api/groups/g?x=1", 404, &[JSON], refused),
        (
            "POST",
            "/v1/chat/completions",
            200,
            &[EVENTS, ("x-sophie-cache", "hit")],
            "data: {\"x\":1}\n\ndata: [DONE]\n\n",
        ),
        ("POST", "/ag-ui", 200, &[EVENTS], "id: r:0\ndata: {\"type\":\"TEXT_MESSAGE_END\",\"messageId\":\"m\"}\n\n"),
        (
            "GET",
            "/ds/answers/a?live=sse",
            200,
            &[EVENTS, ("stream-sse-data-encoding", "base64")],
            "event: data\ndata: 1234\n\n",
        ),
    ] {
        assert_eq!(wrong_with(method, target, status, headers, body), None, "{method} {target}");
    }
    for (method, target, status, headers, body, word) in [
        ("GET", "/health/live", 200, &[JSON][..], r#"{"status":"live","x":1}"#, "'x'"),
        ("GET", "/health/live", 200, &[JSON], "{}", "status"),
        ("GET", "/health/live", 200, &[("content-type", "text/html")], "", "text/html"),
        ("GET", "/health/live", 202, &[JSON], "{}", "202"),
        ("POST", "/health/live", 200, &[JSON], "{}", "not described"),
        ("GET", "/health/live", 200, &[JSON, ("x-sophie-mood", "good")], "{}", "x-sophie-mood"),
        ("GET", "/admin/api/groups/g", 404, &[JSON], r#"{"error":{"code":"lost","message":"m"}}"#, "lost"),
        ("GET", "/api/chat/c/stream", 204, &[], "x", "a body"),
        ("POST", "/ag-ui", 200, &[EVENTS], "data: {\"type\":\"TEXT_MESSAGE_END\"}\n\n", "messageId"),
        ("POST", "/ag-ui", 200, &[EVENTS], "data: {\"type\":\"NEW\"}\n\n", "NEW"),
        ("GET", "/ds/groups/g?live=sse", 200, &[EVENTS], "event: control\ndata: {}\n\n", "{}"),
    ] {
        let wrong = wrong_with(method, target, status, headers, body);
        assert!(wrong.as_ref().is_some_and(|wrong| wrong.contains(word)), "{method} {target}: {wrong:?}");
    }
}
