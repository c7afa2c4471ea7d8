//! AI backends, models and prices that change while a node runs.

use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};

use crate::support::{Reloadable, Reply, SOON, TestSocket, eventually, question, streamed};

/// Settings with backends of these names; each has the models that begin with its name, and all have the others.
fn with_backends(backends: &[(&str, &AiServer)], more: &str) -> String {
    let table = |(name, ai): &(&str, &AiServer)| {
        let url = ai.base_url();
        format!("[[ai.backends]]\nname = \"{name}\"\nbase_url = \"{url}\"\napi_key = \"k\"\nretries = 0\n")
    };
    let tables: String = backends.iter().map(table).collect();
    format!("limits.enabled = false\ncache.enabled = false\n{more}\n{tables}")
}

/// How each backend fares, as operators see it.
async fn view(node: &Reloadable) -> Vec<Value> {
    let (status, text) = node.broker.get("/admin/api/backends").await;
    assert_eq!(status, 200);
    let body: Value = serde_json::from_str(&text).expect("JSON");
    body["backends"].as_array().expect("a list").clone()
}

/// The figures of a family, without those of other ones.
async fn figures(node: &Reloadable, family: &str) -> Vec<String> {
    let (_, text) = node.broker.get("/metrics").await;
    text.lines().filter(|line| line.starts_with(family)).map(str::to_owned).collect()
}

#[tokio::test]
async fn new_backends_are_asked_and_what_is_under_way_ends_at_the_old_ones() {
    let (old, new) = (AiServer::start().await, AiServer::start().await);
    new.set_default(|| Script::answer("from the new one"));
    let node = Reloadable::start(&with_backends(&[("old", &old)], "")).await;
    let (script, gate) = Script::gated();
    old.push(script);
    let asking = node.request("POST", "/v1/chat/completions").json(&streamed("under way"));
    let asking = tokio::spawn(Reply::to(asking));
    old.wait_calls(1, SOON).await;
    let line = node.reload(&with_backends(&[("new", &new)], "")).await;
    assert!(line.contains("taken=ai.backends "), "{line}");
    assert_eq!(node.ask("", &streamed("?")).await.answer(), "from the new one");
    gate.word("from the old one");
    gate.finish();
    assert_eq!(asking.await.expect("asked").answer(), "from the old one");
    assert_eq!((old.calls(), new.calls()), (1, 1));
    assert_eq!(view(&node).await.iter().map(|row| row["name"].clone()).collect::<Vec<_>>(), ["new"]);
    let available = figures(&node, "sophie_backend_available{").await;
    assert_eq!(available, ["sophie_backend_available{backend=\"new\"} 1"]);
}

#[tokio::test]
async fn a_backend_whose_settings_stay_the_same_stays_left_out_and_keeps_its_figures() {
    let (broken, good) = (AiServer::start().await, AiServer::start().await);
    broken.set_default(|| Script::refusal(401, "invalid_request_error", "invalid_api_key", &[]));
    good.set_default(|| Script::answer("so"));
    let node = Reloadable::start(&with_backends(&[("broken", &broken), ("good", &good)], "")).await;
    eventually("it is left out", SOON, async || {
        assert_eq!(node.ask("", &question("?")).await.status, 200);
        (view(&node).await[0]["state"] == "open").then_some(())
    })
    .await;
    let (before, calls) = (view(&node).await, broken.calls());
    let third = AiServer::start().await;
    let line = node.reload(&with_backends(&[("broken", &broken), ("third", &third), ("good", &good)], "")).await;
    assert!(line.contains("taken=ai.backends "), "{line}");
    let after = view(&node).await;
    assert_eq!(after[0]["state"], "open");
    assert_eq!((&after[0]["last_error"], &after[0]["failures"]), (&before[0]["last_error"], &before[0]["failures"]));
    assert_eq!(
        (after[1]["name"].as_str(), after[2]["requests"].as_u64()),
        (Some("third"), before[1]["requests"].as_u64())
    );
    assert_eq!(node.ask("", &question("?")).await.status, 200);
    assert_eq!(broken.calls(), calls, "it is still left out");
    let available = figures(&node, "sophie_backend_available{backend=\"broken\"}").await;
    assert_eq!(available, ["sophie_backend_available{backend=\"broken\"} 0"]);
    // With another key it is another backend, of which nothing is known yet.
    let other =
        with_backends(&[("broken", &broken), ("good", &good)], "").replacen("api_key = \"k\"", "api_key = \"k2\"", 1);
    node.reload(&other).await;
    assert_eq!(view(&node).await[0]["state"], "closed");
    assert_eq!(
        figures(&node, "sophie_backend_available{backend=\"broken\"}").await,
        ["sophie_backend_available{backend=\"broken\"} 1"]
    );
}

#[tokio::test]
async fn a_node_that_answered_by_the_demo_asks_a_model_and_its_chats_too() {
    let ai = AiServer::start().await;
    ai.set_default(|| Script::answer("a real one"));
    let node = Reloadable::start("limits.enabled = false\n").await;
    let mut socket = TestSocket::open(node.broker.address, "s1", "").await;
    socket.ask("q1", json!({"type": "message.send", "text": "Who?"})).await;
    assert_eq!(socket.event_of("answer.start").await["model"], "sophie-demo");
    socket.event_of("answer.end").await;
    let settings = with_backends(
        &[("a", &ai)],
        "ai.model = \"big-model\"\nai.system_prompt = \"Be brief.\"\nai.currency = \"EUR\"",
    );
    let prices = "[[ai.prices]]\nname = \"big-*\"\nprompt_per_million = 1000000\ncompletion_per_million = 0\n";
    let line = node.reload(&format!("{settings}{prices}")).await;
    assert!(line.contains("taken=ai.model,ai.system_prompt,ai.backends,ai.currency,ai.prices"), "{line}");
    assert!(line.contains("needs_restart=cache.enabled"), "{line}");
    socket.ask("q2", json!({"type": "message.send", "text": "And now?"})).await;
    assert_eq!(socket.event_of("answer.start").await["model"], "big-model");
    assert_eq!(socket.event_of("answer.end").await["text"], "a real one");
    let asked: Value = ai.call(0).body;
    assert_eq!((&asked["model"], &asked["messages"][0]["content"]), (&json!("big-model"), &json!("Be brief.")));
    let usage = eventually("it is counted", SOON, async || {
        let usage: Value = serde_json::from_str(&node.broker.get("/admin/api/usage").await.1).expect("JSON");
        (usage["total"]["cost"].as_f64() > Some(0.0)).then_some(usage)
    })
    .await;
    assert_eq!(usage["currency"], "EUR");
    // An address that is none is refused with all that comes with it.
    let line = node.reload(&settings.replace("big-model", "other-model").replace(&ai.base_url(), "http://")).await;
    assert!(line.contains("event=settings_refused") && line.contains("base_url"), "{line}");
    assert_eq!(node.ask("", &question("?")).await.status, 200);
    // And back.
    node.reload("limits.enabled = false\n").await;
    socket.ask("q3", json!({"type": "message.send", "text": "Who now?"})).await;
    assert_eq!(socket.event_of("answer.start").await["model"], "sophie-demo");
    assert!(view(&node).await.is_empty() && figures(&node, "sophie_backend_available{").await.is_empty());
    let (status, readiness) = node.broker.readiness().await;
    assert_eq!((status, &readiness["details"]["dependencies"]["ai"]), (200, &Value::Null), "nobody else is asked");
    assert!(figures(&node, "sophie_degraded{dependency=\"ai\"}").await.is_empty());
}
