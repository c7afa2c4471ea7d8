//! The application decides who comes in.

use std::time::Duration;

use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};

use crate::support::{Answer, Handshake, JWT, Mode, SOON, TestApp, TestSocket, Token, eventually, start_with_ai};

fn says(grant: &Value) -> Script {
    Script::respond(200, &[("content-type", "application/json")], &grant.to_string())
}

fn refuses(status: u16) -> Script {
    Script::respond(status, &[("content-type", "text/html")], "<h1>secret of the application</h1>")
}

/// An application of the test's own: the scripted server, whose one address is that of chat completions.
fn address_of(application: &AiServer) -> String {
    format!("{}/chat/completions", application.base_url())
}

async fn start(mode: Mode, more: &[(&str, &str)]) -> (AiServer, TestApp) {
    let application = AiServer::start().await;
    application.set_default(|| says(&json!({"user": "alice"})));
    let url = address_of(&application);
    let hook = [("SOPHIE__AUTH__MODE", "hook"), ("SOPHIE__AUTH__HOOK_URL", url.as_str())];
    let app = TestApp::patient(mode, &[&hook[..], more].concat()).await;
    (application, app)
}

const COOKIE: (&str, &str) = ("cookie", "csrftoken=x; sessionid=abc");

async fn connect(app: &TestApp, session: &str, headers: &[(&str, &str)]) -> Handshake {
    Handshake::with(app.address(), &format!("/ws/chat/{session}"), headers).await
}

async fn open(app: &TestApp, session: &str, headers: &[(&str, &str)]) -> TestSocket {
    connect(app, session, headers).await.socket().await
}

async fn metrics(app: &TestApp) -> String {
    app.request("GET", "/metrics")
        .bearer_auth(crate::support::ADMIN_TOKEN)
        .send()
        .await
        .expect("sent")
        .text()
        .await
        .expect("text")
}

in_both_modes!(
    the_application_is_shown_what_the_browser_sent,
    what_it_grants_is_what_the_caller_may_do,
    its_refusals_are_passed_on_in_our_words,
    without_a_good_answer_nobody_comes_in_and_all_come_in_again_afterwards,
    its_answer_is_kept_for_each_caller_until_it_ends,
    equal_questions_at_once_are_asked_once,
    an_answer_counts_for_its_session_or_for_those_that_it_names,
    who_is_refused_anew_does_not_come_in_by_what_was_said_before,
    fewer_groups_in_a_newer_answer_are_left,
    a_grant_that_ends_ends_the_connection_unless_it_is_renewed,
    its_context_is_told_to_the_model_and_shared_with_nobody_else,
    beside_tokens_it_gives_context_alone,
);

async fn the_application_is_shown_what_the_browser_sent(mode: Mode) {
    let (application, app) = start(mode, &[("SOPHIE__SERVER__TRUSTED_PROXIES", "127.0.0.0/8,10.0.0.0/8")]).await;
    let host = app.address().to_string();
    let origin = format!("http://{host}");
    let forwarded = ("x-forwarded-for", "198.51.100.9, 203.0.113.5, 10.1.2.3");
    open(&app, "s1", &[COOKIE, ("origin", &origin), forwarded]).await;
    let call = application.call(0);
    assert_eq!(call.body, json!({"session": "s1", "address": "203.0.113.5", "origin": origin}));
    assert_eq!(call.headers["cookie"], COOKIE.1);
    assert!(!call.headers.contains_key("authorization"));

    let token = [("sec-websocket-protocol", "sophie.v1, bearer.t0ken")];
    open(&app, "s2", &token).await;
    assert_eq!(application.call(1).headers["authorization"], "Bearer t0ken");
    open(&app, "s3", &[("authorization", "Basic eDp5")]).await;
    let call = application.call(2);
    assert_eq!(call.headers["authorization"], "Basic eDp5");
    assert_eq!(call.body, json!({"session": "s3", "address": "127.0.0.1", "origin": null}));
}

