//! Who is refused is told in the log: why, from where, for which request; the first at once, a crowd by its number.

use serde_json::{Value, json};

use crate::support::{Broker, Client, Handshake, JSON_LOG, JWT, TestServer, TestSocket, Token};

const ID: (&str, &str) = ("x-request-id", "req-42");

async fn broker(more: &[(&str, &str)]) -> Broker {
    Broker::start(0, &[&[JSON_LOG][..], more].concat()).await
}

async fn get(broker: &Broker, path: &str, headers: &[(&str, &str)]) -> u16 {
    let http = Client::new();
    let mut request = http.get(format!("http://{}{path}", broker.address)).header(ID.0, ID.1);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("sent").status().as_u16()
}

fn from_here(reason: &str) -> [(&'static str, Value); 3] {
    [("reason", json!(reason)), ("address", json!("127.0.0.1")), ("request_id", json!(ID.1))]
}

#[tokio::test]
async fn operators_and_applications_without_their_key_are_told_of_once_and_then_by_their_number() {
    let broker = broker(&[("SOPHIE__AUTH__API_KEYS", "[\"a-key-that-is-long-enough-to-be-one\"]")]).await;
    for (path, event, what) in
        [("/admin/api/nodes", "admin_refused", "admin token"), ("/v1/models", "key_refused", "API key")]
    {
        assert_eq!(get(&broker, path, &[]).await, 401);
        broker.tells(event, &from_here(&format!("no {what}"))).await;
        for _ in 0..8 {
            assert_eq!(get(&broker, path, &[("authorization", "Bearer hunter2")]).await, 401);
        }
        let wrong = format!("the {what} is wrong");
        let first = broker.tells(event, &from_here(&wrong)).await;
        assert_eq!((first["level"].as_str(), first["target"].as_str()), (Some("info"), Some("sophie::refused")));
        let crowd = broker.tells(event, &[("reason", json!(wrong)), ("more", json!(7))]).await;
        assert_eq!(crowd["within_seconds"], 10, "{crowd}");
        assert_eq!(broker.told(event).len(), 3, "two reasons, and one number");
    }
    assert!(!broker.log().contains("hunter2"));
}

#[tokio::test]
async fn pages_handshakes_and_sessions_that_may_not_are_told_with_the_reason() {
    let broker = broker(&JWT).await;
    let token = |user: &str| Token::of(user).sign();
    let connect = async |path: &str, headers: &[(&str, &str)]| {
        Handshake::with(broker.address, path, &[headers, &[ID]].concat()).await.status
    };
    let alices = format!("/ws/chat/s1?token={}", token("alice"));
    assert_eq!(connect(&alices, &[("origin", "https://evil.example")]).await, 403);
    let line = broker.tells("origin_refused", &[("request_id", json!(ID.1))]).await;
    let said = (line["origin"].as_str(), line["setting"].as_str());
    assert_eq!(said, (Some("https://evil.example"), Some("server.allowed_origins")), "{line}");
    assert_eq!(connect(&alices, &[]).await, 101);
    assert_eq!(connect(&format!("/ws/chat/s1?token={}", token("mallory")), &[]).await, 403);
    broker.tells("session_refused", &[("session", json!("s1")), ("user", json!("mallory"))]).await;
    assert_eq!(connect(&alices, &[("sec-websocket-protocol", "other")]).await, 400);
    let line = broker.tells("handshake_refused", &[("code", json!("bad_request"))]).await;
    assert!(line["reason"].as_str().is_some_and(|it| it.contains("sophie.v1")) && line["request_id"] == ID.1, "{line}");
}

#[tokio::test]
async fn a_limit_that_is_used_up_is_told_with_whose_it_is() {
    let limits = [("SOPHIE__LIMITS__ENABLED", "true"), ("SOPHIE__LIMITS__USER_MESSAGES_PER_MINUTE", "2")];
    let own = [ID];
    let broker = broker(&[&JWT[..], &limits].concat()).await;
    let path = format!("/ws/chat/s1?token={}", Token::of("alice").sign());
    let mut socket = Handshake::with(broker.address, &path, &own).await.socket().await;
    for n in 0..12 {
        let said = json!({"type": "message.send", "text": "hi", "assistant": false});
        socket.ask(&n.to_string(), said).await;
    }
    let line = broker.tells("limit_reached", &[("whose", json!("user:alice"))]).await;
    assert_eq!((line["request_id"].as_str(), line["address"].as_str()), (Some(ID.1), Some("127.0.0.1")), "{line}");
    assert!(line["limit"].is_string() && line["retry_after_ms"].is_u64(), "{line}");
    let crowd = broker.tells("limit_reached", &[("within_seconds", json!(10))]).await;
    assert!(crowd["more"].as_u64().is_some_and(|more| more >= 1), "{crowd}");
    assert_eq!(broker.told("limit_reached").len(), 2, "{}", broker.log());
}

#[tokio::test]
async fn a_store_that_comes_back_empty_resets_many_logs_in_two_lines() {
    let mut redis = TestServer::start();
    let url = redis.url(0);
    let broker = broker(&[("USE_REDIS", "true"), ("REDIS_URL", url.as_str())]).await;
    let mut sockets = Vec::new();
    for n in 0..20 {
        let mut socket = TestSocket::open(broker.address, &format!("s{n}"), "").await;
        socket.ask("a", json!({"type": "message.send", "text": "hi", "assistant": false})).await;
        sockets.push(socket);
    }
    redis.kill();
    redis.launch();
    for socket in &mut sockets {
        socket.event_of("log.reset").await;
    }
    broker.tells("log_reset", &[("more", json!(19))]).await;
    assert_eq!(broker.told("log_reset").len(), 2, "{}", broker.log());
}
