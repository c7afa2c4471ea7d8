//! What a model thinks, as it is shown beside its answer.

use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Gate, Script};

use crate::support::{Answer, Mode, Reply, SOON, TestApp, TestServer, TestSocket, eventually, start_with_ai};

in_both_modes!(
    what_a_model_thinks_is_told_beside_its_answer_and_kept_with_its_end,
    who_comes_back_or_joins_is_told_what_was_thought_so_far,
    a_cached_answer_brings_what_was_thought_and_not_how_long_that_took,
    what_was_thought_is_no_part_of_the_next_question,
    what_is_beyond_the_bound_is_neither_told_nor_kept,
    an_answer_that_fails_keeps_what_was_thought,
    where_it_is_not_to_be_shown_nobody_hears_of_it,
);

/// A chunk in which the model thinks, as DeepSeek and vLLM write it.
fn thought(text: &str) -> String {
    json!({"choices": [{"index": 0, "delta": {"reasoning_content": text}, "finish_reason": null}]}).to_string()
}

/// An answer for which the model thinks first.
fn thinking(thoughts: &[&str], text: &str) -> Script {
    let script = thoughts.iter().fold(Script::stream(), |script, text| script.event(&thought(text)));
    let said = json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}]});
    script.event(&said.to_string()).done()
}

async fn ask(socket: &mut TestSocket, text: &str) -> Value {
    let ack = socket.ask("q", json!({"type": "message.send", "text": text})).await;
    assert_eq!(ack["type"], "ack", "{ack}");
    ack["message"].clone()
}

/// What is told of an answer until its end: what was thought, put together by its offsets from `known` on, and the end.
async fn told(socket: &mut TestSocket, known: &str) -> (String, Value) {
    let mut thought = known.to_owned();
    loop {
        let event = socket.event().await;
        match event["type"].as_str() {
            Some("answer.reasoning") => {
                assert_eq!(event["offset"], thought.chars().count(), "{event}");
                thought += event["text"].as_str().expect("a text");
            }
            Some("answer.end" | "answer.error") => return (thought, event),
            _ => {}
        }
    }
}

/// Waits until so much was thought.
async fn until_thought(socket: &mut TestSocket, text: &str) {
    let mut thought = String::new();
    while thought != text {
        thought += socket.event_of("answer.reasoning").await["text"].as_str().expect("a text");
    }
}

async fn what_a_model_thinks_is_told_beside_its_answer_and_kept_with_its_end(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let mut socket = app.open("s1").await;
    let (script, gate) = Script::gated();
    ai.push(script);
    ask(&mut socket, "?").await;
    let start = socket.event_of("answer.start").await;
    gate.data(&thought("Hmm, ä "));
    let expected = json!({"type": "answer.reasoning", "group": "chat_s1", "answer": start["answer"], "offset": 0, "text": "Hmm, ä "});
    assert_eq!(socket.event().await, expected);
    gate.data(&thought("so it is."));
    let second = socket.event_of("answer.reasoning").await;
    assert_eq!((&second["offset"], &second["text"]), (&json!(7), &json!("so it is.")));
    gate.word("It is.");
    let delta = socket.event_of("answer.delta").await;
    assert_eq!((&delta["offset"], &delta["text"]), (&json!(0), &json!("It is.")), "it does not count as text");
    gate.finish();
    let end = socket.event_of("answer.end").await;
    assert_eq!((&end["text"], &end["reasoning"]["text"]), (&json!("It is."), &json!("Hmm, ä so it is.")));
    assert!(end["reasoning"]["ms"].is_u64() && end["reasoning"].get("cut").is_none(), "{end}");
    let history = socket.ask("h", json!({"type": "history.get"})).await;
    assert_eq!(history["events"][1], end, "as the log keeps it");
}

async fn who_comes_back_or_joins_is_told_what_was_thought_so_far(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut socket = app.open("s1").await;
    let (epoch, seq) = (socket.ready["epoch"].clone(), 1);
    socket.ask("j", json!({"type": "group.join", "group": "team"})).await;
    socket.ask("q", json!({"type": "message.send", "group": "team", "text": "?"})).await;
    gate.data(&thought("First "));
    until_thought(&mut socket, "First ").await;
    drop(socket);
    let query = format!("?since={seq}&epoch={}", epoch.as_str().expect("an epoch"));
    let mut back = app.open_with("s1", &query).await;
    let running = &back.ready["answers"][0];
    assert_eq!((&running["reasoning"], &running["text"]), (&json!("First "), &json!("")), "{running}");
    let mut late = app.open("s2").await;
    late.ask("j", json!({"type": "group.join", "group": "team"})).await;
    gate.data(&thought("this."));
    gate.word("So.");
    gate.finish();
    let (whole, end) = told(&mut back, "First ").await;
    assert_eq!((whole.as_str(), &end["reasoning"]["text"]), ("First this.", &json!("First this.")));
    assert_eq!(told(&mut late, "").await, (whole, end));
}