async fn what_it_grants_is_what_the_caller_may_do(mode: Mode) {
    let (application, app) = start(mode, &[]).await;
    application.push(says(&json!({"user": 7, "groups": ["team-*"], "sessions": ["s*"]})));
    let mut socket = open(&app, "s1", &[COOKIE]).await;
    assert_eq!(socket.ready["user"], "7");
    assert_eq!(socket.ready.get("expires_in_ms"), None);
    let join = |group: &str| json!({"type": "group.join", "group": group});
    assert_eq!(socket.ask("1", join("team-1")).await["type"], "ack");
    assert_eq!(socket.ask("2", join("other")).await["code"], "not_allowed");
    application.push(says(&json!({"user": 7, "sessions": ["s*"]})));
    assert_eq!(connect(&app, "t1", &[COOKIE]).await.refusal(), (403, "not_allowed".into(), false));
    // Without patterns the first user owns a session.
    open(&app, "t2", &[("cookie", "sessionid=alice")]).await;
    application.push(says(&json!({"user": "bob"})));
    assert_eq!(connect(&app, "t2", &[("cookie", "sessionid=bob")]).await.refusal().0, 403);
}

async fn its_refusals_are_passed_on_in_our_words(mode: Mode) {
    let (application, app) = start(mode, &[]).await;
    for (status, code) in [(401, "unauthorized"), (403, "not_allowed")] {
        application.push(refuses(status));
        let refused = connect(&app, "s1", &[COOKIE]).await;
        assert_eq!(refused.refusal(), (status, code.into(), false));
        assert!(!refused.body().contains("secret"), "{}", refused.body());
    }
    // A refusal is not kept: who logs in comes in.
    assert_eq!(open(&app, "s1", &[COOKIE]).await.ready["user"], "alice");
    let text = metrics(&app).await;
    assert!(text.contains("sophie_hook_requests_total{outcome=\"refused\"} 2"), "{text}");
    assert!(text.contains("sophie_degraded{dependency=\"hook\"} 0"), "a refusal is a good answer: {text}");
}

async fn without_a_good_answer_nobody_comes_in_and_all_come_in_again_afterwards(mode: Mode) {
    let (application, app) = start(mode, &[]).await;
    let away = (503, "auth_unavailable".to_owned(), true);
    let wrong = [
        refuses(500),
        Script::respond(302, &[("location", "/login")], ""),
        Script::respond(200, &[], "<html>"),
        says(&json!({"groups": []})),
        says(&json!({"user": "alice", "context": "x".repeat(70_000)})),
        Script::hang_up(),
    ];
    for script in wrong {
        application.push(script);
        // What is hung up on is asked once more.
        application.set_default(Script::hang_up);
        assert_eq!(connect(&app, "s1", &[COOKIE]).await.refusal(), away);
    }
    let since = tokio::time::Instant::now();
    application.set_default(Script::silent);
    assert_eq!(connect(&app, "s1", &[COOKIE]).await.refusal(), away);
    let waited = since.elapsed();
    assert!((Duration::from_millis(1_900)..SOON).contains(&waited), "{waited:?}");
    application.refuse().await;
    assert_eq!(connect(&app, "s1", &[COOKIE]).await.refusal(), away);
    assert!(metrics(&app).await.contains("sophie_degraded{dependency=\"hook\"} 1"));

    application.accept().await;
    application.set_default(|| says(&json!({"user": "alice"})));
    assert_eq!(open(&app, "s1", &[COOKIE]).await.ready["user"], "alice");
    eventually("the application counts as well", SOON, async || {
        metrics(&app).await.contains("sophie_degraded{dependency=\"hook\"} 0").then_some(())
    })
    .await;
    // Who is known already comes in while the application is away.
    application.refuse().await;
    assert_eq!(open(&app, "s1", &[COOKIE]).await.ready["user"], "alice");
}

