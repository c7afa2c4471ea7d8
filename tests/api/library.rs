//! The client library and the widget as they are served: to pages of anybody, and what they may read when a WebSocket is refused.

use crate::support::{JWT, Mode, Reply, TestApp};

const FILES: [&str; 3] = ["/client.js", "/client.mjs", "/widget.js"];

#[tokio::test]
async fn it_is_served_to_pages_of_anybody_and_not_sent_again_to_who_has_it() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    for path in FILES {
        let page = "https://elsewhere.example";
        let whole = Reply::to(app.request("GET", path).header("origin", page)).await;
        assert_eq!((whole.status, whole.header("content-type")), (200, "text/javascript; charset=utf-8"), "{path}");
        assert_eq!(whole.header("access-control-allow-origin"), "*", "modules of other origins are loaded with CORS");
        assert_eq!(whole.header("cross-origin-resource-policy"), "cross-origin");
        assert_eq!(whole.header("cache-control"), "no-cache");
        let marks = if path == "/widget.js" { ["attachShadow", "SophieChat"] } else { ["sophie.v1", "message.send"] };
        assert!(marks.iter().all(|mark| whole.text.contains(mark)), "{path}");
        let etag = whole.header("etag");
        let again = Reply::to(app.request("GET", path).header("if-none-match", etag)).await;
        assert_eq!((again.status, again.header("etag"), again.text.as_str()), (304, etag, ""));
        assert_eq!(again.header("access-control-allow-origin"), "*");
        let head = Reply::to(app.request("HEAD", path)).await;
        assert_eq!((head.status, head.text.as_str()), (200, ""));
        // It tells nothing of this service, so no door is in front of it.
        let rebound = Reply::to(app.request("GET", path).header("host", "rebound.example")).await;
        assert_eq!(rebound.status, 200);
    }
    let other = Reply::to(app.request("GET", "/client.ts")).await;
    assert_eq!(other.status, 404);
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_reads_why_a_websocket_is_refused() {
    let app = TestApp::patient(
        Mode::Memory,
        &[("SOPHIE__SERVER__ALLOWED_ORIGINS", "https://app.example.com"), JWT[0], JWT[1]],
    )
    .await;
    let ask = |origin: &str| app.request("GET", "/ws/chat/s1").header("origin", origin).bearer_auth("not.a.token");
    let read = Reply::to(ask("https://app.example.com")).await;
    assert_eq!((read.status, read.header("access-control-allow-origin")), (401, "https://app.example.com"));
    assert_eq!(read.json()["error"]["code"], "unauthorized");
    let preflight = app.request("OPTIONS", "/ws/chat/s1").header("origin", "https://app.example.com");
    let preflight = preflight.header("access-control-request-method", "GET");
    let preflight = Reply::to(preflight.header("access-control-request-headers", "authorization")).await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-methods")), (204, "GET"));
    assert_eq!(preflight.header("access-control-allow-headers"), "authorization");
    let foreign = Reply::to(ask("https://elsewhere.example")).await;
    assert_eq!(foreign.header("access-control-allow-origin"), "");
}
