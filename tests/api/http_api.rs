//! Every route, as any client sees it: who may, what comes back, in which form.

use reqwest::Response;
use serde_json::{Value, json};

use crate::support::{Mode, SOON, TestApp, eventually};

/// Every route that there is, with the methods that it takes and whether it is the operators'.
const ROUTES: &[(&str, &[&str], bool)] = &[
    ("/", &["GET", "HEAD"], false),
    ("/widget.js", &["GET", "HEAD"], false),
    ("/health/live", &["GET", "HEAD"], false),
    ("/health/ready", &["GET", "HEAD"], false),
    ("/metrics", &["GET", "HEAD"], false),
    ("/ws/chat/s1", &["GET"], false),
    ("/api/groups/g1/messages", &["POST"], false),
    ("/admin/api/groups", &["GET"], true),
    ("/admin/api/groups/g1", &["GET", "DELETE"], true),
    ("/admin/api/groups/g1/messages", &["GET", "POST"], true),
    ("/admin/api/events", &["GET"], true),
    ("/admin/api/whoami", &["GET"], true),
    ("/admin/api/feedback", &["GET"], true),
    ("/admin/api/feedback/summary", &["GET"], true),
    ("/admin/api/limits", &["GET"], true),
    ("/admin", &["GET", "HEAD"], false),
    ("/admin/api/sessions", &["GET"], true),
    ("/admin/api/sessions/s1", &["GET", "DELETE"], true),
];

/// Status and code of an error; its form is checked.
async fn error(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/json", "{status}");
    assert!(response.headers().contains_key("x-request-id"));
    let body: Value = response.json().await.expect("JSON");
    assert!(body["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
    (status, body["error"]["code"].as_str().expect("a code").to_owned())
}

async fn send(app: &TestApp, method: &str, path: &str, token: Option<&str>) -> Response {
    let mut request = app.request(method, path);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request.send().await.expect("a response")
}

#[tokio::test]
async fn methods_that_a_route_does_not_take_and_unknown_addresses_are_told_in_json() {
    let app = TestApp::start(Mode::Memory, &[]).await;
    for (path, methods, _) in ROUTES {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].into_iter().filter(|m| !methods.contains(m))
        {
            let response = send(&app, method, path, Some(crate::support::ADMIN_TOKEN)).await;
            let allowed = response.headers()["allow"].to_str().expect("text").to_owned();
            assert!(methods.iter().all(|method| allowed.contains(method)), "{path} takes {methods:?}, says {allowed}");
            assert_eq!(error(response).await, (405, "method_not_allowed".into()), "{method} {path}");
        }
    }
    for path in ["/nothing", "/admin/api", "/admin/api/nothing", "/api/groups", "/ws/chat/", "/page/nothing.js", "/%ff"]
    {
        let response = send(&app, "GET", path, Some(crate::support::ADMIN_TOKEN)).await;
        assert_eq!(error(response).await, (404, "not_found".into()), "{path}");
    }
}

#[tokio::test]
async fn only_the_admin_token_opens_the_operators_routes() {
    let app = TestApp::start(Mode::Memory, &[]).await;
    for (path, methods, operators) in ROUTES {
        for method in methods.iter().filter(|_| *operators) {
            for token in [None, Some("wrong"), Some("")] {
                let response = send(&app, method, path, token).await;
                assert_eq!(response.headers()["www-authenticate"], "Bearer");
                assert_eq!(error(response).await, (401, "unauthorized".into()), "{method} {path} {token:?}");
            }
            let basic = app.request(method, path).basic_auth("admin", Some(crate::support::ADMIN_TOKEN));
            assert_eq!(error(basic.send().await.expect("a response")).await.0, 401);
        }
    }
    let unknown = send(&app, "GET", "/admin/api/nothing", None).await;
    assert_eq!(error(unknown).await.0, 401, "strangers do not learn what there is");
}

#[tokio::test]
async fn a_good_request_id_comes_back_and_a_bad_one_is_replaced() {
    let app = TestApp::start(Mode::Memory, &[]).await;
    for path in ["/health/live", "/nothing", "/admin/api/groups", "/metrics", "/"] {
        for id in ["a", "0123-ABC/=;~", &"x".repeat(128)] {
            let response = app.request("GET", path).header("x-request-id", id).send().await.expect("a response");
            assert_eq!(response.headers()["x-request-id"], id, "{path}");
        }
        let mut made_up = Vec::new();
        for id in [Some(""), Some("two words"), Some(&*"x".repeat(129)), Some("tab\there"), None] {
            let mut request = app.request("GET", path);
            if let Some(id) = id {
                request = request.header("x-request-id", id);
            }
            let response = request.send().await.expect("a response");
            let given = response.headers()["x-request-id"].to_str().expect("ASCII").to_owned();
            assert!(!given.is_empty() && Some(&*given) != id, "{path} {id:?} {given}");
            made_up.push(given);
        }
        made_up.sort();
        made_up.dedup();
        assert_eq!(made_up.len(), 5, "each request has an id of its own");
    }
}

#[tokio::test]
async fn the_chat_page_is_served_with_an_entity_tag() {
    let app = TestApp::start(Mode::Memory, &[]).await;
    let page = send(&app, "GET", "/", None).await;
    assert_eq!(page.status(), 200);
    assert!(page.headers()["content-type"].to_str().expect("text").starts_with("text/html"));
    assert!(page.headers().contains_key("content-security-policy"));
    assert_eq!(page.headers()["x-content-type-options"], "nosniff");
    let tag = page.headers()["etag"].to_str().expect("text").to_owned();
    let again = app.request("GET", "/").header("if-none-match", tag).send().await.expect("a response");
    assert_eq!(again.status(), 304);
    let head = send(&app, "HEAD", "/", None).await;
    assert_eq!((head.status().as_u16(), head.text().await.expect("text").len()), (200, 0));
}

#[tokio::test]
async fn the_page_is_told_what_the_settings_say_of_it_and_nothing_else() {
    let app = TestApp::start(Mode::Memory, &[("SOPHIE__PAGE__NAME", "Ajuda"), ("SOPHIE__PAGE__COLOR", "#0af")]).await;
    let response = send(&app, "GET", "/page/config.json", None).await;
    let tag = response.headers()["etag"].to_str().expect("text").to_owned();
    let told: Value = response.json().await.expect("JSON");
    let expected = json!({
        "name": "Ajuda", "color": "#0af", "greeting": "", "examples": ["auto"], "language": "auto",
        "sign_in": "none", "max_text_chars": 16_000, "max_images": 0, "max_image_bytes": 196_608, "max_frame_bytes": 208_384, "person": false, "feedback": true,
    });
    assert_eq!(told, expected);
    let again = app.request("GET", "/page/config.json").header("if-none-match", tag).send().await.expect("a response");
    assert_eq!(again.status(), 304);
}

#[tokio::test]
async fn every_figure_bears_the_programs_name_and_the_text_is_well_formed() {
    let app = TestApp::start(Mode::Memory, &[]).await;
    let mut socket = app.open("s1").await;
    socket.ask("q", json!({"type": "message.send", "text": "Hello"})).await;
    socket.event_of("answer.end").await;
    // An answer is counted once its end has been told.
    let text = eventually("the answer to be counted", SOON, async || {
        let response = send(&app, "GET", "/metrics", None).await;
        assert!(response.headers()["content-type"].to_str().expect("text").starts_with("text/plain"));
        let text = response.text().await.expect("text");
        text.contains("sophie_answers_total{outcome=").then_some(text)
    })
    .await;
    assert!(text.ends_with('\n'));
    let (mut typed, mut samples) = (Vec::new(), 0);
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and a kind");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(["sophie_", "gen_ai_", "process_"].iter().any(|prefix| name.starts_with(prefix)), "{line}");
            typed.push(name.to_owned());
        } else if !line.starts_with("# HELP ") {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let name = series.split('{').next().expect("a name");
            let family = typed.last().expect("a type before its samples");
            assert!(name.starts_with(family.as_str()), "{line}");
            samples += 1;
        }
    }
    assert!(samples > 20, "{text}");
    for expected in ["sophie_sockets 1", "sophie_commands_total{type=\"message.send\"} 1"] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
}