async fn its_answer_is_kept_for_each_caller_until_it_ends(mode: Mode) {
    let (application, app) = start(mode, &[]).await;
    // It must outlast the next two steps, also on a machine that pauses.
    application.push(says(&json!({"user": "alice", "expires_in": 8})));
    let ready = open(&app, "s1", &[COOKIE]).await.ready;
    assert!(ready["expires_in_ms"].as_u64().is_some_and(|left| (1..=8_000).contains(&left)), "{ready}");
    open(&app, "s1", &[COOKIE]).await;
    assert_eq!(application.calls(), 1);
    application.push(says(&json!({"user": "bob"})));
    assert_eq!(open(&app, "s2", &[("cookie", "sessionid=bob")]).await.ready["user"], "bob");
    eventually("alice is asked about again", 2 * SOON, async || {
        open(&app, "s1", &[COOKIE]).await;
        (application.calls() == 3).then_some(())
    })
    .await;
    // Who shows nothing is asked about each time: nobody else is meant by nothing.
    application.set_default(|| refuses(401));
    for calls in [4, 5] {
        assert_eq!(connect(&app, "s3", &[]).await.refusal().0, 401);
        assert_eq!(application.calls(), calls);
    }
}

async fn an_answer_counts_for_its_session_or_for_those_that_it_names(mode: Mode) {
    let (application, app) = start(mode, &[]).await;
    application.push(refuses(403));
    assert_eq!(connect(&app, "ticket-7", &[COOKIE]).await.refusal().0, 403);
    open(&app, "own1", &[COOKIE]).await;
    application.push(refuses(403));
    assert_eq!(connect(&app, "ticket-7", &[COOKIE]).await.refusal().0, 403, "own1 was asked about, not this one");
    assert_eq!(application.calls(), 3);
    open(&app, "own1", &[COOKIE]).await;
    assert_eq!(application.calls(), 3, "what was said of a session is kept");

    application.push(says(&json!({"user": "alice", "sessions": ["desk-*"]})));
    open(&app, "desk-1", &[COOKIE]).await;
    open(&app, "desk-2", &[COOKIE]).await;
    assert_eq!(application.calls(), 4, "one that names sessions counts for those");
    application.push(refuses(403));
    assert_eq!(connect(&app, "ticket-7", &[COOKIE]).await.refusal().0, 403, "and for no others");
    open(&app, "own1", &[COOKIE]).await;
    assert_eq!(application.calls(), 5);
}

async fn who_is_refused_anew_does_not_come_in_by_what_was_said_before(mode: Mode) {
    let (application, app) = start(mode, &[]).await;
    let mut socket = open(&app, "s1", &[COOKIE]).await;
    open(&app, "s2", &[COOKIE]).await;
    application.set_default(|| refuses(401));
    let refused = socket.ask("1", json!({"type": "auth.refresh", "token": ""})).await;
    assert_eq!(refused["code"], "not_allowed", "{refused}");
    for session in ["s1", "s2"] {
        assert_eq!(connect(&app, session, &[COOKIE]).await.refusal().0, 401, "logged out is out: {session}");
    }
}

async fn fewer_groups_in_a_newer_answer_are_left(mode: Mode) {
    let (application, app) = start(mode, &[]).await;
    application.push(says(&json!({"user": "alice", "groups": ["board"]})));
    let mut socket = open(&app, "s1", &[COOKIE]).await;
    assert_eq!(socket.ask("1", json!({"type": "group.join", "group": "board"})).await["type"], "ack");
    // Another login of the same user, asked about later and told less; then what was kept of the first one.
    let _other = open(&app, "s1", &[("cookie", "sessionid=other")]).await;
    assert_eq!(socket.event_of("group.left").await["group"], "board");
    let mut third = open(&app, "s1", &[COOKIE]).await;
    assert_eq!(application.calls(), 2);
    assert_eq!(third.ask("1", json!({"type": "group.join", "group": "board"})).await["code"], "not_allowed");
}

