//! A token with which operators look, and do nothing; and the list of what they did with the other one.

use serde_json::{Value, json};

use crate::support::{ADMIN_TOKEN, Broker, Client, JSON_LOG, Mode, Reloadable, TestApp, TestServer};

in_both_modes!(a_view_token_looks_and_changes_nothing, what_operators_did_is_listed_newest_first);

const VIEW: &str = "the-token-to-look-with";
const VIEW_TOKEN: (&str, &str) = ("SOPHIE__ADMIN__VIEW_TOKEN", VIEW);

async fn with(app: &TestApp, token: &str, method: &str, path: &str) -> (u16, Value) {
    let response = app.request(method, path).bearer_auth(token).send().await.expect("a response");
    (response.status().as_u16(), response.json().await.expect("JSON"))
}

async fn a_view_token_looks_and_changes_nothing(mode: Mode) {
    let app = TestApp::patient(mode, &[VIEW_TOKEN]).await;
    let mut socket = app.open("s1").await;
    let (_, nodes) = with(&app, VIEW, "GET", "/admin/api/nodes").await;
    let who = json!({"who": "view", "may_act": false, "node": nodes["nodes"][0]["node"]});
    assert_eq!(with(&app, VIEW, "GET", "/admin/api/whoami").await, (200, who));
    let (_, who) = with(&app, ADMIN_TOKEN, "GET", "/admin/api/whoami").await;
    assert_eq!((&who["who"], &who["may_act"]), (&json!("admin"), &json!(true)), "{who}");
    for path in ["groups", "groups/chat_s1", "sessions", "sessions/s1", "nodes", "cache", "usage", "redis", "waiting"] {
        let (status, body) = with(&app, VIEW, "GET", &format!("/admin/api/{path}")).await;
        // There is no Redis to be seen without one.
        assert!(status == 200 || (path == "redis" && mode == Mode::Memory), "{path}: {status} {body}");
    }
    for (method, path) in [
        ("DELETE", "groups/chat_s1"),
        ("DELETE", "groups/chat_s1/assistant"),
        ("PUT", "groups/chat_s1/assistant"),
        ("POST", "groups/chat_s1/messages"),
        ("DELETE", "sessions/s1"),
        ("DELETE", "cache"),
        ("DELETE", "limits/service"),
        ("DELETE", "waiting/chat_s1"),
        ("POST", "nothing-here"),
    ] {
        let (status, body) = with(&app, VIEW, method, &format!("/admin/api/{path}")).await;
        assert_eq!((status, &body["error"]["code"]), (403, &json!("not_allowed")), "{method} {path}: {body}");
        assert!(body["error"]["message"].as_str().is_some_and(|it| it.contains("admin token")), "{body}");
    }
    assert_eq!(socket.settled().await, [] as [Value; 0], "nothing happened");
    assert_eq!(with(&app, ADMIN_TOKEN, "GET", "/admin/api/audit").await.1["acts"], json!([]), "nothing was done");
    assert_eq!(with(&app, "another", "GET", "/admin/api/groups").await.0, 401);
    let without = TestApp::patient(mode, &[]).await;
    assert_eq!(with(&without, VIEW, "GET", "/admin/api/groups").await.0, 401);
}

async fn what_operators_did_is_listed_newest_first(mode: Mode) {
    let app = TestApp::patient(mode, &[VIEW_TOKEN]).await;
    let _socket = app.open("s1").await;
    for (method, path) in
        [("DELETE", "groups/chat_s1/assistant"), ("DELETE", "sessions/nobody"), ("DELETE", "sessions/s1")]
    {
        let request = app.request(method, &format!("/admin/api/{path}")).bearer_auth(ADMIN_TOKEN);
        request.header("x-request-id", "req-7").send().await.expect("sent");
    }
    let (status, page) = with(&app, VIEW, "GET", "/admin/api/audit?limit=2").await;
    assert_eq!(status, 200, "{page}");
    let acts = page["acts"].as_array().expect("acts");
    let told = |act: &Value| ["act", "about", "outcome"].map(|field| act[field].as_str().unwrap_or("").to_owned());
    assert_eq!(told(&acts[0]), ["disconnect", "sessions/s1", "done"], "{page}");
    assert_eq!(told(&acts[1]), ["disconnect", "sessions/nobody", "refused"], "{page}");
    let act = &acts[0];
    assert_eq!((&act["who"], &act["address"], &act["status"]), (&json!("admin"), &json!("127.0.0.1"), &json!(200)));
    assert_eq!((&act["request_id"], &act["done"], &act["pending"]), (&json!("req-7"), &json!(1), &json!(0)));
    let next = page["next_cursor"].as_str().expect("one more page");
    let (_, rest) = with(&app, VIEW, "GET", &format!("/admin/api/audit?cursor={next}")).await;
    assert_eq!(told(&rest["acts"][0]), ["assistant_off", "groups/chat_s1/assistant", "done"], "{rest}");
    assert_eq!((rest["acts"].as_array().map(Vec::len), &rest["next_cursor"]), (Some(1), &Value::Null));
    assert_eq!(with(&app, VIEW, "GET", "/admin/api/audit?cursor=x").await.0, 400);
}

#[tokio::test]
async fn acts_of_two_nodes_are_one_list() {
    let redis = TestServer::start();
    let nodes = [TestApp::one_of(&redis, "n0", &[]).await, TestApp::one_of(&redis, "n1", &[]).await];
    for app in &nodes {
        assert_eq!(app.admin("PUT", "/admin/api/groups/team/assistant", None).await.0, 200);
    }
    for app in &nodes {
        assert_eq!(app.admin("GET", "/admin/api/audit", None).await.1["acts"].as_array().map(Vec::len), Some(2));
    }
}

#[tokio::test]
async fn who_tries_to_act_with_a_view_token_is_told_of_once_and_then_by_their_number() {
    let broker = Broker::start(0, &[JSON_LOG, VIEW_TOKEN]).await;
    let http = Client::new();
    for _ in 0..5 {
        let url = format!("http://{}/admin/api/groups/team", broker.address);
        let refused = http.request("DELETE", url).bearer_auth(VIEW).send().await.expect("sent");
        assert_eq!(refused.status().as_u16(), 403);
    }
    let line = broker.tells("operator_act", &[("who", json!("view"))]).await;
    assert_eq!(
        (&line["act"], &line["outcome"], &line["about"]),
        (&json!("end_group"), &json!("refused"), &json!("groups/team"))
    );
    assert_eq!(line["target"], "sophie::audit", "{line}");
    broker.tells("operator_act", &[("more", json!(4))]).await;
    assert!(!broker.log().contains(VIEW));
}

#[tokio::test]
async fn a_view_token_is_taken_over_and_taken_away_without_a_restart() {
    let node = Reloadable::start("").await;
    let look = async |token: &str| {
        let request = node.request("GET", "/admin/api/nodes").bearer_auth(token);
        request.send().await.expect("sent").status().as_u16()
    };
    assert_eq!(look(VIEW).await, 401);
    let line = node.reload(&format!("admin.view_token = \"{VIEW}\"\n")).await;
    assert!(line.contains("taken=admin.view_token "), "{line}");
    assert_eq!((look(VIEW).await, look(ADMIN_TOKEN).await), (200, 200));
    node.reload("").await;
    assert_eq!((look(VIEW).await, look(ADMIN_TOKEN).await), (401, 200));
}
