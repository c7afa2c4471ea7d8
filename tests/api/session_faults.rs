//! A fault in a session, as its clients see it.

use serde_json::{Value, json};
use sophie::app::Replacements;
use sophie_kit::faults::{self, Fault};
use sophie_kit::stores::memory_options;

use crate::support::{Mode, SOON, TestApp, TestSocket, eventually};

/// A program whose sessions panic when somebody says "panic".
async fn start() -> TestApp {
    let (stores, faults) = faults::stores(memory_options());
    faults.set("append", Fault::Panic("\"text\":\"panic\""));
    TestApp::start_with(Mode::Memory, &[], Replacements { stores: Some(stores), ..Default::default() }).await
}

/// Says something until it is accepted: while the session is being rebuilt the answer is `internal`.
async fn say(socket: &mut TestSocket, text: &str) {
    let until = tokio::time::Instant::now() + SOON;
    while socket.say(text, text).await["type"] != "ack" {
        assert!(tokio::time::Instant::now() < until, "the session does not come back");
    }
}

async fn texts(socket: &mut TestSocket) -> Vec<Value> {
    let history = socket.ask("history", json!({"type": "history.get"})).await;
    let events = history["events"].as_array().expect("events").clone();
    events.iter().map(|event| event["message"]["text"].clone()).collect()
}

#[tokio::test]
async fn a_fault_is_answered_and_everything_goes_on_over_the_same_sockets() {
    let app = start().await;
    let (mut one, mut two) = (app.open("s1").await, app.open("s1").await);
    one.ask("join", json!({"type": "group.join", "group": "team"})).await;
    say(&mut one, "before").await;
    let fault = one.say("fault", "panic").await;
    assert_eq!((&fault["type"], &fault["code"]), (&json!("error"), &json!("internal")));
    say(&mut one, "after").await;
    say(&mut two, "too").await;
    for socket in [&mut one, &mut two] {
        assert_eq!(texts(socket).await, ["before", "after", "too"]);
    }
    let said = json!({"type": "message.send", "text": "team", "group": "team", "assistant": false});
    assert_eq!(one.ask("team", said).await["type"], "ack", "its groups are kept");
    let restarts = &app.node().metrics.session_restarts;
    assert_eq!(restarts.get(), 1);
}

#[tokio::test]
async fn the_fourth_fault_within_a_minute_ends_the_session_for_its_sockets_and_for_new_ones() {
    let app = start().await;
    let (mut one, mut two) = (app.open("s1").await, app.open("s1").await);
    let mut other = app.open("s2").await;
    let restarts = app.node().metrics.session_restarts.clone();
    for fault in 1..=3 {
        say(&mut one, &format!("before {fault}")).await;
        assert_eq!(one.say("fault", "panic").await["code"], "internal");
        eventually("the session is rebuilt", SOON, || async { (restarts.get() == fault).then_some(()) }).await;
    }
    say(&mut one, "the last").await;
    one.send(json!({"type": "message.send", "id": "fourth", "text": "panic", "assistant": false})).await;
    for socket in [&mut one, &mut two] {
        let (events, code) = socket.until_closed().await;
        assert_eq!(code, Some(4504));
        let closing = events.last().expect("events");
        assert_eq!(closing["type"], "session.closing");
        assert_eq!((&closing["code"], &closing["reconnect"]), (&json!(4504), &json!(false)));
    }
    let request = TestSocket::request(app.address(), "s1", "");
    let (stream, _) = tokio_tungstenite::connect_async(request).await.expect("upgraded");
    let mut refused = TestSocket { stream, ready: Value::Null };
    let (events, code) = refused.until_closed().await;
    assert_eq!((events.len(), code), (1, Some(4504)), "{events:?}");
    assert_eq!(events[0]["type"], "session.closing");
    say(&mut other, "not concerned").await;
}
