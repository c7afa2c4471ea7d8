//! API keys that come, go and change while a node runs.

use serde_json::json;
use sophie_kit::ai_server::{AiServer, Script};

use crate::support::response_socket::{ResponseSocket, create};
use crate::support::{Reloadable, Reply, question, streamed};

/// Settings with this AI server and these keys.
fn with_keys(ai: &AiServer, keys: &str) -> String {
    format!("ai.base_url = \"{}\"\nlimits.enabled = false\n{keys}", ai.base_url())
}

#[tokio::test]
async fn a_key_that_is_gone_is_refused_at_its_next_request_and_what_is_under_way_goes_on() {
    let ai = AiServer::start().await;
    let node = Reloadable::start(&with_keys(&ai, "auth.api_keys = [\"shop:old-key\"]\n")).await;
    assert_eq!(node.ask("new-key", &question("?")).await.status, 401);
    let (script, gate) = Script::gated();
    ai.push(script);
    let asking = node.request("POST", "/v1/chat/completions").bearer_auth("old-key").json(&streamed("under way"));
    let asking = tokio::spawn(Reply::to(asking));
    ai.wait_calls(1, crate::support::SOON).await;
    let line = node.reload(&with_keys(&ai, "auth.api_keys = [\"shop:new-key\"]\n")).await;
    assert!(line.contains("taken=auth.api_keys "), "{line}");
    assert_eq!(node.ask("old-key", &question("?")).await.status, 401);
    assert_eq!(node.ask("new-key", &question("?")).await.status, 200);
    gate.word("to the");
    gate.word(" end");
    gate.finish();
    let reply = asking.await.expect("asked");
    assert_eq!((reply.status, reply.answer().as_str()), (200, "to the end"));
    // A node without keys lets this machine in, and one that gets keys asks for them.
    node.reload(&with_keys(&ai, "")).await;
    assert_eq!(node.ask("whatever", &question("?")).await.status, 200);
    node.reload(&with_keys(&ai, "auth.api_keys = [\"k\"]\n")).await;
    assert_eq!(node.ask("whatever", &question("?")).await.status, 401);
}

#[tokio::test]
async fn a_key_has_the_models_and_limits_that_the_settings_say_now_on_a_connection_that_is_there_too() {
    let ai = AiServer::start().await;
    let table = |more: &str| with_keys(&ai, &format!("[[auth.key]]\nname = \"shop\"\nkey = \"k\"\n{more}\n"));
    let node = Reloadable::start(&table("")).await;
    let mut socket = ResponseSocket::try_open(node.broker.address, "k").await.expect("connected");
    assert_eq!(socket.ask(&create("one", json!({}))).await["status"], "completed");
    let line = node.reload(&table("models = [\"other-*\"]")).await;
    assert!(line.contains("taken=auth.key "), "{line}");
    let refused = socket.ask(&create("two", json!({}))).await;
    assert_eq!((&refused["type"], &refused["error"]["code"]), (&json!("error"), &json!("model_not_found")));
    assert_eq!(socket.ask(&create("three", json!({"model": "other-model"}))).await["status"], "completed");
    let mut asked = question("four");
    asked["model"] = json!("test-model");
    assert_eq!(node.ask("k", &asked).await.status, 404);
}

#[tokio::test]
async fn a_connection_of_responses_is_closed_with_1008_when_its_key_is_gone_and_nothing_is_under_way() {
    let ai = AiServer::start().await;
    let node = Reloadable::start(&with_keys(&ai, "auth.api_keys = [\"idle\", \"busy\", \"stays\"]\n")).await;
    let open = async |key: &str| ResponseSocket::try_open(node.broker.address, key).await.expect("connected");
    let (mut idle, mut busy, mut stays) = (open("idle").await, open("busy").await, open("stays").await);
    let (script, gate) = Script::gated();
    ai.push(script);
    busy.send(&create("under way", json!({}))).await;
    gate.word("half");
    assert_eq!(busy.word_of("").await, "half");
    // What waits behind it has not begun.
    busy.send(&create("behind it", json!({}))).await;
    node.reload(&with_keys(&ai, "auth.api_keys = [\"stays\"]\n")).await;
    assert_eq!(idle.closed().await, Some(1008));
    busy.send(&create("too late", json!({"stream_id": "other"}))).await;
    let refused = busy.response_of("other").await;
    assert_eq!((&refused["type"], &refused["error"]["code"]), (&json!("error"), &json!("invalid_api_key")));
    gate.word(" and half");
    gate.finish();
    assert_eq!(busy.response_of("").await["status"], "completed");
    assert_eq!(busy.response_of("").await["error"]["code"], "invalid_api_key");
    assert_eq!(busy.closed().await, Some(1008));
    assert_eq!(stays.ask(&create("still", json!({}))).await["status"], "completed");
    assert_eq!(ai.calls(), 2, "nothing was asked for whose key was gone");
}
