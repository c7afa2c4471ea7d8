//! Rate limits: who is refused, when they may come back, and what it costs.

use serde_json::{Value, json};

use crate::ai_server::Script;
use crate::support::{Answer, JWT, Mode, TestApp, TestSocket, Token, start_with_ai};

const ON: (&str, &str) = ("SOPHIE__LIMITS__ENABLED", "true");
/// Nothing comes back while a test runs.
const SLOW: (&str, &str) = ("SOPHIE__LIMITS__USER_MESSAGES_PER_MINUTE", "1");

fn note(text: &str) -> Value {
    json!({"type": "message.send", "text": text, "assistant": false})
}

/// The refusal must be one for the rate, with a time to come back.
fn is_rate_limited(reply: &Value) {
    assert_eq!((&reply["type"], &reply["code"]), (&json!("error"), &json!("rate_limited")), "{reply}");
    assert!(reply["retry_after_ms"].as_u64().is_some_and(|ms| (1..=120_000).contains(&ms)), "{reply}");
}

async fn history(socket: &mut TestSocket) -> usize {
    socket.ask("history", json!({"type": "history.get"})).await["events"].as_array().expect("a list").len()
}

in_both_modes!(
    a_burst_is_let_through_and_then_refused_before_logging,
    what_was_logged_is_acknowledged_again_though_the_limit_is_used_up,
    the_limit_is_the_users_over_all_their_sessions,
    the_messages_of_an_address_are_limited,
    tokens_are_charged_for_what_the_backend_wrote_and_not_for_a_hit,
    notes_reserve_no_tokens,
);

async fn a_burst_is_let_through_and_then_refused_before_logging(mode: Mode) {
    let app = TestApp::patient(mode, &[ON, SLOW]).await;
    let (mut socket, mut tab) = (app.open("s1").await, app.open("s1").await);
    // Messages without an answer count like any other.
    for n in 1..=5 {
        assert_eq!(socket.ask(&n.to_string(), note("hi")).await["seq"], n);
    }
    is_rate_limited(&socket.ask("6", note("hi")).await);
    is_rate_limited(&tab.ask("7", json!({"type": "message.send", "text": "hi"})).await);
    assert_eq!(history(&mut socket).await, 5);
    // Another user is not concerned, and other commands are not counted.
    assert_eq!(app.open("s2").await.ask("1", note("hi")).await["seq"], 1);
    for n in 0..20 {
        assert_eq!(socket.ask(&format!("p{n}"), json!({"type": "ping"})).await["type"], "pong");
    }
}

async fn what_was_logged_is_acknowledged_again_though_the_limit_is_used_up(mode: Mode) {
    let app = TestApp::patient(mode, &[ON, SLOW, ("SOPHIE__LIMITS__USER_BURST", "2")]).await;
    let mut socket = app.open("s1").await;
    let first = socket.ask("1", note("one")).await;
    // A repetition costs nothing.
    assert_eq!(socket.ask("1", note("one")).await, first);
    assert_eq!(socket.ask("2", note("two")).await["seq"], 2);
    is_rate_limited(&socket.ask("3", note("three")).await);
    assert_eq!(socket.ask("1", note("one")).await, first);
    assert_eq!(socket.ask("1", note("not one")).await["code"], "bad_request");
    assert_eq!(history(&mut socket).await, 2);
}

async fn the_limit_is_the_users_over_all_their_sessions(mode: Mode) {
    let limit = ("SOPHIE__LIMITS__USER_BURST", "2");
    let app = TestApp::patient(mode, &[ON, SLOW, limit, JWT[0], JWT[1]]).await;
    let query = |user: &str| format!("?token={}", Token::of(user).sign());
    let mut one = app.open_with("s1", &query("alice")).await;
    let mut two = app.open_with("s2", &query("alice")).await;
    assert_eq!(one.ask("1", note("hi")).await["type"], "ack");
    assert_eq!(two.ask("1", note("hi")).await["type"], "ack");
    is_rate_limited(&one.ask("2", note("hi")).await);
    is_rate_limited(&two.ask("2", note("hi")).await);
    assert_eq!(app.open_with("s3", &query("bob")).await.ask("1", note("hi")).await["type"], "ack");
}

