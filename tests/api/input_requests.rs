//! Requests over HTTP: their heads, their bodies, and the connections that bring them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Answer, Mode, RawHttp, SOON, TestApp, start_with_ai};

const KEY: (&str, &str) = ("SOPHIE__AUTH__API_KEYS", "site:the-key-of-the-tests");
const BODY: &str = r#"{"text":"hello"}"#;

/// A request to publish, with these lines on top, up to its body.
fn publish(more: &[&str]) -> String {
    let mut head =
        "POST /api/groups/g/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n".to_owned();
    more.iter().for_each(|line| head.push_str(&format!("{line}\r\n")));
    head + "\r\n"
}

#[tokio::test]
async fn a_stranger_is_refused_before_a_byte_of_the_body() {
    let app = TestApp::patient(Mode::Memory, &[KEY]).await;
    for key in ["X-None: x", "Authorization: Bearer wrong"] {
        for more in ["X-None: x", "Content-Encoding: gzip"] {
            let refused = RawHttp::to(app.address()).await.ask(publish(&[key, more, "Content-Length: 200000"])).await;
            assert_eq!(refused.status, 401, "{key} {more}");
            // A body of which nobody knows how long it is.
            let mut http = RawHttp::to(app.address()).await;
            let refused = http.ask(publish(&[key, more, "Transfer-Encoding: chunked"])).await;
            assert_eq!(refused.status, 401, "{key} {more}");
            http.rest(SOON).await;
        }
    }
}

#[tokio::test]
async fn only_whose_body_is_read_is_told_to_go_on_with_it() {
    let app = TestApp::patient(Mode::Memory, &[KEY]).await;
    let head = |path: &str, key: &str, more: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\nExpect: 100-continue\r\n{more}\r\n\r\n"
        )
    };
    let length = format!("Content-Length: {}", BODY.len());
    for path in ["/api/groups/g/messages", "/v1/chat/completions", "/admin/api/groups/g/messages"] {
        for length in [length.as_str(), "Transfer-Encoding: chunked"] {
            let mut http = RawHttp::to(app.address()).await;
            let refused = http.ask(head(path, "wrong", length)).await;
            assert_eq!((refused.status, refused.header("connection")), (401, Some("close")), "{path} {length}");
            http.rest(SOON).await;
        }
    }
    let key = "the-key-of-the-tests";
    for (path, more, status) in [
        ("/api/nothing", "Content-Length: 9", 404),
        ("/health/live", "Content-Length: 9", 405),
        ("/api/groups/g/messages", "Content-Length: 9\r\nContent-Encoding: gzip", 415),
        ("/v1/chat/completions", "Content-Length: 999999999", 413),
    ] {
        let refused = RawHttp::to(app.address()).await.ask(head(path, key, more)).await;
        assert_eq!(refused.status, status, "{path}");
    }
    // One connection: who waits for the word, who does not, and who never asked.
    let mut http = RawHttp::to(app.address()).await;
    assert_eq!(http.ask(head("/api/groups/g/messages", key, &length)).await.status, 100);
    assert_eq!(http.ask(BODY).await.status, 200);
    let mut taken = http.ask(head("/api/groups/g/messages", key, &length) + BODY).await;
    if taken.status == 100 {
        taken = http.response(SOON).await;
    }
    assert_eq!(taken.status, 200);
    let key = format!("Authorization: Bearer {key}");
    http.send(publish(&[&key, &length])).await;
    assert!(http.stands(Duration::from_millis(200)).await);
    assert_eq!(http.ask(BODY).await.status, 200);
    // HTTP/1.0 has no such word.
    let old = head("/v1/chat/completions", "the-key-of-the-tests", &length).replace("HTTP/1.1", "HTTP/1.0");
    let mut http = RawHttp::to(app.address()).await;
    http.send(old).await;
    assert!(http.stands(Duration::from_millis(200)).await);
    assert_eq!(http.ask(BODY).await.status, 400);
}

