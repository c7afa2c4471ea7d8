//! What operators do is told in the log, each act as one line: who, from where, for which request, what, and how it went.

use serde_json::{Value, json};

use crate::support::{ADMIN_TOKEN, Broker, Client, JSON_LOG, TestSocket};

async fn act(broker: &Broker, method: &str, path: &str, body: Option<Value>) -> u16 {
    let http = Client::new();
    let request = http.request(method, format!("http://{}/admin/api/{path}", broker.address));
    let request = request.bearer_auth(ADMIN_TOKEN).header("x-request-id", format!("{method}-{}", path.len()));
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    request.send().await.expect("sent").status().as_u16()
}

#[tokio::test]
async fn each_act_of_an_operator_is_one_line_of_the_audit() {
    let broker = Broker::start(0, &[JSON_LOG]).await;
    let _socket = TestSocket::open(broker.address, "s1", "").await;
    let group = "groups/chat_s1";
    let said = json!({"text": "A person is here.", "assistant": false});
    for (method, path, body, act_name, outcome) in [
        ("POST", format!("{group}/messages"), Some(said), "speak", "done"),
        ("DELETE", format!("{group}/assistant"), None, "assistant_off", "done"),
        ("PUT", format!("{group}/assistant"), None, "assistant_on", "done"),
        ("DELETE", "cache?model=gpt".to_owned(), None, "purge_cache", "done"),
        ("DELETE", "limits/user:alice".to_owned(), None, "give_back_limits", "done"),
        ("DELETE", "sessions/s1".to_owned(), None, "disconnect", "done"),
        ("DELETE", "sessions/nobody".to_owned(), None, "disconnect", "refused"),
        ("DELETE", group.to_owned(), None, "end_group", "done"),
    ] {
        let before = broker.told("operator_act").len();
        let status = act(&broker, method, &path, body).await;
        let about = json!(path);
        let line = broker.tells("operator_act", &[("act", json!(act_name)), ("about", about)]).await;
        assert_eq!((line["target"].as_str(), line["who"].as_str()), (Some("sophie::audit"), Some("admin")), "{line}");
        assert_eq!((line["outcome"].as_str(), &line["status"]), (Some(outcome), &json!(status)), "{line}");
        assert_eq!((line["address"].as_str(), line["level"].as_str()), (Some("127.0.0.1"), Some("info")), "{line}");
        assert_eq!(line["request_id"], json!(format!("{method}-{}", path.len())), "{line}");
        assert_eq!(broker.told("operator_act").len(), before + 1, "{path}");
    }
    let closed = broker.tells("operator_act", &[("about", json!("sessions/s1"))]).await;
    assert_eq!((closed["done"].as_u64(), closed["pending"].as_u64()), (Some(1), Some(0)), "{closed}");
    // Looking is no act, and what was said is nobody's business.
    let before = broker.told("operator_act").len();
    assert_eq!(act(&broker, "GET", "groups", None).await, 200);
    assert_eq!(broker.told("operator_act").len(), before);
    assert!(!broker.log().contains("A person is here.") && !broker.log().contains(ADMIN_TOKEN));
}
