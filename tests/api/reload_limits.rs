//! Limits that change while a node runs: in memory and with Redis.

use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};

use crate::support::{Reloadable, SOON, TestServer, TestSocket, eventually, question};

/// Settings in memory or with this Redis, with these limits.
fn with_limits(redis: Option<&TestServer>, limits: &str) -> String {
    let redis =
        redis.map_or(String::new(), |redis| format!("redis.enabled = true\nredis.url = \"{}\"\n", redis.url(0)));
    format!("{redis}{limits}\n")
}

async fn new_limits_count_at_once_and_what_was_used_stays_used(redis: Option<&TestServer>) {
    let limits = |burst: u64| format!("limits.user_messages_per_minute = 1\nlimits.user_burst = {burst}\n");
    let node = Reloadable::start(&with_limits(redis, &limits(2))).await;
    // Beside others that start, Redis is late at first now and then: then the node counts for itself.
    eventually("ready", SOON, async || {
        let (status, body) = node.broker.readiness().await;
        let limits = &body["details"]["dependencies"]["limits"]["state"];
        (status == 200 && limits != "degraded").then_some(())
    })
    .await;
    let mut socket = TestSocket::open(node.broker.address, "s1", "").await;
    let mut said = 0;
    let mut say = async |more: u64| {
        let mut refused = None;
        for _ in 0..more {
            said += 1;
            let reply = socket.insist(&format!("m{said}"), "x").await;
            if reply["type"] != "ack" {
                refused = Some(reply["code"].as_str().expect("a code").to_owned());
            }
        }
        refused
    };
    assert_eq!(say(2).await, None);
    assert_eq!(say(1).await.as_deref(), Some("rate_limited"));
    let line = node.reload(&with_limits(redis, &limits(4))).await;
    assert!(line.contains("taken=limits.user_burst needs_restart=\"\""), "{line}");
    let left: Value = serde_json::from_str(&node.broker.get("/admin/api/limits/guest:s1").await.1).expect("JSON");
    assert_eq!((&left["limits"][0]["limit"], &left["limits"][0]["remaining"]), (&json!(4), &json!(2)), "{left}");
    assert_eq!(say(2).await, None, "two more than before");
    assert_eq!(say(1).await.as_deref(), Some("rate_limited"), "and no more than that");
    // Lower, they count too; without any, nothing does.
    node.reload(&with_limits(redis, &limits(1))).await;
    assert_eq!(say(1).await.as_deref(), Some("rate_limited"));
    node.reload(&with_limits(redis, "limits.enabled = false\n")).await;
    assert_eq!(say(20).await, None);
    node.reload(&with_limits(redis, &limits(1))).await;
    assert_eq!(say(1).await.as_deref(), Some("rate_limited"));
}

#[tokio::test]
async fn new_limits_count_at_once_in_memory_and_what_was_used_stays_used() {
    new_limits_count_at_once_and_what_was_used_stays_used(None).await;
}

#[tokio::test]
async fn new_limits_count_at_once_in_redis_and_what_was_used_stays_used() {
    let redis = TestServer::start();
    new_limits_count_at_once_and_what_was_used_stays_used(Some(&redis)).await;
}

#[tokio::test]
async fn the_number_of_answers_at_once_changes_with_the_settings() {
    let ai = AiServer::start().await;
    // Two that are under way for as long as the test is, however long the machine pauses; then one that ends.
    ai.push(Script::silent_after("so "));
    ai.push(Script::silent_after("so "));
    let settings = |most: u32| format!("ai.base_url = \"{}\"\nlimits.answers_per_session = {most}\n", ai.base_url());
    let node = Reloadable::start(&settings(1)).await;
    let mut socket = TestSocket::open(node.broker.address, "s1", "").await;
    let long = |n: u32| json!({"type": "message.send", "text": format!("Tell me a long story, the {n}th.")});
    assert_eq!(socket.ask("a", long(1)).await["type"], "ack");
    assert_eq!(socket.ask("b", long(2)).await["code"], "busy");
    node.reload(&settings(2)).await;
    assert_eq!(socket.ask("c", long(3)).await["type"], "ack");
    ai.wait_calls(2, SOON).await;
    assert_eq!(node.ask("", &question("?")).await.status, 200);
}