#[tokio::test]
async fn nothing_is_inflated() {
    let app = TestApp::patient(Mode::Memory, &[KEY]).await;
    let key = "Authorization: Bearer the-key-of-the-tests";
    let length = format!("Content-Length: {}", BODY.len());
    for encoding in ["gzip", "x-gzip", "deflate", "br", "zstd", "GZIP", "identity, gzip", "nonsense"] {
        let encoding = format!("Content-Encoding: {encoding}");
        let refused = RawHttp::to(app.address()).await.ask(publish(&[key, &encoding, &length]) + BODY).await;
        assert_eq!(refused.status, 415, "{encoding}");
        assert!(refused.json()["error"]["message"].as_str().is_some_and(|it| it.contains("Content-Encoding")));
    }
    for encoding in ["identity", "Identity", ""] {
        let encoding = format!("Content-Encoding: {encoding}");
        let taken = RawHttp::to(app.address()).await.ask(publish(&[key, &encoding, &length]) + BODY).await;
        assert_eq!(taken.status, 200, "{encoding}: {taken:?}");
    }
    let admin = format!(
        "POST /admin/api/groups/g/messages HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Encoding: gzip\r\n{length}\r\n\r\n{BODY}",
        crate::support::ADMIN_TOKEN
    );
    assert_eq!(RawHttp::to(app.address()).await.ask(admin).await.status, 415);
    let v1 = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n{key}\r\nContent-Encoding: gzip\r\n{length}\r\n\r\n{BODY}"
    );
    let refused = RawHttp::to(app.address()).await.ask(v1).await;
    assert_eq!((refused.status, refused.json()["error"]["type"].as_str()), (415, Some("invalid_request_error")));
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let app = TestApp::patient(Mode::Memory, &[("SOPHIE__SERVER__BODY_SECONDS", "1")]).await;
    for (path, shape) in [("/api/groups/g/messages", "code"), ("/v1/chat/completions", "type")] {
        for length in ["Content-Length: 1000", "Transfer-Encoding: chunked"] {
            let mut http = RawHttp::to(app.address()).await;
            let slow = http.ask(format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n\r\n")).await;
            assert_eq!(slow.status, 408, "{path} {length}");
            assert!(slow.json()["error"][shape].is_string(), "{slow:?}");
            http.rest(SOON).await;
        }
    }
    // Something comes all the time, but too little of it.
    let mut http = RawHttp::to(app.address()).await;
    http.send(publish(&["Content-Length: 1000"])).await;
    let slow = loop {
        http.send("x").await;
        if !http.stands(Duration::from_millis(100)).await {
            break http.response(SOON).await;
        }
    };
    assert_eq!(slow.status, 408);
    // A slow line that keeps to the pace is served: 60 KB take longer than that time, which a pause of the machine does not outlast.
    let app = TestApp::patient(Mode::Memory, &[("SOPHIE__SERVER__BODY_SECONDS", "5")]).await;
    let text = "x".repeat(15_000);
    let body = json!({"text": text, "metadata": {"pad": "y".repeat(45_000)}}).to_string();
    let mut http = RawHttp::to(app.address()).await;
    http.send(publish(&[&format!("Content-Length: {}", body.len())])).await;
    for part in body.as_bytes().chunks(body.len() / 11 + 1) {
        http.send(part).await;
        tokio::time::sleep(Duration::from_millis(520)).await;
    }
    assert_eq!(http.response(SOON).await.status, 200);
}

#[tokio::test]
async fn a_head_is_waited_for_ten_seconds_and_no_longer() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    const LIVE: &str = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut silent = RawHttp::to(app.address()).await;
    let (mut first, mut second, mut long) =
        (RawHttp::to(app.address()).await, RawHttp::to(app.address()).await, RawHttp::to(app.address()).await);
    for http in [&mut second, &mut long] {
        assert_eq!(http.ask(LIVE).await.status, 200);
    }
    long.send(format!("GET / HTTP/1.1\r\nHost: localhost\r\nx: {}", "y".repeat(70_000))).await;
    for http in [&mut first, &mut second] {
        http.send("GET / HTTP/1.1\r\nHo").await;
    }
    // A letter now and then makes none of them a request.
    for _ in 0..16 {
        for http in [&mut first, &mut second, &mut long] {
            http.send("s").await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    for http in [&mut silent, &mut first, &mut second, &mut long] {
        let rest = http.rest(SOON).await;
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&rest));
    }
}

#[tokio::test]
async fn an_idle_connection_lives_as_long_as_it_is_set_to() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    let brief = TestApp::patient(Mode::Memory, &[("SOPHIE__SERVER__KEEP_ALIVE_SECONDS", "1")]).await;
    const LIVE: &str = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut http = RawHttp::to(app.address()).await;
    http.ask(LIVE).await;
    let mut short = RawHttp::to(brief.address()).await;
    short.ask(LIVE).await;
    assert!(short.rest(SOON).await.is_empty());
    // Load balancers keep connections for a minute.
    assert!(http.stands(Duration::from_secs(8)).await);
    assert_eq!(http.ask(LIVE).await.status, 200);
}

#[tokio::test]
async fn an_offer_of_another_protocol_is_ignored_and_the_connection_stays() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    // As java.net.http.HttpClient writes it.
    let offer = format!(
        "POST /api/groups/g/messages HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: {}\r\nHost: {}\r\n\
         HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nUpgrade: h2c\r\nUser-Agent: Java-http-client/17.0.13\r\n\
         Content-Type: application/json\r\n\r\n{BODY}",
        BODY.len(),
        app.address()
    );
    let mut http = RawHttp::to(app.address()).await;
    for n in 1..=400 {
        // Also where the network cuts it into pieces.
        if n % 20 == 0 {
            let (one, two) = offer.split_at(n % offer.len());
            http.send(one).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            http.send(two).await;
        } else {
            http.send(&offer).await;
        }
        let answer = http.response(SOON).await;
        assert_eq!((answer.status, answer.header("connection"), answer.header("upgrade")), (200, None, None));
        assert_eq!(answer.json()["seq"], n);
    }
    let get = "GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: TLS/1.0\r\n\r\n";
    for _ in 0..2 {
        assert_eq!(http.ask(get).await.header("connection"), None);
    }
}

