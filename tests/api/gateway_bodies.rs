//! The bodies of requests: they reach the backend as they came, and cost no more than they are long.

use std::net::SocketAddr;

use serde_json::json;
use sophie_kit::ai_server::{AiServer, Script, finish, usage, word};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{Broker, Client, Mode, Reply, SOON, TestApp, question, start_with_ai};

const KEY: (&str, &str) =
    ("SOPHIE__AUTH__KEY", r#"[{"name": "shop", "key": "key-of-the-shop", "requests_per_minute": 2}]"#);
const LIMITED: (&str, &str) = ("SOPHIE__LIMITS__ENABLED", "true");

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

/// Sends a request of which `rest` is all that comes after its head, and reads the head of the response.
async fn status_of(address: SocketAddr, key: &str, length: usize, rest: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    // It may be refused, and the connection closed, before all has gone.
    _ = stream.write_all(rest).await;
    let mut response = Vec::new();
    while !response.ends_with(b"\r\n\r\n") {
        response.push(timeout(SOON * 3, stream.read_u8()).await.expect("in time").expect("a response"));
    }
    let response = String::from_utf8(response).expect("text");
    response.split(' ').nth(1).expect("a status").to_owned()
}

#[tokio::test]
async fn who_is_over_a_limit_is_told_so_before_the_body() {
    let (ai, app) = start_with_ai(Mode::Memory, &[KEY, LIMITED]).await;
    let long = 19 * 1024 * 1024;
    assert_eq!(status_of(app.address(), "wrong", long, b"").await, "401");
    assert_eq!(status_of(app.address(), "key-of-the-shop", long * 2, b"").await, "413");
    for _ in 0..2 {
        let request = app.request("POST", "/v1/chat/completions").bearer_auth("key-of-the-shop").json(&question("?"));
        assert_eq!(Reply::to(request).await.status, 200);
    }
    // Long or short, as long as it does not come.
    for length in [long, 100] {
        assert_eq!(status_of(app.address(), "key-of-the-shop", length, b"").await, "429");
    }
    assert_eq!(ai.calls(), 1);
}

#[tokio::test]
async fn a_long_body_is_charged_a_request_whatever_is_in_it() {
    let (ai, app) = start_with_ai(Mode::Memory, &[KEY, LIMITED]).await;
    let junk = vec![b'x'; 100_000];
    for _ in 0..2 {
        assert_eq!(status_of(app.address(), "key-of-the-shop", junk.len(), &junk).await, "400");
    }
    assert_eq!(status_of(app.address(), "key-of-the-shop", junk.len(), &junk).await, "429");
    assert_eq!(ai.calls(), 0);
}

#[tokio::test]
async fn a_long_body_that_takes_more_tokens_than_there_are_is_refused_and_an_image_is_not() {
    let key = r#"[{"name": "lab", "key": "k", "tokens_per_hour": 10000, "requests_per_minute": 60}]"#;
    let (ai, app) = start_with_ai(Mode::Memory, &[("SOPHIE__AUTH__KEY", key), LIMITED]).await;
    let ask = async |content: serde_json::Value| {
        let body = json!({"model": "test-model", "messages": [{"role": "user", "content": content}], "stream": true});
        Reply::to(app.request("POST", "/v1/chat/completions").bearer_auth("k").json(&body)).await
    };
    // Something is taken already, for minutes, so that not everything is there.
    ai.push(Script::stream().event(&word("Much.")).event(&finish("stop")).event(&usage(200, 800)).done());
    assert_eq!(ask(json!("?")).await.status, 200);
    let image =
        json!([{"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{}", "A".repeat(600_000))}}]);
    let seen = ask(image).await;
    assert_eq!(seen.status, 200, "{seen:?}");
    let refused = ask(json!("word ".repeat(60_000))).await;
    assert_eq!((refused.status, refused.error()["type"].as_str()), (429, Some("tokens")));
    assert!(!refused.header("x-ratelimit-remaining-requests").is_empty());
    assert_eq!(ai.calls(), 2);
}

/// The most memory that a process has had, in bytes.
fn peak(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a figure");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024
}

#[tokio::test]
async fn a_body_of_20_mib_costs_no_more_than_twice_its_size() {
    let ai = AiServer::start().await;
    let (url, workers) = (ai.base_url(), ("SOPHIE__SERVER__WORKERS", "1"));
    let environment = [("SOPHIE__AI__BACKEND", "openai"), ("SOPHIE__AI__BASE_URL", url.as_str()), workers];
    let broker = Broker::start(0, &environment).await;
    let length = 19 * 1024 * 1024;
    let bodies = [
        // The dearest to take apart, and a schema that is none.
        format!(r#"{{"model":"m","messages":[{}[]]}}"#, "[],".repeat(length / 3)),
        format!(r#"{{"model":"m","x":{{"a":[{}{{}}]}},"messages":[],"temperature":0}}"#, "{},".repeat(length / 3)),
        format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{}"}}]}}"#, "\\u0430".repeat(length / 6)),
    ];
    let ask = async |body: &str| {
        let http = Client::new();
        let request = http.post(format!("http://{}/v1/chat/completions", broker.address)).body(body.to_owned());
        timeout(SOON * 6, request.send()).await.expect("in time").expect("a response").status().as_u16()
    };
    assert_eq!(ask(&question("?").to_string()).await, 200);
    let before = peak(broker.pid());
    for body in &bodies {
        assert_eq!(ask(body).await, 200);
        let grown = peak(broker.pid()).saturating_sub(before);
        assert!(grown <= 2 * body.len(), "{} bytes cost {grown}", body.len());
    }
    assert_eq!(ai.calls(), 4);
}

#[tokio::test]
async fn a_long_name_of_a_model_is_refused_and_remembered_by_nobody() {
    let broker = Broker::start(0, &[]).await;
    let (_, before) = broker.get("/metrics").await;
    let http = Client::new();
    for n in 0..8 {
        let body = json!({"model": format!("{n}{}", "m".repeat(500_000)), "messages": []});
        let request = http.post(format!("http://{}/v1/chat/completions", broker.address)).json(&body);
        let refused = Reply::to(request).await;
        assert_eq!((refused.status, refused.error()["param"].as_str()), (400, Some("model")));
        assert!(refused.text.len() < 1_000);
    }
    let (_, after) = broker.get("/metrics").await;
    assert!(after.len() < before.len() + 4_096, "{} bytes more", after.len() - before.len());
}
