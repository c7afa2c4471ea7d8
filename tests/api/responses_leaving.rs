//! Who goes away from a response, and a node that goes.

use std::time::Duration;

use serde_json::json;
use sophie_kit::ai_server::{AiServer, Script};
use tokio::time::Instant;

use crate::support::{
    Broker, Client, Mode, Request, Responses, SOON, TestApp, TestServer, eventually, respond_to, start_with_ai,
    text_of, with,
};

fn anybody(app: &TestApp) -> Responses<'_> {
    Responses { app, key: "none" }
}

in_both_modes!(
    one_that_is_not_stored_ends_with_its_caller,
    one_that_is_stored_goes_on_for_a_while_without_readers,
    one_in_the_background_goes_on_without_its_caller,
    each_is_paid_for_once_whoever_leaves,
);

async fn one_that_is_not_stored_ends_with_its_caller(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    for (n, streams) in [true, false].into_iter().enumerate() {
        ai.push(Script::silent_after("one two"));
        let body = with(respond_to("?"), json!({"store": false, "stream": streams}));
        let asking = tokio::spawn(anybody(&app).creating(&body).send());
        ai.wait_calls(n + 1, SOON).await;
        let since = Instant::now();
        asking.abort();
        drop(asking.await);
        ai.wait_cancelled(n, SOON).await;
        // At once, not when half a minute is over that a stored one has: the rest is for a machine that pauses.
        assert!(since.elapsed() < Duration::from_secs(8), "{:?}", since.elapsed());
    }
}

async fn one_that_is_stored_goes_on_for_a_while_without_readers(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[("SOPHIE__AI__ABANDON_SECONDS", "2")]).await;
    ai.push(Script::silent_after("one two"));
    let body = with(respond_to("?"), json!({"stream": true}));
    let response = anybody(&app).creating(&body).send().await.expect("a response");
    let id = format!("resp_{}", response.headers()["x-sophie-answer"].to_str().expect("a name"));
    let since = Instant::now();
    drop(response);
    while since.elapsed() < Duration::from_millis(1_200) {
        let (status, call) = (anybody(&app).get(&id).await.json()["status"].clone(), ai.call(0));
        // What a pause of the machine made late says nothing.
        if since.elapsed() < Duration::from_secs(2) {
            assert_eq!((status, call.cancelled), (json!("in_progress"), false));
        }
    }
    ai.wait_cancelled(0, SOON).await;
    let ended = anybody(&app).ended(&id).await;
    assert_eq!((&ended["status"], text_of(&ended).as_str()), (&json!("cancelled"), "one two"));
}

async fn one_in_the_background_goes_on_without_its_caller(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[("SOPHIE__AI__ABANDON_SECONDS", "1")]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let body = with(respond_to("?"), json!({"stream": true, "background": true}));
    let response = anybody(&app).creating(&body).send().await.expect("a response");
    let id = format!("resp_{}", response.headers()["x-sophie-answer"].to_str().expect("a name"));
    gate.word("one ");
    ai.wait_calls(1, SOON).await;
    drop(response);
    // Longer than anything else is left to itself.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(!ai.call(0).cancelled);
    gate.word("two");
    gate.finish();
    let ended = anybody(&app).ended(&id).await;
    assert_eq!((&ended["status"], text_of(&ended).as_str()), (&json!("completed"), "one two"));
}

async fn each_is_paid_for_once_whoever_leaves(mode: Mode) {
    let limits = [
        ("SOPHIE__LIMITS__ENABLED", "true"),
        ("SOPHIE__LIMITS__USER_BURST", "50"),
        ("SOPHIE__LIMITS__USER_TOKENS_PER_HOUR", "1000"),
    ];
    let (ai, app) = start_with_ai(mode, &limits).await;
    ai.set_default(|| Script::slow_answer("one two three", Duration::from_millis(20)));
    // 500 are reserved for each: were one of them kept, the third would not come in. The backend counts 12 for each.
    for n in 0..4 {
        let body = with(respond_to(&format!("{n}?")), json!({"stream": n % 2 == 0, "background": n < 2}));
        let id = eventually("let in", SOON, async || {
            let response = anybody(&app).creating(&body).send().await.expect("a response");
            let name = response.headers().get("x-sophie-answer")?.to_str().expect("a name").to_owned();
            Some(format!("resp_{name}"))
        })
        .await;
        assert_eq!(anybody(&app).ended(&id).await["status"], "completed");
        for _ in 0..3 {
            anybody(&app).events_after(&id, None).await;
        }
    }
    let spent = app.figure("sophie_tokens_total{kind=\"spent\",model=\"test-model\"}");
    assert_eq!(spent, 48.0);
}

