//! What pages of allowed origins may read over HTTP.

use reqwest::header::HeaderMap;
use serde_json::json;

use crate::support::{ADMIN_TOKEN, Mode, Request, TestApp, question};

const APP: &str = "https://app.example.com";
const KEYS: (&str, &str) = ("SOPHIE__AUTH__API_KEYS", "site:k");

async fn start(origins: &str) -> TestApp {
    TestApp::patient(Mode::Memory, &[("SOPHIE__SERVER__ALLOWED_ORIGINS", origins), KEYS]).await
}

async fn send(request: Request) -> (u16, HeaderMap) {
    let response = request.send().await.expect("a response");
    (response.status().as_u16(), response.headers().clone())
}

async fn preflight(app: &TestApp, path: &str, origin: &str, method: &str, headers: &str) -> (u16, HeaderMap) {
    let request = app.request("OPTIONS", path).header("origin", origin);
    let request = request.header("access-control-request-method", method);
    send(request.header("access-control-request-headers", headers)).await
}

fn value<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().expect("text"))
}

fn says_nothing(headers: &HeaderMap) {
    assert!(headers.keys().all(|name| !name.as_str().starts_with("access-control-")), "{headers:?}");
}

fn varies(headers: &HeaderMap) -> bool {
    let values = headers.get_all("vary").iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|name| name.trim().eq_ignore_ascii_case("origin"))
}

#[tokio::test]
async fn a_preflight_is_answered_by_the_route_without_a_key() {
    let app = start(APP).await;
    let asked = "authorization,content-type,x-stainless-os,x-stainless-retry-count,idempotency-key";
    for (path, method) in [
        ("/v1/chat/completions", "POST"),
        ("/v1/models", "GET"),
        ("/v1/models/gpt-4o", "GET"),
        ("/api/groups/team/messages", "POST"),
    ] {
        let (status, headers) = preflight(&app, path, APP, method, asked).await;
        assert_eq!(status, 204, "{path}");
        assert_eq!(value(&headers, "access-control-allow-origin"), APP);
        assert_eq!(value(&headers, "access-control-allow-methods"), method, "{path}");
        assert_eq!(value(&headers, "access-control-allow-headers"), asked);
        assert_eq!(value(&headers, "access-control-max-age"), "600");
        assert_eq!(value(&headers, "access-control-allow-credentials"), "true");
        assert!(varies(&headers), "{headers:?}");
        assert!(!headers.contains_key("content-type"), "{headers:?}");
    }
    let (status, headers) = preflight(&app, "/v1/nothing", APP, "GET", "x-a").await;
    assert_eq!((status, value(&headers, "access-control-allow-origin")), (404, APP));
    // An OPTIONS that is none.
    let (status, headers) = send(app.request("OPTIONS", "/v1/models").header("origin", APP)).await;
    assert_eq!((status, value(&headers, "allow")), (405, "GET"));
}

#[tokio::test]
async fn responses_and_errors_may_be_read_and_so_may_each_header_by_its_name() {
    let app = start(APP).await;
    let ask = |key: &str| {
        let request = app.request("POST", "/v1/chat/completions").header("origin", APP);
        request.bearer_auth(key).json(&question("hi"))
    };
    let streamed = app.request("POST", "/v1/chat/completions").header("origin", APP).bearer_auth("k");
    let streamed =
        streamed.json(&json!({"stream": true, "model": "m", "messages": [{"role": "user", "content": "x"}]}));
    let publish = app.request("POST", "/api/groups/g/messages").header("origin", APP).bearer_auth("k").body("{");
    for (request, expected) in [
        (ask("k"), 200),
        (streamed, 200),
        (ask("wrong"), 401),
        (publish, 400),
        (app.request("GET", "/v1/nothing").header("origin", APP), 404),
        (app.request("PUT", "/api/groups/g/messages").header("origin", APP), 405),
    ] {
        let (status, headers) = send(request).await;
        assert_eq!(status, expected);
        assert_eq!(value(&headers, "access-control-allow-origin"), APP, "{status}");
        assert_eq!(value(&headers, "access-control-allow-credentials"), "true");
        assert!(varies(&headers), "{headers:?}");
        let exposed = value(&headers, "access-control-expose-headers").to_ascii_lowercase();
        let exposed: Vec<&str> = exposed.split(',').map(str::trim).collect();
        let unexposed: Vec<_> = headers
            .keys()
            .map(|name| name.as_str())
            .filter(|name| {
                name.starts_with("x-")
                    || matches!(*name, "age" | "retry-after" | "retry-after-ms" | "link" | "location" | "etag")
            })
            .filter(|name| !["x-content-type-options", "x-accel-buffering"].contains(name) && !exposed.contains(name))
            .collect();
        assert_eq!(unexposed, [""; 0], "{status}");
        for name in [
            "x-request-id",
            "x-sophie-cache",
            "x-ratelimit-remaining-tokens",
            "retry-after",
            "retry-after-ms",
            "x-should-retry",
            "age",
            "link",
            "location",
            "etag",
            "stream-next-offset",
            "stream-closed",
        ] {
            assert!(exposed.contains(&name), "{name}");
        }
        assert!(exposed.iter().all(|name| !name.contains('*')));
    }
}

#[tokio::test]
async fn nobody_else_is_told_anything() {
    let app = start(APP).await;
    for origin in [
        "https://evil.example",
        "null",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://x.app.example.com",
    ] {
        let (status, headers) = preflight(&app, "/v1/models", origin, "GET", "authorization").await;
        assert_eq!(status, 405, "{origin}");
        says_nothing(&headers);
        says_nothing(&send(app.request("GET", "/v1/models").bearer_auth("k").header("origin", origin)).await.1);
    }
    for path in ["/admin/api/nodes", "/health/live", "/metrics", "/", "/v1x"] {
        says_nothing(&preflight(&app, path, APP, "GET", "authorization").await.1);
        says_nothing(&send(app.request("GET", path).bearer_auth(ADMIN_TOKEN).header("origin", APP)).await.1);
    }
    says_nothing(&send(app.request("GET", "/v1/models").bearer_auth("k")).await.1);
    let alone = TestApp::patient(Mode::Memory, &[KEYS]).await;
    let own = format!("http://{}", alone.address());
    says_nothing(&preflight(&alone, "/v1/models", &own, "GET", "authorization").await.1);
}

#[tokio::test]
async fn credentials_are_for_origins_that_are_named_in_full() {
    let app = start("*,https://*.shop.com,https://app.example.com").await;
    for (origin, credentials) in
        [(APP, "true"), ("https://a.shop.com", ""), ("https://anybody.example", ""), ("null", "")]
    {
        let (status, headers) = preflight(&app, "/v1/models", origin, "GET", "authorization").await;
        assert_eq!((status, value(&headers, "access-control-allow-origin")), (204, origin));
        assert_eq!(value(&headers, "access-control-allow-credentials"), credentials, "{origin}");
        assert!(varies(&headers));
    }
}
