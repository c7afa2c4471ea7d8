//! Openings of WebSockets, byte by byte: which are taken, and what a refusal looks like on the wire.

use crate::support::{Mode, RawHttp, RawResponse, SOON, TestApp};

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

/// A handshake as a browser sends it, with these lines on top.
fn opening(path: &str, more: &[&str]) -> String {
    let mut head = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n{KEY}\r\n\
         Accept-Encoding: gzip, deflate, br, zstd\r\n"
    );
    more.iter().for_each(|line| head.push_str(&format!("{line}\r\n")));
    head + "\r\n"
}

/// What a program with these settings answers, to the last byte.
async fn refusal(app: &TestApp, request: &str) -> RawResponse {
    let mut http = RawHttp::to(app.address()).await;
    let response = http.ask(request).await;
    assert_eq!(response.header("transfer-encoding"), None, "{response:?}");
    assert_eq!(response.header("content-encoding"), None, "{response:?}");
    assert!(response.header("content-length").is_some(), "{response:?}");
    assert_eq!(response.header("content-type"), Some("application/json"), "{response:?}");
    assert!(response.json()["error"]["message"].is_string(), "{response:?}");
    // No HTTP can follow on such a connection.
    let rest = http.rest(SOON).await;
    assert!(rest.is_empty(), "after the answer: {:?}", String::from_utf8_lossy(&rest));
    response
}

#[tokio::test]
async fn a_refusal_is_plain_and_bears_its_length_whatever_its_status() {
    let app = TestApp::patient(Mode::Memory, &[("SOPHIE__SERVER__MAX_CONNECTIONS", "1")]).await;
    assert_eq!(refusal(&app, &opening("/ws/chat/a.b", &[])).await.status, 400);
    assert_eq!(refusal(&app, &opening("/ws/chat/s1", &["Sec-WebSocket-Protocol: other"])).await.status, 400);
    assert_eq!(refusal(&app, &opening("/ws/chat/s1", &["Origin: https://evil.example"])).await.status, 403);
    assert_eq!(refusal(&app, &opening("/ws/other/s1", &[])).await.status, 404);
    assert_eq!(refusal(&app, &opening("/nothing", &[])).await.status, 404);
    assert_eq!(refusal(&app, &opening("/ws/chat/s1", &[]).replace("GET", "POST")).await.status, 405);
    let _only = app.open("s1").await;
    let full = refusal(&app, &opening("/ws/chat/s2", &[])).await;
    assert_eq!((full.status, full.header("retry-after").is_some()), (503, true));

    let jwt = [("SOPHIE__AUTH__MODE", "jwt"), ("SOPHIE__AUTH__JWT_SECRET", "a-secret-of-the-tests")];
    let app = TestApp::patient(Mode::Memory, &jwt).await;
    assert_eq!(refusal(&app, &opening("/ws/chat/s1", &[])).await.status, 401);

    let limits = [("SOPHIE__LIMITS__ENABLED", "true"), ("SOPHIE__LIMITS__CONNECTS_PER_MINUTE", "1")];
    let app = TestApp::patient(Mode::Memory, &limits).await;
    let (mut statuses, open) = (Vec::new(), opening("/ws/chat/s1", &[]));
    while statuses.last() != Some(&429) {
        assert!(statuses.len() < 50, "{statuses:?}");
        let mut http = RawHttp::to(app.address()).await;
        statuses.push(http.ask(&open).await.status);
    }
    assert_eq!(refusal(&app, &open).await.status, 429);
}

#[tokio::test]
async fn other_versions_are_told_which_one_is_spoken() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    for version in ["8", "7", "14", ""] {
        let request = opening("/ws/chat/s1", &[]).replace("Version: 13", &format!("Version: {version}"));
        let refused = refusal(&app, &request).await;
        assert_eq!((refused.status, refused.header("sec-websocket-version")), (400, Some("13")), "{version}");
    }
    let without = opening("/ws/chat/s1", &[]).replace("Sec-WebSocket-Version: 13\r\n", "");
    let refused = refusal(&app, &without).await;
    assert_eq!((refused.status, refused.header("sec-websocket-version")), (400, Some("13")));
}

#[tokio::test]
async fn what_is_no_opening_is_refused_and_a_connection_that_is_to_close_is_none_the_less_one() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    let good = opening("/ws/chat/s1", &[]);
    for (what, request) in [
        ("HTTP/1.0", good.replace("HTTP/1.1", "HTTP/1.0")),
        ("no key", good.replace(&format!("{KEY}\r\n"), "")),
        ("no option", good.replace("Connection: Upgrade", "Connection: keep-alive")),
    ] {
        assert_eq!(refusal(&app, &request).await.status, 400, "{what}");
    }
    for connection in ["close, Upgrade", "Upgrade, close", "keep-alive, Upgrade", "upgrade"] {
        let mut http = RawHttp::to(app.address()).await;
        let answer = http.ask(good.replace("Connection: Upgrade", &format!("Connection: {connection}"))).await;
        assert_eq!(answer.status, 101, "{connection}");
        assert_eq!(answer.header("connection"), Some("upgrade"), "{connection}");
        assert_eq!(answer.header("sec-websocket-accept"), Some("s3pplmbitxaq9kygzzhzrbk+xoo="), "{connection}");
    }
}