/// Sends a request until it is let in: on a busy machine Redis may be late for once, which is told by 503.
async fn let_in(request: impl Fn() -> Request) -> reqwest::Response {
    eventually("let in", SOON, async || {
        let response = request().send().await.expect("a response");
        (response.status() != 503).then_some(response)
    })
    .await
}

#[tokio::test]
async fn a_node_that_goes_ends_its_responses_and_breaks_those_that_it_only_reads() {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    let url = redis.url(0);
    let own = [
        ("USE_REDIS", "true"),
        ("REDIS_URL", url.as_str()),
        ("SOPHIE__AI__RETRIES", "0"),
        ("SOPHIE__SERVER__DRAIN_SECONDS", "2"),
    ];
    let environment = [&ai.environment()[..], &own].concat();
    let mut nodes = [Broker::start(0, &environment).await, Broker::start(0, &environment).await];
    let http = Client::new();
    ai.push(Script::silent_after("one two"));
    let body = with(respond_to("?"), json!({"stream": true, "background": true}));
    let response = let_in(|| http.post(format!("http://{}/v1/responses", nodes[0].address)).json(&body)).await;
    let id = format!("resp_{}", response.headers()["x-sophie-answer"].to_str().expect("a name"));
    let path = |node: &Broker| format!("http://{}/v1/responses/{id}?stream=true", node.address);
    let mut reading = let_in(|| http.get(path(&nodes[1]))).await;
    let mut read = String::new();
    while !read.contains("two") {
        read += &String::from_utf8_lossy(&reading.chunk().await.expect("read").expect("more"));
    }
    nodes[1].signal("-TERM");
    let broken = async {
        while let Some(more) = reading.chunk().await? {
            assert!(!String::from_utf8_lossy(&more).contains("response.failed"));
        }
        Ok::<_, reqwest::Error>(())
    };
    assert!(tokio::time::timeout(SOON, broken).await.expect("in time").is_err(), "not an end");
    nodes[0].signal("-TERM");
    let told = tokio::time::timeout(SOON, response.text()).await.expect("in time").expect("to its end");
    assert!(told.contains("event: response.failed") && told.contains("\"code\":\"interrupted\""), "{told}");
    for node in &mut nodes {
        node.wait(SOON);
        assert!(!node.log().contains("ERROR"), "a stream that is broken on purpose is no fault: {}", node.log());
    }
}

#[tokio::test]
async fn one_whose_node_dies_fails_once_and_keeps_what_was_written() {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    let url = redis.url(0);
    let own = [("USE_REDIS", "true"), ("REDIS_URL", url.as_str()), ("SOPHIE__AI__RETRIES", "0")];
    let environment = [&ai.environment()[..], &own].concat();
    let mut nodes = [Broker::start(0, &environment).await, Broker::start(0, &environment).await];
    let http = Client::new();
    ai.push(Script::silent_after("one two"));
    let body = with(respond_to("?"), json!({"background": true}));
    let created = let_in(|| http.post(format!("http://{}/v1/responses", nodes[0].address)).json(&body)).await;
    let created: serde_json::Value = created.json().await.expect("JSON");
    let at = format!("http://{}/v1/responses/{}", nodes[1].address, created["id"].as_str().expect("an id"));
    let get = async |query: &str| http.get(format!("{at}{query}")).send().await.expect("a response").text().await;
    eventually("written", SOON, async || get("").await.expect("JSON").contains("one two").then_some(())).await;
    nodes[0].signal("-KILL");
    nodes[0].wait(SOON);
    let told = tokio::time::timeout(SOON * 2, get("?stream=true")).await.expect("in time").expect("to its end");
    assert_eq!(told.matches("event: response.failed").count(), 1, "{told}");
    let ended: serde_json::Value = serde_json::from_str(&get("").await.expect("a body")).expect("JSON");
    assert_eq!((&ended["status"], &ended["error"]["code"]), (&json!("failed"), &json!("interrupted")));
    assert_eq!(text_of(&ended), "one two");
    let stopped = http.post(format!("{at}/cancel")).send().await.expect("a response");
    assert_eq!(stopped.json::<serde_json::Value>().await.expect("JSON"), ended, "it has ended already");
}