async fn the_messages_of_an_address_are_limited(mode: Mode) {
    let app = TestApp::patient(mode, &[ON, ("SOPHIE__LIMITS__ADDRESS_MESSAGES_PER_MINUTE", "2")]).await;
    for session in ["s1", "s2"] {
        assert_eq!(app.open(session).await.ask("1", note("hi")).await["type"], "ack");
    }
    is_rate_limited(&app.open("s3").await.ask("1", note("hi")).await);
}

async fn tokens_are_charged_for_what_the_backend_wrote_and_not_for_a_hit(mode: Mode) {
    // One reservation at a time (500 and the question), and hardly anything comes back within a test.
    let limits = [ON, ("SOPHIE__LIMITS__USER_TOKENS_PER_HOUR", "600"), ("SOPHIE__LIMITS__USER_BURST", "50")];
    let (ai, app) = start_with_ai(mode, &[limits[0], limits[1], limits[2], JWT[0], JWT[1]]).await;
    let query = |user: &str| format!("?token={}", Token::of(user).sign());
    let mut alice = app.open_with("s0", &query("alice")).await;
    ai.push(Script::answer("Short."));
    assert_eq!(Answer::to(&mut alice, "1", "?").await.start["cache"], "miss");
    // 12 tokens were used, and hits cost nothing: each reserves and gives back.
    for n in 1..=3 {
        let mut socket = app.open_with(&format!("s{n}"), &query("alice")).await;
        let hit = loop {
            let reply = socket.ask("1", json!({"type": "message.send", "text": "?"})).await;
            if reply["type"] == "ack" {
                break Answer::of(&mut socket, &reply["message"]).await;
            }
            // The end is told before the books are settled.
            is_rate_limited(&reply);
        };
        assert_eq!(hit.start["cache"], "hit");
    }
    // A long answer is charged in full: then the hour's tokens are used up.
    ai.push(
        Script::stream()
            .event(&crate::ai_server::word("Long."))
            .event(&crate::ai_server::finish("stop"))
            .event(&crate::ai_server::usage(500, 5_000))
            .done(),
    );
    let mut other = app.open_with("other", &query("alice")).await;
    let reply = loop {
        let reply = other.ask("1", json!({"type": "message.send", "text": "tell me all"})).await;
        if reply["type"] == "ack" {
            break reply;
        }
        is_rate_limited(&reply);
    };
    Answer::of(&mut other, &reply["message"]).await;
    is_rate_limited(&other.ask("2", json!({"type": "message.send", "text": "and more"})).await);
    assert_eq!(ai.calls(), 2);
}

async fn notes_reserve_no_tokens(mode: Mode) {
    let limits = [ON, ("SOPHIE__LIMITS__USER_TOKENS_PER_HOUR", "600"), ("SOPHIE__LIMITS__USER_BURST", "50")];
    let (ai, app) = start_with_ai(mode, &limits).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut socket = app.open("s1").await;
    socket.ask("1", json!({"type": "message.send", "text": "?"})).await;
    socket.event_of("answer.start").await;
    is_rate_limited(&socket.ask("2", json!({"type": "message.send", "text": "two?"})).await);
    for n in 2..=10 {
        assert_eq!(socket.ask(&format!("n{n}"), note("a note")).await["seq"], n);
    }
    gate.finish();
}

#[tokio::test]
async fn without_limits_only_the_answers_at_once_are_counted() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    let mut socket = app.open("s1").await;
    for n in 1..=700 {
        let mut command = note("hi");
        command["id"] = n.to_string().into();
        socket.send(command).await;
        if n % 100 == 0 {
            socket.settled().await;
        }
    }
    assert_eq!(socket.say("last", "hi").await["seq"], 701);
}