async fn equal_questions_at_once_are_asked_once(mode: Mode) {
    let (application, app) = start(mode, &[]).await;
    let slow = || Script::stream().pause(Duration::from_millis(300)).piece(json!({"user": "alice"}).to_string()).end();
    application.set_default(slow);
    let all = futures_util::future::join_all((0..20).map(|_| open(&app, "s1", &[COOKIE]))).await;
    assert!(all.iter().all(|socket| socket.ready["user"] == "alice"));
    assert_eq!(application.calls(), 1);
}

async fn a_grant_that_ends_ends_the_connection_unless_it_is_renewed(mode: Mode) {
    let (application, app) = start(mode, &[]).await;
    // It must outlast the refreshes, also on a machine that pauses.
    application.push(says(&json!({"user": "alice", "expires_in": 8})));
    let mut left = open(&app, "s1", &[COOKIE]).await;
    let mut renewed = open(&app, "s1", &[COOKIE]).await;
    let refresh = |token: &str| json!({"type": "auth.refresh", "token": token});
    application.push(refuses(401));
    assert_eq!(renewed.ask("1", refresh("other")).await["code"], "not_allowed");
    application.push(says(&json!({"user": "bob"})));
    assert_eq!(renewed.ask("2", refresh("bobs")).await["code"], "not_allowed");
    application.push(refuses(500));
    let away = renewed.ask("3", refresh("")).await;
    assert_eq!(away["code"], "store_unavailable");
    assert!(away["retry_after_ms"].as_u64().is_some_and(|after| after > 0), "{away}");
    application.push(says(&json!({"user": "alice", "groups": ["team-1"]})));
    assert_eq!(renewed.ask("4", refresh("")).await["type"], "ack", "the cookie is still good");
    let call = application.call(application.calls() - 1);
    assert_eq!((call.headers["cookie"].as_str(), call.headers.get("authorization")), (COOKIE.1, None));
    let joined = renewed.ask("5", json!({"type": "group.join", "group": "team-1"})).await;
    assert_eq!(joined["type"], "ack", "{joined}");
    let closing = left.closing().await;
    assert_eq!((&closing["code"], &closing["reconnect"]), (&json!(4500), &json!(false)));
    assert_eq!(renewed.ask("6", json!({"type": "ping"})).await["type"], "pong");
}

fn system_prompt(ai: &AiServer, call: usize) -> String {
    ai.call(call).body["messages"][0]["content"].as_str().expect("a system prompt").to_owned()
}

async fn its_context_is_told_to_the_model_and_shared_with_nobody_else(mode: Mode) {
    let application = AiServer::start().await;
    let url = address_of(&application);
    let hook = [
        ("SOPHIE__AUTH__MODE", "hook"),
        ("SOPHIE__AUTH__HOOK_URL", url.as_str()),
        ("SOPHIE__AI__SYSTEM_PROMPT", "Be kind."),
        ("SOPHIE__CACHE__SCOPE", "global"),
    ];
    let (ai, app) = start_with_ai(mode, &hook).await;
    for (index, user) in ["alice", "bob", "carol"].into_iter().enumerate() {
        let context = if user == "carol" { "Speaks with bob.".to_owned() } else { format!("Speaks with {user}.") };
        application.push(says(&json!({"user": user, "context": context})));
        let mut socket = open(&app, user, &[("cookie", user)]).await;
        Answer::to(&mut socket, "1", "who am I?").await;
        if index < 2 {
            assert_eq!(ai.calls(), index + 1, "nobody gets an answer that was made for another context");
            assert_eq!(system_prompt(&ai, index), format!("Be kind.\n\n{context}"));
        }
    }
    assert_eq!(ai.calls(), 2, "the same words make the same question");
}

