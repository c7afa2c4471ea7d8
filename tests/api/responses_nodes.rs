//! Responses over several nodes: begun at one, and read on, gone on from and stopped at another.

use std::time::Duration;

use serde_json::{Value, json};
use sophie_kit::ai_server::Script;

use crate::support::{Pair, Responses, SOON, TestApp, events, eventually, respond_to, text_of, with};

fn anybody(app: &TestApp) -> Responses<'_> {
    Responses { app, key: "none" }
}

/// Waits until a node knows of a response: where the store is slow, who asked for one is told of it a moment before.
async fn known(app: &TestApp, id: &str) {
    eventually("known", SOON, async || (anybody(app).get(id).await.status == 200).then_some(())).await;
}

/// Reads so many events of a stream, and goes.
async fn read_some(mut response: reqwest::Response, count: usize) -> Vec<Value> {
    let mut text = String::new();
    while text.matches("\n\n").count() < count {
        text += str::from_utf8(&response.chunk().await.expect("read").expect("more")).expect("text");
    }
    let data = text.split("\n\n").filter_map(|event| event.split_once("\ndata: "));
    data.map(|(_, data)| serde_json::from_str(data).expect("JSON")).take(count).collect()
}

#[tokio::test]
async fn one_that_is_cut_anywhere_goes_on_at_the_other_node_without_gap_or_double() {
    let Pair { ai, nodes, .. } = &Pair::start(&[]).await;
    let text = "An answer of some words.";
    for background in [true, false] {
        for k in 1..14 {
            ai.push(Script::slow_answer(text, Duration::from_millis(20)));
            let body =
                with(respond_to(&format!("{background} {k}?")), json!({"stream": true, "background": background}));
            let response = anybody(&nodes[0]).creating(&body).send().await.expect("a response");
            let mut told = read_some(response, k).await;
            let id = told[0]["response"]["id"].as_str().expect("an id").to_owned();
            known(&nodes[1], &id).await;
            told.extend(anybody(&nodes[1]).events_after(&id, Some(k - 1)).await);
            let numbers: Vec<u64> = told.iter().filter_map(|event| event["sequence_number"].as_u64()).collect();
            assert_eq!(numbers, (0..told.len() as u64).collect::<Vec<_>>(), "{k}");
            let deltas = told.iter().filter(|event| event["type"] == "response.output_text.delta");
            assert_eq!(deltas.filter_map(|event| event["delta"].as_str()).collect::<String>(), text, "{k}");
            assert_eq!(told.last().expect("an end")["type"], "response.completed");
            assert_eq!(anybody(&nodes[0]).events_after(&id, None).await, told, "the same at the first node");
        }
    }
    assert_eq!(ai.calls(), 26);
}

#[tokio::test]
async fn one_is_stopped_and_deleted_at_the_other_node() {
    let Pair { ai, nodes, .. } = &Pair::start(&[]).await;
    for (n, deletes) in [false, true].into_iter().enumerate() {
        ai.push(Script::silent_after("one two"));
        let body = with(respond_to("?"), json!({"background": true, "stream": true}));
        let response = anybody(&nodes[0]).creating(&body).send().await.expect("a response");
        let id = format!("resp_{}", response.headers()["x-sophie-answer"].to_str().expect("a name"));
        ai.wait_calls(n + 1, SOON).await;
        known(&nodes[1], &id).await;
        if deletes {
            assert_eq!(anybody(&nodes[1]).delete(&id).await.json()["deleted"], true);
            assert_eq!(anybody(&nodes[1]).get(&id).await.status, 404);
        } else {
            let stopped = anybody(&nodes[1]).cancel(&id).await.json();
            assert_eq!(stopped["status"], "cancelled", "{stopped}");
            assert_eq!(anybody(&nodes[0]).cancel(&id).await.json(), stopped);
        }
        ai.wait_cancelled(n, SOON).await;
        let told = tokio::time::timeout(SOON, response.text()).await.expect("in time").expect("to its end");
        assert!(told.contains("event: response.incomplete") && told.contains("\"status\":\"cancelled\""), "{told}");
    }
}

#[tokio::test]
async fn a_conversation_goes_on_over_nodes_by_the_response_alone() {
    let Pair { ai, nodes, .. } = &Pair::start(&[]).await;
    let mut previous = Value::Null;
    for n in 0..4 {
        ai.push(Script::answer(&format!("Answer {n}.")));
        let more = json!({"previous_response_id": previous, "instructions": format!("Instructions {n}.")});
        let response = anybody(&nodes[n % 2]).create(&with(respond_to(&format!("Question {n}?")), more)).await;
        assert_eq!((response.status, text_of(&response.json())), (200, format!("Answer {n}.")));
        assert_eq!(response.json()["previous_response_id"], previous);
        previous = response.json()["id"].clone();
        // Where the store is slow, another node knows of its end a moment later.
        anybody(&nodes[(n + 1) % 2]).ended(previous.as_str().expect("an id")).await;
        // The instructions of earlier turns are not among it.
        let mut said = vec![json!({"role": "system", "content": format!("Instructions {n}.")})];
        for turn in 0..n {
            said.push(json!({"role": "user", "content": format!("Question {turn}?")}));
            said.push(json!({"role": "assistant", "content": format!("Answer {turn}.")}));
        }
        said.push(json!({"role": "user", "content": format!("Question {n}?")}));
        assert_eq!(ai.call(n).body["messages"], json!(said));
    }
    // A part of it that is deleted is still a part of what came after it.
    let first = anybody(&nodes[0]).get(&format!("{}/input_items", previous.as_str().expect("an id"))).await.json();
    assert_eq!(first["data"].as_array().expect("a list").len(), 7);
    let (script, gate) = Script::gated();
    ai.push(script);
    let running = anybody(&nodes[0]).create(&with(respond_to("last?"), json!({"background": true}))).await.json();
    let early = with(respond_to("?"), json!({"previous_response_id": running["id"]}));
    let refused = anybody(&nodes[1]).create(&early).await;
    assert_eq!((refused.status, refused.error()["param"].as_str()), (400, Some("previous_response_id")));
    gate.finish();
}

#[tokio::test]
async fn many_readers_on_both_nodes_are_told_the_same() {
    let Pair { ai, nodes, .. } = &Pair::start(&[]).await;
    ai.push(Script::slow_answer("Words that many want to read while they come.", Duration::from_millis(20)));
    let body = with(respond_to("?"), json!({"stream": true}));
    let response = anybody(&nodes[0]).creating(&body).send().await.expect("a response");
    let id = format!("resp_{}", response.headers()["x-sophie-answer"].to_str().expect("a name"));
    let readers: Vec<_> = (0..20).map(|n| anybody(&nodes[n % 2])).collect();
    let told = futures_util::future::join_all(readers.iter().map(|reader| reader.events_after(&id, None))).await;
    drop(response);
    assert!(told.iter().all(|events| *events == told[0]));
    assert_eq!(text_of(&told[0].last().expect("an end")["response"]), "Words that many want to read while they come.");
    assert_eq!(ai.calls(), 1);
    let direct = events(&anybody(&nodes[0]).create(&with(body, json!({"store": false}))).await);
    assert_eq!(direct.len(), told[0].len(), "what is not stored is told in the same events");
}