async fn a_cached_answer_brings_what_was_thought_and_not_how_long_that_took(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let (mut first, mut second) = (app.open("s1").await, app.open("s2").await);
    ai.push(thinking(&["Let me ", "see."], "Yes."));
    ask(&mut first, "?").await;
    assert_eq!(told(&mut first, "").await.0, "Let me see.");
    // It is kept a moment after its end was told.
    eventually("it is kept", SOON, async || {
        let (_, cache) = app.admin("GET", "/admin/api/cache", None).await;
        (cache["entries"] == 1).then_some(())
    })
    .await;
    ask(&mut second, "?").await;
    assert_eq!(second.event_of("answer.start").await["cache"], "hit");
    let (thought, end) = told(&mut second, "").await;
    assert_eq!((thought.as_str(), ai.calls()), ("Let me see.", 1));
    assert_eq!(end["reasoning"], json!({"text": "Let me see."}));
}

async fn what_was_thought_is_no_part_of_the_next_question(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let mut socket = app.open("s1").await;
    ai.push(thinking(&["A secret thought."], "Yes."));
    ask(&mut socket, "one").await;
    told(&mut socket, "").await;
    let answer = Answer::to(&mut socket, "2", "two").await;
    assert!(answer.end.get("reasoning").is_none(), "it did not think: {}", answer.end);
    let sent = ai.call(1).body["messages"].to_string();
    assert!(sent.contains("Yes.") && !sent.contains("secret"), "{sent}");
}

async fn what_is_beyond_the_bound_is_neither_told_nor_kept(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let mut socket = app.open("s1").await;
    let (long, most) = ("x".repeat(40_000), 64 * 1024);
    ai.push(thinking(&[&long, &long, "more"], "Yes."));
    ask(&mut socket, "?").await;
    let (thought, end) = told(&mut socket, "").await;
    assert_eq!((thought.len(), &end["reasoning"]["cut"]), (most, &json!(true)));
    assert_eq!((end["reasoning"]["text"].as_str(), &end["text"]), (Some(thought.as_str()), &json!("Yes.")));
}

async fn an_answer_that_fails_keeps_what_was_thought(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let mut socket = app.open("s1").await;
    ai.push(Script::stream().event(&thought("Hm.")).close());
    ask(&mut socket, "?").await;
    let (thought, end) = told(&mut socket, "").await;
    assert_eq!(
        (&end["type"], thought.as_str(), &end["reasoning"]["text"]),
        (&json!("answer.error"), "Hm.", &json!("Hm."))
    );
}

async fn where_it_is_not_to_be_shown_nobody_hears_of_it(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[("SOPHIE__AI__SHOW_REASONING", "false")]).await;
    let mut socket = app.open("s1").await;
    ai.push(thinking(&["A secret thought."], "Yes."));
    let answer = Answer::to(&mut socket, "1", "?").await;
    assert_eq!(answer.text, "Yes.");
    let end = answer.end.to_string();
    assert!(!end.contains("secret") && answer.end.get("reasoning").is_none(), "{end}");
    // Nor over the other protocols, by which the same answer can be read again.
    let id = answer.start["answer"].as_str().expect("an id");
    for form in ["", "/ui", "/events"] {
        let read = Reply::to(app.request("GET", &format!("/ds/answers/{id}{form}"))).await;
        let (status, text) = (read.status, read.text);
        assert!(status == 200 && text.contains("Yes.") && !text.contains("secret"), "{form}: {status} {text}");
    }
}

#[tokio::test]
async fn it_is_told_on_every_node_and_found_there_by_who_comes_late() {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    let environment = [&ai.environment()[..], &[("SOPHIE__AI__RETRIES", "0")]].concat();
    let nodes = [TestApp::one_of(&redis, "n0", &environment).await, TestApp::one_of(&redis, "n1", &environment).await];
    let (script, gate): (Script, Gate) = Script::gated();
    ai.push(script);
    let (mut here, mut there) = (nodes[0].open("s1").await, nodes[1].open("s1").await);
    ask(&mut here, "?").await;
    gate.data(&thought("One "));
    until_thought(&mut here, "One ").await;
    until_thought(&mut there, "One ").await;
    // The node that knows of it only what the store has.
    let mut late = nodes[1].open("s2").await;
    drop((there, here));
    let mut back = eventually("the other node shows it", SOON, async || {
        let back = nodes[1].open("s1").await;
        (back.ready["answers"][0]["reasoning"] == "One ").then_some(back)
    })
    .await;
    gate.data(&thought("two."));
    gate.word("Three.");
    gate.finish();
    let (thought, end) = told(&mut back, "One ").await;
    assert_eq!((thought.as_str(), &end["reasoning"]["text"]), ("One two.", &json!("One two.")));
    // Equal questions share what was thought, too.
    ask(&mut late, "?").await;
    assert_eq!(told(&mut late, "").await.0, "One two.");
    assert_eq!(ai.calls(), 1);
}
