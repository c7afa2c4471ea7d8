//! Rate limits: who is refused, when they may come back, and what it costs.

use std::time::Duration;

use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};
use tokio::time::sleep;

use crate::support::{Answer, JWT, Mode, SOON, TestApp, TestSocket, Token, eventually, start_with_ai};

const ON: (&str, &str) = ("SOPHIE__LIMITS__ENABLED", "true");
/// Nothing comes back while a test runs.
const SLOW: (&str, &str) = ("SOPHIE__LIMITS__USER_MESSAGES_PER_MINUTE", "1");

/// Between two tries of who is refused: fewer commands than a connection may send.
const PAUSE: Duration = Duration::from_millis(50);

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
    a_hit_costs_a_request_and_no_tokens,
    a_group_and_the_service_have_limits_of_their_own_and_a_refusal_takes_nothing,
    an_acknowledgement_tells_what_nears_its_end,
    an_operator_sees_what_is_left_and_gives_it_back,
    an_application_that_says_the_same_again_pays_once,
    what_an_application_said_is_acknowledged_again_whatever_the_limits_say,
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
            // The end is told before the books are settled. Who asks without a pause would be a flood.
            is_rate_limited(&reply);
            sleep(PAUSE).await;
        };
        // One that is still being kept is joined.
        assert_ne!(hit.start["cache"], "miss");
    }
    // A long answer is charged in full: then the hour's tokens are used up.
    ai.push(
        Script::stream()
            .event(&sophie_kit::ai_server::word("Long."))
            .event(&sophie_kit::ai_server::finish("stop"))
            .event(&sophie_kit::ai_server::usage(500, 5_000))
            .done(),
    );
    let mut other = app.open_with("other", &query("alice")).await;
    let reply = loop {
        let reply = other.ask("1", json!({"type": "message.send", "text": "tell me all"})).await;
        if reply["type"] == "ack" {
            break reply;
        }
        is_rate_limited(&reply);
        sleep(PAUSE).await;
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

/// What a subject has left, by the limits' names.
async fn left(app: &TestApp, subject: &str) -> Value {
    let (status, body) = app.admin("GET", &format!("/admin/api/limits/{subject}"), None).await;
    assert_eq!(status, 200, "{body}");
    let limits = body["limits"].as_array().expect("a list");
    limits
        .iter()
        .map(|limit| (limit["name"].as_str().expect("a name").to_owned(), limit["remaining"].clone()))
        .collect()
}

async fn a_hit_costs_a_request_and_no_tokens(mode: Mode) {
    let limits = [ON, SLOW, ("SOPHIE__LIMITS__USER_TOKENS_PER_HOUR", "3600"), JWT[0], JWT[1]];
    let (ai, app) = start_with_ai(mode, &limits).await;
    let query = |user: &str| format!("?token={}", Token::of(user).sign());
    ai.push(Script::answer("Short."));
    let mut alice = app.open_with("s1", &query("alice")).await;
    assert_eq!(Answer::to(&mut alice, "1", "?").await.start["cache"], "miss");
    eventually("it is kept", SOON, async || {
        (app.admin("GET", "/admin/api/cache", None).await.1["entries"] == 1).then_some(())
    })
    .await;
    let mut bob = app.open_with("s2", &query("bob")).await;
    assert_eq!(Answer::to(&mut bob, "1", "?").await.start["cache"], "hit");
    // The end is told before the books are settled. One token comes back in a second.
    let settled = eventually("settled", SOON, async || {
        let bob = left(&app, "bob").await;
        (bob["user_tokens"] == 3_600).then_some(bob)
    });
    assert_eq!(settled.await["user_messages"], 4);
    let charged = eventually("alice is charged for what was written", SOON, async || {
        let alice = left(&app, "alice").await;
        alice["user_tokens"].as_u64().is_some_and(|left| (3_500..3_600).contains(&left)).then_some(alice)
    });
    assert_eq!(charged.await["user_messages"], 4);
}

async fn a_group_and_the_service_have_limits_of_their_own_and_a_refusal_takes_nothing(mode: Mode) {
    let limits = [
        ON,
        SLOW,
        ("SOPHIE__LIMITS__GROUP_MESSAGES_PER_MINUTE", "1"),
        ("SOPHIE__LIMITS__SERVICE_MESSAGES_PER_MINUTE", "3"),
        ("SOPHIE__LIMITS__GROUP_TOKENS_PER_HOUR", "600"),
    ];
    let app = TestApp::patient(mode, &limits).await;
    let (mut one, mut two) = (app.open("s1").await, app.open("s2").await);
    for socket in [&mut one, &mut two] {
        socket.ask("join", json!({"type": "group.join", "group": "team"})).await;
    }
    let in_team = |text: &str| json!({"type": "message.send", "text": text, "group": "team", "assistant": false});
    assert_eq!(one.ask("1", in_team("hi")).await["type"], "ack");
    let refused = two.ask("1", in_team("hi")).await;
    is_rate_limited(&refused);
    assert!(refused["message"].as_str().expect("text").contains("messages a minute of a group"), "{refused}");
    assert_eq!(left(&app, "guest:s2").await["user_messages"], 5, "nothing was taken of the user");
    assert_eq!(left(&app, "group:team").await, json!({"group_messages": 0, "group_tokens": 600}));
    for (socket, id) in [(&mut one, "2"), (&mut two, "2")] {
        assert_eq!(socket.ask(id, note("at home")).await["type"], "ack");
    }
    let mut three = app.open("s3").await;
    let refused = three.ask("1", note("hi")).await;
    is_rate_limited(&refused);
    assert!(refused["message"].as_str().expect("text").contains("whole service"), "{refused}");
    let text = app.request("GET", "/metrics").send().await.expect("a response").text().await.expect("text");
    for limit in ["group_messages", "service_messages"] {
        assert!(text.contains(&format!("sophie_refused_total{{limit=\"{limit}\"}} 1")), "{limit}");
    }
}

async fn an_acknowledgement_tells_what_nears_its_end(mode: Mode) {
    let tokens = ("SOPHIE__LIMITS__USER_TOKENS_PER_HOUR", "3000");
    let (ai, app) = start_with_ai(mode, &[ON, SLOW, tokens, ("SOPHIE__LIMITS__ANSWERS_PER_SESSION", "9")]).await;
    ai.set_default(Script::silent);
    let mut socket = app.open("s1").await;
    for n in 1..=3 {
        assert_eq!(socket.ask(&n.to_string(), note("hi")).await["limits"], Value::Null);
    }
    let ack = socket.ask("4", note("hi")).await;
    let requests = &ack["limits"]["requests"];
    assert_eq!((&requests["limit"], &requests["remaining"]), (&json!(5), &json!(1)), "{ack}");
    assert!(requests["reset_ms"].as_u64().is_some_and(|ms| (230_000..=240_000).contains(&ms)), "{ack}");
    assert_eq!(ack["limits"]["tokens"], Value::Null, "notes are not about tokens");
    let mut other = app.open("s2").await;
    for n in 1..=4 {
        let ack = other.ask(&n.to_string(), json!({"type": "message.send", "text": "?"})).await;
        assert_eq!((&ack["type"], &ack["limits"]["tokens"]), (&json!("ack"), &Value::Null), "{n}");
    }
    let ack = other.ask("5", json!({"type": "message.send", "text": "?"})).await;
    assert_eq!(ack["limits"]["tokens"]["limit"], 3_000);
    assert!(ack["limits"]["tokens"]["remaining"].as_u64().is_some_and(|left| left <= 600), "{ack}");
    // What was logged before costs nothing, and is acknowledged as such.
    assert_eq!(socket.ask("1", note("hi")).await["limits"], Value::Null);
}

async fn an_operator_sees_what_is_left_and_gives_it_back(mode: Mode) {
    let limits = [
        ON,
        SLOW,
        ("SOPHIE__LIMITS__USER_BURST", "2"),
        // One comes back in ten seconds: by default it would be within a second.
        ("SOPHIE__LIMITS__ADDRESS_MESSAGES_PER_MINUTE", "6"),
        ("SOPHIE__LIMITS__CONNECTS_PER_MINUTE", "6"),
    ];
    let app = TestApp::patient(mode, &limits).await;
    let mut socket = app.open("s1").await;
    for id in ["1", "2"] {
        assert_eq!(socket.ask(id, note("hi")).await["type"], "ack");
    }
    is_rate_limited(&socket.ask("3", note("hi")).await);
    let (_, seen) = app.admin("GET", "/admin/api/limits/guest:s1", None).await;
    assert_eq!(seen["subject"], "user:guest:s1");
    let messages = &seen["limits"][0];
    assert_eq!(
        (&messages["name"], &messages["limit"], &messages["remaining"]),
        (&json!("user_messages"), &json!(2), &json!(0))
    );
    assert!(messages["reset_at"].as_str().is_some_and(|at| at.ends_with('Z') && at > "2025"), "{messages}");
    let (status, given) = app.admin("DELETE", "/admin/api/limits/user:guest:s1", None).await;
    assert_eq!((status, &given["limits"][0]["remaining"]), (200, &json!(2)));
    assert_eq!(socket.ask("3", note("hi")).await["type"], "ack");
    assert_eq!(left(&app, "127.0.0.1").await["address_messages"], 3);
    assert_eq!(left(&app, "address:127.0.0.1").await["address_connects"], 5);
    for (method, path, status) in
        [("GET", "group:a%20b", 400), ("DELETE", "address:here", 400), ("PUT", "alice", 405), ("GET", "some/one", 200)]
    {
        assert_eq!(app.admin(method, &format!("/admin/api/limits/{path}"), None).await.0, status, "{path}");
    }
    assert_eq!(app.request("GET", "/admin/api/limits/alice").send().await.expect("a response").status(), 401);
}

async fn an_application_that_says_the_same_again_pays_once(mode: Mode) {
    let app = TestApp::patient(mode, &[ON, ("SOPHIE__LIMITS__KEY_REQUESTS_PER_MINUTE", "1")]).await;
    for _ in 0..3 {
        let request = app.request("POST", "/api/groups/team/messages").header("idempotency-key", "k");
        let response = request.json(&json!({"text": "hi"})).send().await.expect("a response");
        assert_eq!(response.status(), 200);
    }
    assert_eq!(left(&app, "key:application").await["key_requests"], 59);
}

async fn what_an_application_said_is_acknowledged_again_whatever_the_limits_say(mode: Mode) {
    let ai = AiServer::start().await;
    ai.set_default(Script::silent);
    let url = ai.base_url();
    let environment = [
        ("SOPHIE__AI__BACKEND", "openai"),
        ("OPENAI_BASE_URL", url.as_str()),
        ("OPENAI_API_KEY", "x"),
        ON,
        ("SOPHIE__LIMITS__KEY_REQUESTS_PER_MINUTE", "1"),
        ("SOPHIE__LIMITS__KEY_BURST", "2"),
        ("SOPHIE__LIMITS__ANSWERS_AT_ONCE", "1"),
    ];
    let app = TestApp::patient(mode, &environment).await;
    let say = async |key: &str, assistant: bool| {
        let request = app.request("POST", "/api/groups/team/messages").header("idempotency-key", key);
        let response = request.json(&json!({"text": "hi", "assistant": assistant})).send().await.expect("a response");
        (response.status().as_u16(), response.json::<Value>().await.expect("JSON"))
    };
    let first = say("question", true).await;
    assert_eq!(first.0, 200, "{first:?}");
    assert_eq!(say("another", true).await.1["error"]["code"], "busy", "one answer is all");
    assert_eq!(say("question", true).await, first, "no slot is free");
    let note = say("note", false).await;
    assert_eq!(note.0, 200, "{note:?}");
    assert_eq!(say("a third", false).await.0, 429, "two requests were all");
    for _ in 0..3 {
        assert_eq!(say("question", true).await, first);
        assert_eq!(say("note", false).await, note);
    }
    assert_eq!(say("note", true).await.0, 409);
    assert_eq!(left(&app, "key:application").await["key_requests"], 0);
}

#[tokio::test]
async fn while_redis_is_frozen_this_nodes_own_limits_apply_and_the_shared_ones_come_back() {
    let ai = AiServer::start().await;
    ai.set_default(Script::silent);
    let environment = [&ai.environment()[..], &[ON, SLOW, ("SOPHIE__LIMITS__ANSWERS_PER_SESSION", "1")]].concat();
    let app = TestApp::start(Mode::Redis, &environment).await;
    let mut socket = app.open("s1").await;
    let question = |text: &str| json!({"type": "message.send", "text": text});
    assert_eq!(socket.insist_on("1", question("a long one")).await["type"], "ack");
    let degraded = async |dependency: &str, value: u8| {
        let line = format!("sophie_degraded{{dependency=\"{dependency}\"}} {value}");
        eventually(&line, SOON, async || {
            let text = app.request("GET", "/metrics").send().await.expect("a response").text().await.expect("text");
            text.contains(&line).then_some(())
        })
        .await;
    };
    app.redis().freeze();
    // The node knows of its own answer, and refuses before anything is logged.
    assert_eq!(socket.ask("2", question("another")).await["code"], "busy");
    degraded("slots", 1).await;
    // Nothing can be logged, so it is refunded; the node's own five are not used up by trying.
    for n in 0..7 {
        assert_eq!(socket.ask(&format!("n{n}"), note("hi")).await["code"], "store_unavailable");
    }
    degraded("limits", 1).await;
    app.redis().thaw();
    assert_eq!(socket.insist_on("3", note("back")).await["type"], "ack");
    degraded("limits", 0).await;
    // The answer under way holds its slot, on Redis's books again.
    degraded("slots", 0).await;
    assert_eq!(socket.insist_on("4", question("another")).await["code"], "busy");
    // By whose limits the third was let in depends on when Redis was seen to be back. From now on it is by the shared ones.
    let shared = async || {
        eventually("the shared books are read", SOON, async || {
            let (status, body) = app.admin("GET", "/admin/api/limits/guest:s1", None).await;
            (status == 200).then(|| body["limits"][0]["remaining"].as_u64().expect("a number"))
        })
        .await
    };
    let mut before = shared().await;
    assert!((3..=4).contains(&before), "{before}");
    // Where Redis is late once more, one is let in by the node's own limits, or said twice and paid for once: the next one tells.
    for id in 5.. {
        let reply = socket.insist_on(&id.to_string(), note("shared")).await;
        assert_eq!(reply["type"], "ack", "none was let in by the shared limits: {reply}");
        let after = shared().await;
        if after == before - 1 {
            break;
        }
        before = after;
    }
}