async fn beside_tokens_it_gives_context_alone(mode: Mode) {
    let application = AiServer::start().await;
    let url = address_of(&application);
    let hook = [("SOPHIE__AUTH__HOOK_URL", url.as_str()), ("SOPHIE__AI__SYSTEM_PROMPT", "Be kind.")];
    let (ai, app) = start_with_ai(mode, &[&hook[..], &JWT].concat()).await;
    application.push(says(&json!({"user": "mallory", "groups": ["*"], "context": "Gold member.", "expires_in": 1})));
    let token = Token::of("alice").sign();
    let mut socket = app.open_with("s1", &format!("?token={token}")).await;
    assert_eq!(socket.ready["user"], "alice");
    assert_eq!(application.call(0).headers["authorization"], format!("Bearer {token}"));
    assert_eq!(socket.ask("1", json!({"type": "group.join", "group": "g"})).await["code"], "not_allowed");
    Answer::to(&mut socket, "2", "hi").await;
    assert_eq!(system_prompt(&ai, 0), "Be kind.\n\nGold member.");

    application.set_default(|| refuses(500));
    let mut other = app.open_with("s2", &format!("?token={}", Token::of("bob").sign())).await;
    Answer::to(&mut other, "1", "hi").await;
    assert_eq!(system_prompt(&ai, 1), "Be kind.", "a token is enough to come in");
    let calls = application.calls();
    assert_eq!(Handshake::with(app.address(), "/ws/chat/s3?token=rubbish", &[]).await.refusal().0, 401);
    assert_eq!(application.calls(), calls, "nobody is asked about a stranger");
}

#[tokio::test]
async fn answers_are_shared_with_django_in_its_own_keys_and_form() {
    let (application, app) = start(Mode::Redis, &[]).await;
    let ending = json!({"user": "alice", "groups": ["team-*"], "expires_in": 60});
    application.push(says(&ending));
    open(&app, "s1", &[COOKIE]).await;
    let mut redis = app.redis().connection(1);
    // python3 -c 'import hashlib; print(hashlib.sha256(b"csrftoken=x; sessionid=abc\n").hexdigest())'
    let key = ":1:sophie:hook:c35dceab5cf5e94f4657efd0edc0e36a8fda11a74eb15fe0da1d089590389137";
    let kept: String = redis::cmd("GET").arg(key).query(&mut redis).expect("an entry under this key");
    let kept: Value = serde_json::from_str(&kept).expect("JSON");
    let kept = &kept["asked"]["s1"];
    assert_eq!((&kept["user"], &kept["groups"]), (&json!("alice"), &json!(["team-*"])));
    assert!(kept["expires_at"].is_u64() && kept.get("expires_in").is_none(), "{kept}");
    let ttl: i64 = redis::cmd("TTL").arg(key).query(&mut redis).unwrap();
    assert!((50..=60).contains(&ttl), "no longer than it is good: {ttl}");

    // Django drops it, and writes one of its own.
    let _: () = redis::cmd("DEL").arg(key).query(&mut redis).unwrap();
    open(&app, "s1", &[COOKIE]).await;
    assert_eq!(application.calls(), 2);
    let ttl: i64 = redis::cmd("TTL").arg(key).query(&mut redis).unwrap();
    assert!((290..=300).contains(&ttl), "{ttl}");
    let _: () = redis::cmd("SET").arg(key).arg(r#"{"user": "alice", "groups": ["ops"]}"#).query(&mut redis).unwrap();
    let mut socket = open(&app, "s1", &[COOKIE]).await;
    assert_eq!(socket.ask("1", json!({"type": "group.join", "group": "ops"})).await["type"], "ack");
    for junk in [
        "\u{80}\u{4}K\u{1}.",
        "5",
        "[]",
        r#"{"user": ""}"#,
        r#"{"user": "mallory", "expires_at": 1}"#,
        r#"{"user": "mallory", "sessions": ["t*"]}"#,
    ] {
        let _: () = redis::cmd("SET").arg(key).arg(junk).query(&mut redis).unwrap();
        assert_eq!(open(&app, "s1", &[COOKIE]).await.ready["user"], "alice", "{junk:?}");
    }
    assert_eq!(application.calls(), 8);
}
