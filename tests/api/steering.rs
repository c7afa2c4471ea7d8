//! Messages that steer: they end what is being written to their author, and follow on that.

use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Gate, Script};

use crate::support::{Answer, Mode, SOON, TestApp, TestServer, TestSocket, start_with_ai};

in_both_modes!(
    a_message_that_steers_ends_the_answer_as_it_is_and_follows_on_it,
    it_ends_no_answer_to_anybody_else,
    sent_again_it_ends_nothing,
    what_steers_is_answered,
    where_nothing_is_written_it_is_a_message_like_others,
);

fn steers(text: &str) -> Value {
    json!({"type": "message.send", "text": text, "steer": true})
}

/// Asks in the session's own group, and waits for the first word of the answer.
async fn begin(ai: &AiServer, socket: &mut TestSocket) -> (Gate, Value) {
    let (script, gate) = Script::gated();
    ai.push(script);
    assert_eq!(socket.ask("1", json!({"type": "message.send", "text": "why?"})).await["type"], "ack");
    let start = socket.event_of("answer.start").await;
    gate.word("half ");
    socket.event_of("answer.delta").await;
    (gate, start)
}

/// What a backend was told, as (role, text).
fn told(ai: &AiServer, call: usize) -> Vec<(String, String)> {
    let messages = ai.call(call).body["messages"].as_array().expect("messages").clone();
    let text = |message: &Value, name: &str| message[name].as_str().expect("text").to_owned();
    messages.iter().map(|message| (text(message, "role"), text(message, "content"))).collect()
}

async fn a_message_that_steers_ends_the_answer_as_it_is_and_follows_on_it(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[("SOPHIE__AI__SYSTEM_PROMPT", "")]).await;
    let mut socket = app.open("s1").await;
    let (_gate, start) = begin(&ai, &mut socket).await;
    ai.push(Script::answer("better"));
    let mut sent = steers("rather this");
    sent["id"] = "2".into();
    socket.send(sent).await;
    let end = socket.event_of("answer.end").await;
    assert_eq!((&end["answer"], &end["seq"]), (&start["answer"], &json!(2)));
    assert_eq!((&end["text"], &end["finish_reason"]), (&json!("half "), &json!("steered")));
    let message = socket.event_of("message").await;
    assert_eq!((&message["seq"], &message["message"]["text"]), (&json!(3), &json!("rather this")));
    let next = Answer::of(&mut socket, &message["message"]["id"]).await;
    assert_eq!((next.text.as_str(), &next.end["seq"]), ("better", &json!(4)));
    let expected = [("user", "why?"), ("assistant", "half "), ("user", "rather this")];
    assert_eq!(told(&ai, 1), expected.map(|(role, text)| (role.to_owned(), text.to_owned())));
    ai.wait_cancelled(0, SOON).await;
    let rest = socket.settled().await;
    assert!(rest.iter().all(|event| event["type"] != "answer.end"), "each ends once: {rest:?}");
}

async fn it_ends_no_answer_to_anybody_else(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let (mut alice, mut bob) = (app.open("alice").await, app.open("bob").await);
    for socket in [&mut alice, &mut bob] {
        assert_eq!(socket.ask("join", json!({"type": "group.join", "group": "team"})).await["type"], "ack");
    }
    let (script, gate) = Script::gated();
    ai.push(script);
    assert_eq!(alice.ask("1", json!({"type": "message.send", "group": "team", "text": "why?"})).await["type"], "ack");
    let start = alice.event_of("answer.start").await;
    gate.word("half ");
    alice.event_of("answer.delta").await;
    ai.push(Script::answer("mine"));
    let mut asked = steers("and me?");
    asked["group"] = "team".into();
    let mine = bob.ask("1", asked).await;
    assert_eq!(Answer::of(&mut bob, &mine["message"]).await.text, "mine");
    gate.word("whole");
    gate.finish();
    let mut end = alice.event_of("answer.end").await;
    if end["answer"] != start["answer"] {
        end = alice.event_of("answer.end").await;
    }
    assert_eq!((&end["answer"], &end["finish_reason"]), (&start["answer"], &json!("stop")));
    assert_eq!(end["text"], "half whole");
}

async fn sent_again_it_ends_nothing(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let mut socket = app.open("s1").await;
    begin(&ai, &mut socket).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let first = socket.ask("2", steers("rather this")).await;
    gate.word("better ");
    let again = app.open("s1").await.ask("2", steers("rather this")).await;
    assert_eq!((&again["seq"], &again["message"]), (&first["seq"], &first["message"]));
    gate.word("so");
    gate.finish();
    let answer = Answer::of(&mut socket, &first["message"]).await;
    assert_eq!((answer.text.as_str(), &answer.end["finish_reason"]), ("better so", &json!("stop")));
}

async fn what_steers_is_answered(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let mut socket = app.open("s1").await;
    let (gate, _) = begin(&ai, &mut socket).await;
    let mut command = steers("rather this");
    command["assistant"] = false.into();
    let refused = socket.ask("2", command).await;
    assert_eq!(refused["code"], "bad_request", "{refused}");
    assert!(refused["message"].as_str().is_some_and(|sentence| sentence.contains("`steer`")), "{refused}");
    gate.finish();
    assert_eq!(socket.event_of("answer.end").await["finish_reason"], "stop");
}

async fn where_nothing_is_written_it_is_a_message_like_others(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let mut socket = app.open("s1").await;
    ai.push(Script::answer("hello"));
    let ack = socket.ask("1", steers("hi")).await;
    assert_eq!(ack["seq"], 1, "{ack}");
    assert_eq!(Answer::of(&mut socket, &ack["message"]).await.text, "hello");
}

#[tokio::test]
async fn an_answer_is_steered_from_another_node() {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    let environment = ai.environment();
    let nodes = [TestApp::one_of(&redis, "n0", &environment).await, TestApp::one_of(&redis, "n1", &environment).await];
    let mut socket = nodes[0].open("s1").await;
    let (_gate, start) = begin(&ai, &mut socket).await;
    ai.push(Script::answer("better"));
    let mut moved = nodes[1].open("s1").await;
    let ack = moved.ask("2", steers("rather this")).await;
    assert_eq!(ack["seq"], 3, "behind the end of what it steers: {ack}");
    assert_eq!(Answer::of(&mut moved, &ack["message"]).await.text, "better");
    let end = socket.event_of("answer.end").await;
    assert_eq!((&end["answer"], &end["finish_reason"]), (&start["answer"], &json!("steered")));
}