#[tokio::test]
async fn slashes_too_many_are_passed_over() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    let question = json!({"model": "demo", "messages": [{"role": "user", "content": "Hello"}]});
    for path in ["/v1/chat/completions", "/v1//chat/completions", "/v1/chat/completions/", "//v1/chat//completions//"] {
        let answer = app.request("POST", path).json(&question).send().await.expect("a response");
        assert_eq!(answer.status(), 200, "{path}");
    }
    for path in ["/v1/models/", "/health/live/", "//health//live", "//", "/?x=//"] {
        let answer = app.request("GET", path).send().await.expect("a response");
        assert_eq!(answer.status(), 200, "{path}");
    }
    let url = format!("ws://{}/ws/chat/x/?since=0&epoch=e", app.address());
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.expect("connected");
    let ready = futures_util::StreamExt::next(&mut socket).await.expect("an event").expect("no error");
    assert!(ready.to_string().contains("\"session\":\"x\""), "{ready}");
}

#[tokio::test]
async fn only_what_becomes_smaller_is_compressed() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n");
    for path in ["/health/live", "/health/ready", "/nothing", "/v1/models"] {
        let small = RawHttp::to(app.address()).await.ask(ask(path)).await;
        assert_eq!((small.header("content-encoding"), small.header("transfer-encoding")), (None, None), "{path}");
        assert!(small.json().is_object());
    }
    let mut http = RawHttp::to(app.address()).await;
    http.send(ask("/page/app/main.js")).await;
    assert_eq!(http.response(SOON).await.header("content-encoding"), Some("gzip"));
}

/// Sends what `java.net.http.HttpClient` sends by default, as often as it is told; ends well if all of it was answered.
const JAVA: &str = r#"
import java.net.URI;
import java.net.http.*;
public class Ask {
    public static void main(String[] args) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        for (int n = 0; n < 400; n++) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(args[0])).header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString("{\"text\":\"hello\"}")).build();
            int status = client.send(request, HttpResponse.BodyHandlers.ofString()).statusCode();
            if (status != 200) throw new IllegalStateException("request " + n + ": " + status);
        }
    }
}
"#;

#[tokio::test]
async fn javas_client_has_every_request_answered() {
    if std::process::Command::new("java").arg("-version").output().is_err() {
        println!("there is no java here: what it sends is sent by another test");
        return;
    }
    let app = TestApp::patient(Mode::Memory, &[]).await;
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("Ask.java");
    std::fs::write(&file, JAVA).expect("written");
    let url = app.url("/api/groups/g/messages");
    let java = tokio::process::Command::new("java").arg(&file).arg(url).kill_on_drop(true).output();
    let ran = tokio::time::timeout(Duration::from_secs(120), java).await.expect("in time").expect("java runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

/// An object so deep.
fn nested(deep: usize) -> Value {
    (1..deep).fold(json!({}), |inner, _| json!({ "a": inner }))
}

#[tokio::test]
async fn what_is_nested_too_deep_is_refused_and_nothing_is_logged_of_it() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    let mut socket = app.open("s1").await;
    for deep in [33, 64, 125] {
        let send = json!({"type": "message.send", "text": "deep", "metadata": nested(deep), "assistant": false});
        let refused = socket.ask(&format!("deep-{deep}"), send).await;
        assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("bad_request")), "{deep}");
        let speech = json!({"text": "deep", "metadata": nested(deep)});
        let answer =
            app.request("POST", "/api/groups/chat_s1/messages").json(&speech).send().await.expect("a response");
        assert_eq!(answer.status(), 400, "{deep}");
        let (status, _) = app.admin("POST", "/admin/api/groups/chat_s1/messages", Some(speech)).await;
        assert_eq!(status, 400, "{deep}");
    }
    for (speech, status) in [
        (json!({"event": nested(100)}), 202),
        (json!({"event": nested(101)}), 400),
        (json!({"text": "x", "author": "a".repeat(256)}), 200),
        (json!({"text": "x", "author": "a".repeat(257)}), 400),
    ] {
        let answer =
            app.request("POST", "/api/groups/chat_s1/messages").json(&speech).send().await.expect("a response");
        assert_eq!(answer.status(), status, "{speech}");
    }
    let history = socket.ask("history", json!({"type": "history.get"})).await;
    assert_eq!(history["events"].as_array().map(Vec::len), Some(1), "{history}");
}

#[tokio::test]
async fn what_is_as_deep_as_may_be_is_told_to_the_model() {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    let mut socket = app.open("s1").await;
    let send = json!({"type": "message.send", "text": "the deepest", "metadata": nested(32), "assistant": false});
    assert_eq!(socket.ask("deep", send).await["type"], "ack");
    Answer::to(&mut socket, "q", "What did I say?").await;
    let asked = ai.call(0).body.to_string();
    assert!(asked.contains("the deepest"), "{asked}");
}
