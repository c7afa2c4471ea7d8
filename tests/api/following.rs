//! One request can be followed: by its id, from whoever asked to the AI backend and to the application, and through the log.

use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};

use crate::support::{Broker, Client, Handshake, JSON_LOG, Reply, SOON, eventually, question};

const ID: &str = "req-42";

async fn broker(ai: &AiServer, more: &[(&str, &str)]) -> Broker {
    let own = [JSON_LOG, ("SOPHIE__LOG__LEVEL", "debug"), ("SOPHIE__AI__RETRIES", "0")];
    Broker::start(0, &[&ai.environment()[..], &own, more].concat()).await
}

async fn ask(broker: &Broker, id: &str) -> Reply {
    let http = Client::new();
    let request = http.post(format!("http://{}/v1/chat/completions", broker.address)).json(&question("?"));
    Reply::to(request.header("x-request-id", id)).await
}

fn id_of_call(ai: &AiServer, n: usize) -> String {
    ai.call(n).headers.get("x-request-id").cloned().unwrap_or_default()
}

#[tokio::test]
async fn what_a_socket_asks_bears_the_id_of_its_handshake_everywhere() {
    let ai = AiServer::start().await;
    let broker = broker(&ai, &[]).await;
    ai.push(Script::refusal(500, "", "broken", &[]));
    let mut socket = Handshake::with(broker.address, "/ws/chat/s1", &[("x-request-id", ID)]).await.socket().await;
    let opened = broker.lines().into_iter().find(|line| line["message"] == "a socket is open").expect("a line");
    assert_eq!((opened["request_id"].as_str(), opened["session"].as_str()), (Some(ID), Some("s1")));
    let asked = json!({"type": "message.send", "text": "What is wrong?"});
    socket.ask("a", asked).await;
    let failed = socket.event_of("answer.error").await;
    assert_eq!(id_of_call(&ai, 0), ID, "the backend is told");
    // Found by the answer that the user has seen.
    let line = broker.tells("answer_failed", &[("answer", failed["answer"].clone())]).await;
    assert_eq!((line["request_id"].as_str(), line["level"].as_str()), (Some(ID), Some("warn")), "{line}");
    assert_eq!((line["group"].as_str(), line["session"].as_str()), (Some("chat_s1"), Some("s1")), "{line}");
    assert_eq!((line["backend"].as_str(), line["code"].as_str()), (Some("openai"), Some("ai_unavailable")), "{line}");
    assert_eq!(line["url"], json!(ai.base_url() + "/chat/completions"), "{line}");
    assert!(
        line["detail"].as_str().is_some_and(|it| it.starts_with("status=500") && !it.contains("backend=")),
        "{line}"
    );
    assert!(line["user"].is_string() && line["latency_ms"].is_u64(), "{line}");
    // And one that went well.
    ai.push(Script::answer("Nothing."));
    socket.ask("b", json!({"type": "message.send", "text": "And now?"})).await;
    let ended = socket.event_of("answer.end").await;
    let line = broker.tells("answer_completed", &[("answer", ended["answer"].clone())]).await;
    assert_eq!((line["request_id"].as_str(), line["target"].as_str()), (Some(ID), Some("sophie::answers")), "{line}");
    assert_eq!((line["cache"].as_str(), line["finish_reason"].as_str()), (Some("miss"), Some("stop")), "{line}");
    assert!(!broker.log().contains("What is wrong?") && !broker.log().contains("Nothing."), "nothing of what was said");
    drop(socket);
    let closed = eventually("a line", SOON, async || {
        broker.lines().into_iter().find(|line| line["message"] == "a socket is closed")
    });
    assert_eq!(closed.await["request_id"], ID);
}

#[tokio::test]
async fn what_an_application_asks_bears_its_id_in_error_backend_and_log() {
    let ai = AiServer::start().await;
    let broker = broker(&ai, &[]).await;
    ai.push(Script::refusal(500, "", "broken", &[]));
    let refused = ask(&broker, ID).await;
    assert_eq!((refused.json()["request_id"].as_str(), refused.header("x-request-id")), (Some(ID), ID));
    assert_eq!(id_of_call(&ai, 0), ID);
    let line = broker.tells("answer_failed", &[("request_id", json!(ID))]).await;
    assert_eq!((line["user"].as_str(), line["backend"].as_str()), (Some("key:application"), Some("openai")), "{line}");
    ai.push(Script::answer("Well."));
    assert_eq!(ask(&broker, "req-43").await.status, 200);
    let line = broker.tells("answer_completed", &[("request_id", json!("req-43"))]).await;
    assert_eq!((line["cache"].as_str(), line.get("group")), (Some("miss"), None), "{line}");
    // An error of our own, and one that no handler has seen.
    let http = Client::new();
    for path in ["/admin/api/nodes", "/nothing/here", "/health/nothing"] {
        let request = http.get(format!("http://{}{path}", broker.address)).header("x-request-id", ID);
        let body: Value = request.send().await.expect("sent").json().await.expect("JSON");
        assert_eq!(body["error"]["request_id"], ID, "{path}: {body}");
    }
    // What nobody named has a name all the same.
    let made_up = ask(&broker, "two words").await;
    assert_ne!((made_up.status, made_up.header("x-request-id")), (200, "two words"));
}

#[tokio::test]
async fn the_application_is_asked_under_the_id_of_who_comes() {
    let application = AiServer::start().await;
    application.set_default(|| Script::respond(401, &[], ""));
    let url = format!("{}/chat/completions", application.base_url());
    let hook = [("SOPHIE__AUTH__MODE", "hook"), ("SOPHIE__AUTH__HOOK_URL", url.as_str())];
    let broker = Broker::start(0, &[&[JSON_LOG][..], &hook].concat()).await;
    let headers = [("x-request-id", ID), ("cookie", "sessionid=abc")];
    let refused = Handshake::with(broker.address, "/ws/chat/s1", &headers).await;
    assert_eq!((refused.status, refused.headers["x-request-id"].as_str()), (401, ID));
    assert!(refused.body().contains(&format!("\"request_id\":\"{ID}\"")), "{}", refused.body());
    assert_eq!(id_of_call(&application, 0), ID);
    let line = broker.tells("caller_refused", &[("request_id", json!(ID))]).await;
    assert_eq!((line["session"].as_str(), line["address"].as_str()), (Some("s1"), Some("127.0.0.1")), "{line}");
}