#[tokio::test]
async fn an_application_speaks_with_its_key_alone_and_once_per_idempotency_key() {
    let keys = "first-key-of-the-tests,shop:second-key-of-the-tests";
    let app = TestApp::start(Mode::Memory, &[("SOPHIE__AUTH__API_KEYS", keys)]).await;
    let mut socket = app.open("s1").await;
    let path = "/api/groups/chat_s1/messages";
    for token in [None, Some("wrong"), Some(crate::support::ADMIN_TOKEN), Some(keys)] {
        let refused = send(&app, "POST", path, token).await;
        assert_eq!(error(refused).await.0, 401, "{token:?}");
    }
    let speak = async |body: Value, idempotency: &str| {
        let mut request = app.request("POST", path).bearer_auth("second-key-of-the-tests").json(&body);
        if !idempotency.is_empty() {
            request = request.header("idempotency-key", idempotency);
        }
        let response = request.send().await.expect("a response");
        (response.status().as_u16(), response.json::<Value>().await.expect("JSON"))
    };
    let (status, first) = speak(json!({"text": "Sale!"}), "k1").await;
    assert_eq!((status, &first["seq"], &first["group"]), (200, &json!(1), &json!("chat_s1")));
    assert_eq!(speak(json!({"text": "Sale!"}), "k1").await, (200, first));
    let (status, conflict) = speak(json!({"text": "Other"}), "k1").await;
    assert_eq!(status, 409, "{conflict}");
    let heard = socket.event_of("message").await["message"].clone();
    assert_eq!((&heard["text"], &heard["author"], &heard["role"]), (&json!("Sale!"), &json!("shop"), &json!("system")));
    assert_eq!(speak(json!({"text": "Next"}), "").await.1["seq"], 2, "neither repetition was logged");
    assert_eq!(speak(json!({"event": {"type": "price", "eur": 5}}), "").await.0, 202);
    let event = socket.event_of("event").await;
    assert_eq!(event["event"], json!({"type": "price", "eur": 5}));
    for bad in [json!({}), json!({"text": ""}), json!({"text": "a", "event": 1}), json!([]), json!({"txt": "a"})] {
        assert_eq!(speak(bad.clone(), "").await.0, 400, "{bad}");
    }
    assert_eq!(speak(json!({"text": "x".repeat(16_001)}), "").await.0, 413);
    let broken = app.request("POST", path).bearer_auth("first-key-of-the-tests").body("{\"text\":");
    assert_eq!(error(broken.send().await.expect("a response")).await.0, 400);
    let huge = app.request("POST", path).bearer_auth("first-key-of-the-tests").body("x".repeat(300 * 1024));
    assert_eq!(error(huge.send().await.expect("a response")).await, (413, "too_large".into()));
}
