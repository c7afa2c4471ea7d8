//! Responses while the store is away, and after it.

use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};

use crate::support::{Broker, Client, Fault, FaultyRedis, SOON, eventually, respond_to, text_of, with};

under_each_fault!(one_that_begins_while_the_store_is_away_is_there_when_it_is_back);

async fn get(node: &Broker, path: &str) -> (u16, Value) {
    let http = Client::new();
    let url = format!("http://{}/v1/responses/{path}", node.address);
    let response = tokio::time::timeout(SOON, http.get(url).send()).await.expect("in time").expect("a response");
    (response.status().as_u16(), response.json().await.expect("JSON"))
}

async fn one_that_begins_while_the_store_is_away_is_there_when_it_is_back(fault: Fault) {
    let (redis, ai) = (FaultyRedis::start(), AiServer::start().await);
    let url = redis.url(0);
    let environment = [&ai.environment()[..], &[("USE_REDIS", "true"), ("REDIS_URL", url.as_str())]].concat();
    let nodes = [Broker::start(0, &environment).await, Broker::start(0, &environment).await];
    let (script, gate) = Script::gated();
    ai.push(script);
    redis.suffer(fault);
    for node in &nodes {
        eventually("readiness", SOON, async || (node.readiness().await.0 == 503).then_some(())).await;
    }
    let http = Client::new();
    let body = with(respond_to("?"), json!({"background": true}));
    let asked = http.post(format!("http://{}/v1/responses", nodes[0].address)).json(&body).send();
    let created = tokio::time::timeout(SOON, asked).await.expect("in time").expect("a response");
    assert_eq!(created.status(), 200);
    let created: Value = created.json().await.expect("JSON");
    let id = created["id"].as_str().expect("an id");
    gate.word("one ");
    eventually("told where it is written", SOON, async || {
        let (status, response) = get(&nodes[0], id).await;
        (status == 200 && text_of(&response) == "one ").then_some(())
    })
    .await;
    redis.recover(fault);
    gate.word("two");
    gate.finish();
    let ended = eventually("told at the other node", SOON * 2, async || {
        let (status, response) = get(&nodes[1], id).await;
        (status == 200 && response["status"] == "completed").then_some(response)
    })
    .await;
    assert_eq!(text_of(&ended), "one two");
    // The store may still answer late now and then.
    let there = eventually("told where it was written", SOON, async || {
        let (status, response) = get(&nodes[0], id).await;
        (status == 200).then_some(response)
    })
    .await;
    assert_eq!(there, ended);
    assert_eq!(ai.calls(), 1);
}
