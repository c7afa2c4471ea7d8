//! Doors that stand open to this machine: what foreign pages and forgotten proxies find there.

use reqwest::header::HeaderValue;
use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};
use tokio_tungstenite::tungstenite::Error;

use crate::support::{ADMIN_TOKEN, JWT, Mode, TestApp, TestSocket, Token, question};

/// Everything that stands open without accounts and keys.
const OPEN: [(&str, &str); 5] = [
    ("GET", "/"),
    ("GET", "/page/style.css"),
    ("GET", "/v1/models"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/api/groups/g/messages"),
];

/// Status, code and words of a request with these headers in the place of its own.
async fn ask(app: &TestApp, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String, String) {
    let mut request = app.request(method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = if path.starts_with("/api") { json!({"text": "hi"}) } else { question("hi") };
    let request = if method == "POST" { request.json(&body) } else { request };
    let response = request.send().await.expect("a response");
    let status = response.status().as_u16();
    let body: Value = serde_json::from_str(&response.text().await.expect("text")).unwrap_or_default();
    let text = |field: &str| body["error"][field].as_str().unwrap_or_default().to_owned();
    (status, text("code"), text("message"))
}

/// The same of a WebSocket; 101 if it is one.
async fn connect(app: &TestApp, headers: &[(&str, &str)]) -> (u16, String, String) {
    let mut request = TestSocket::request(app.address(), "s1", "");
    for (name, value) in headers {
        let name: reqwest::header::HeaderName = name.parse().expect("a name");
        request.headers_mut().insert(name, value.parse().expect("a value"));
    }
    match tokio_tungstenite::connect_async(request).await {
        Ok(_) => (101, String::new(), String::new()),
        Err(Error::Http(refused)) => {
            let body = refused.body().as_deref().and_then(|body| serde_json::from_slice::<Value>(body).ok());
            let body = body.unwrap_or_default();
            let text = |field: &str| body["error"][field].as_str().unwrap_or_default().to_owned();
            (refused.status().as_u16(), text("code"), text("message"))
        }
        Err(error) => panic!("{error:?}"),
    }
}

fn is_shut((status, code, words): (u16, String, String), setting: &str, of: &str) {
    assert_eq!((status, code.as_str()), (403, "not_allowed"), "{of} {words}");
    assert!(words.contains(setting), "{of}: {words}");
}

#[tokio::test]
async fn a_page_whose_name_was_rebound_finds_nothing() {
    for more in [&[][..], &[("SOPHIE__SERVER__ALLOWED_ORIGINS", "*")]] {
        let app = TestApp::patient(Mode::Memory, more).await;
        let host = format!("evil.example:{}", app.address().port());
        let origin = format!("http://{host}");
        let page = [("host", host.as_str()), ("origin", origin.as_str())];
        for (method, path) in OPEN {
            is_shut(ask(&app, method, path, &page).await, "server.hosts", path);
            is_shut(ask(&app, method, path, &page[..1]).await, "server.hosts", path);
        }
        is_shut(connect(&app, &page).await, "server.hosts", "ws");
        for (path, token) in
            [("/health/live", false), ("/health/ready", false), ("/metrics", false), ("/admin/api/nodes", true)]
        {
            let request = app.request("GET", path).header("host", &host);
            let request = if token { request.bearer_auth(ADMIN_TOKEN) } else { request };
            assert_eq!(request.send().await.expect("sent").status(), 200, "{path}");
        }
    }
}

#[tokio::test]
async fn names_that_are_ours_are_served() {
    let ours = [
        ("SOPHIE__SERVER__HOSTS", "sophie.lan"),
        ("SOPHIE__SERVER__ALLOWED_ORIGINS", "https://app.example.com,https://*.shop.com"),
    ];
    let app = TestApp::patient(Mode::Memory, &ours).await;
    for host in
        ["127.0.0.1", "[::1]:8080", "localhost:1", "me.localhost", "Sophie.lan:80", "app.example.com", "a.shop.com"]
    {
        for (method, path) in OPEN {
            assert_eq!(ask(&app, method, path, &[("host", host)]).await.0, 200, "{host} {path}");
        }
        assert_eq!(connect(&app, &[("host", host)]).await.0, 101, "{host}");
    }
    // The list of origins still stands.
    let foreign = [("host", "app.example.com"), ("origin", "https://evil.example")];
    assert_eq!(connect(&app, &foreign).await.0, 403);
    assert_eq!(ask(&app, "GET", "/v1/models", &foreign).await.1, "origin_not_allowed");
    assert_eq!(ask(&app, "POST", "/api/groups/g/messages", &foreign).await.0, 403);
}

#[tokio::test]
async fn what_comes_through_a_proxy_that_nobody_named_is_not_of_this_machine() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    for header in ["forwarded", "x-forwarded-for", "x-real-ip"] {
        let through = [(header, "127.0.0.1")];
        for (method, path) in OPEN {
            is_shut(ask(&app, method, path, &through).await, "server.trusted_proxies", path);
        }
        is_shut(connect(&app, &through).await, "server.trusted_proxies", "ws");
    }
    let app = TestApp::patient(Mode::Memory, &[("SOPHIE__SERVER__TRUSTED_PROXIES", "127.0.0.1")]).await;
    for (header, value) in
        [("x-forwarded-for", "203.0.113.5"), ("x-forwarded-for", "unknown"), ("x-real-ip", "203.0.113.5")]
    {
        let through = [(header, value)];
        for (method, path) in &OPEN[2..] {
            is_shut(ask(&app, method, path, &through).await, "auth.api_keys", path);
        }
        assert_eq!(ask(&app, "GET", "/", &through).await.0, 200, "the chat behind a proxy that is named is meant");
        assert_eq!(connect(&app, &through).await.0, 101);
    }
    for (method, path) in OPEN {
        assert_eq!(ask(&app, method, path, &[("x-forwarded-for", "127.0.0.1")]).await.0, 200, "{path}");
    }
}

#[tokio::test]
async fn what_has_a_lock_of_its_own_is_reached_by_any_name() {
    let name = ("host", "chat.example.com");
    let proxy = ("x-forwarded-for", "203.0.113.5");
    let keys = TestApp::patient(Mode::Memory, &[("SOPHIE__AUTH__API_KEYS", "site:k")]).await;
    let key = ("authorization", "Bearer k");
    for (method, path) in &OPEN[2..] {
        assert_eq!(ask(&keys, method, path, &[name, proxy, key]).await.0, 200, "{path}");
        assert_eq!(ask(&keys, method, path, &[name]).await.0, 401, "{path}");
    }
    let tokens = TestApp::patient(Mode::Memory, &JWT).await;
    assert_eq!(ask(&tokens, "GET", "/", &[name, proxy]).await.0, 200);
    let token = format!("Bearer {}", Token::of("alice").sign());
    assert_eq!(connect(&tokens, &[name, proxy, ("authorization", &token)]).await.0, 101);
    assert_eq!(ask(&tokens, "GET", "/v1/models", &[name]).await.0, 401);
    let meant = TestApp::patient(Mode::Memory, &[("SOPHIE__AUTH__OPEN", "true")]).await;
    assert_eq!(ask(&meant, "GET", "/", &[name, proxy]).await.0, 200);
    assert_eq!(connect(&meant, &[name, proxy]).await.0, 101);
    is_shut(ask(&meant, "GET", "/v1/models", &[name]).await, "server.hosts", "applications are guarded all the same");
}

#[tokio::test]
async fn an_odd_byte_in_what_a_client_forwards_hides_nobody() {
    let application = AiServer::start().await;
    application.set_default(|| {
        Script::respond(200, &[("content-type", "application/json")], &json!({"user": "alice"}).to_string())
    });
    let url = format!("{}/chat/completions", application.base_url());
    let settings = [
        ("SOPHIE__AUTH__MODE", "hook"),
        ("SOPHIE__AUTH__HOOK_URL", url.as_str()),
        ("SOPHIE__SERVER__TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let app = TestApp::patient(Mode::Memory, &settings).await;
    for (call, forwarded) in [b"\xff, 203.0.113.5".as_slice(), b"caf\xe9,203.0.113.5"].into_iter().enumerate() {
        let mut request = TestSocket::request(app.address(), "s1", "");
        let value = HeaderValue::from_bytes(forwarded).expect("bytes that a header may have");
        request.headers_mut().insert("x-forwarded-for", value);
        let (_socket, _) = tokio_tungstenite::connect_async(request).await.expect("connected");
        assert_eq!(application.call(call).body["address"], "203.0.113.5");
    }
}

#[tokio::test]
async fn tokens_for_other_applications_are_refused_where_ours_are_named() {
    use sophie::auth::unix_now;
    let named = [("SOPHIE__AUTH__AUDIENCE", "chat,desk"), ("SOPHIE__AUTH__ISSUER", "https://id.example.com")];
    let app = TestApp::patient(Mode::Memory, &[&named[..], &JWT].concat()).await;
    let connect = async |claims: Value| {
        let mut all = json!({"sub": "alice", "exp": unix_now() + 60});
        all.as_object_mut().expect("an object").extend(claims.as_object().expect("an object").clone());
        let key = jsonwebtoken::EncodingKey::from_secret(JWT[1].1.as_bytes());
        let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &all, &key).expect("signed");
        connect(&app, &[("authorization", &format!("Bearer {token}"))]).await.0
    };
    let iss = "https://id.example.com";
    for aud in [json!("chat"), json!(["shop", "desk"])] {
        assert_eq!(connect(json!({"aud": aud, "iss": iss})).await, 101, "{aud}");
    }
    for aud in [json!(null), json!("shop"), json!(["shop"]), json!([])] {
        assert_eq!(connect(json!({"aud": aud, "iss": iss})).await, 401, "{aud}");
    }
    assert_eq!(connect(json!({"aud": "chat"})).await, 401);
    assert_eq!(connect(json!({"aud": "chat", "iss": "https://evil.example"})).await, 401);
    // Without an iat the time of arrival counts.
    assert_eq!(connect(json!({"aud": "chat", "iss": iss, "iat": "soon"})).await, 401);
}
