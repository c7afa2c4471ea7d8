//! Connecting with accounts: who a token lets in, where, and for how long.

use serde_json::json;

use crate::support::{Handshake, JWT, Mode, TestApp, TestSocket, Token};

async fn start(mode: Mode) -> TestApp {
    TestApp::patient(mode, &[JWT[0], JWT[1]]).await
}

async fn open(app: &TestApp, session: &str, token: &Token) -> TestSocket {
    app.open_with(session, &format!("?token={}", token.sign())).await
}

async fn refusal(app: &TestApp, session: &str, token: &Token) -> (u16, String, bool) {
    Handshake::with(app.address(), &format!("/ws/chat/{session}?token={}", token.sign()), &[]).await.refusal()
}

in_both_modes!(
    the_connects_of_a_user_are_limited_from_wherever_they_come,
    the_first_credential_found_counts,
    no_token_and_a_bad_one_are_refused,
    the_first_user_of_a_session_owns_it,
    session_patterns_say_which_sessions_may_be_opened,
    group_patterns_say_which_groups_may_be_joined,
    a_socket_is_closed_when_its_token_ends,
    a_fresh_token_of_the_same_user_prolongs_a_connection,
);

async fn the_first_credential_found_counts(mode: Mode) {
    let app = start(mode).await;
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|user| Token::of(user).sign());
    let header = format!("Bearer {alice}");
    let offer = format!("sophie.v1, bearer.{bob}");
    let user = async |path: &str, headers: &[(&str, &str)]| {
        Handshake::with(app.address(), path, headers).await.socket().await.ready["user"].clone()
    };
    let all = [("authorization", header.as_str()), ("sec-websocket-protocol", offer.as_str())];
    assert_eq!(user(&format!("/ws/chat/s1?token={carol}"), &all).await, "alice");
    assert_eq!(user(&format!("/ws/chat/s2?token={carol}"), &all[1..]).await, "bob");
    assert_eq!(user(&format!("/ws/chat/s3?token={carol}"), &[]).await, "carol");
    let alone = [("sec-websocket-protocol", format!("bearer.{bob}"))];
    let accepted = Handshake::with(app.address(), "/ws/chat/s4", &[(alone[0].0, &alone[0].1)]).await;
    assert_eq!((accepted.status, accepted.protocol()), (101, None));
    assert_eq!(accepted.socket().await.ready["user"], "bob");
    // The first one found counts, also when it is a bad one.
    let bad = [("authorization", "Bearer rubbish")];
    let refused = Handshake::with(app.address(), &format!("/ws/chat/s5?token={carol}"), &bad).await;
    assert_eq!(refused.refusal(), (401, "unauthorized".into(), false));
}

async fn no_token_and_a_bad_one_are_refused(mode: Mode) {
    let app = start(mode).await;
    let unauthorized = (401, "unauthorized".to_owned(), false);
    assert_eq!(Handshake::with(app.address(), "/ws/chat/s1", &[]).await.refusal(), unauthorized);
    assert_eq!(refusal(&app, "s1", &Token::of("alice").ends_in(0)).await, unauthorized);
    assert_eq!(refusal(&app, "s1", &Token::of("")).await, unauthorized);
    // The reason names the bound.
    let long = format!("/ws/chat/s1?token={}", Token::of(&"é".repeat(257)).sign());
    let refused = Handshake::with(app.address(), &long, &[]).await;
    assert_eq!(refused.refusal(), unauthorized);
    assert!(refused.body().contains("its sub must name the user: 1 to 256 characters"), "{}", refused.body());
    let longest = format!("/ws/chat/long?token={}", Token::of(&"é".repeat(256)).sign());
    assert_eq!(Handshake::with(app.address(), &longest, &[]).await.status, 101);
    let forged = Token::of("alice").sign_with("another secret that is long enough for a hash");
    for token in [forged.as_str(), "rubbish", ""] {
        let path = format!("/ws/chat/s1?token={token}");
        assert_eq!(Handshake::with(app.address(), &path, &[]).await.refusal(), unauthorized, "{token}");
    }
    let ready = open(&app, "s1", &Token::of("alice")).await.ready;
    assert!(ready["expires_in_ms"].as_u64().is_some_and(|left| (1..=60_000).contains(&left)), "{ready}");
}

async fn the_first_user_of_a_session_owns_it(mode: Mode) {
    let app = start(mode).await;
    let (alice, bob) = (Token::of("alice"), Token::of("bob"));
    let mut socket = open(&app, "s1", &alice).await;
    assert_eq!(refusal(&app, "s1", &bob).await, (403, "not_allowed".into(), false));
    assert_eq!(open(&app, "s2", &bob).await.ready["user"], "bob");
    let again = open(&app, "s1", &alice).await;
    assert_eq!(again.ready["user"], "alice");
    socket.say("1", "hi").await;
    assert_eq!(socket.event_of("message").await["message"]["author"], "alice");
}

async fn session_patterns_say_which_sessions_may_be_opened(mode: Mode) {
    let app = start(mode).await;
    open(&app, "shop-1", &Token::of("alice")).await;
    let agent = Token::of("agent").sessions(&["shop-*", "desk"]);
    assert_eq!(open(&app, "shop-1", &agent).await.ready["user"], "agent", "also a session that another user owns");
    open(&app, "desk", &agent).await;
    assert_eq!(refusal(&app, "other", &agent).await, (403, "not_allowed".into(), false));
    assert_eq!(refusal(&app, "other", &Token::of("nobody").sessions(&[])).await.0, 403);
}

async fn group_patterns_say_which_groups_may_be_joined(mode: Mode) {
    let app = start(mode).await;
    let join = |group: &str| json!({"type": "group.join", "group": group});
    let mut plain = open(&app, "s1", &Token::of("alice")).await;
    assert_eq!(plain.ask("1", join("chat_s1")).await["type"], "ack");
    for (id, group) in [("2", "team-7"), ("3", "chat_s2")] {
        assert_eq!(plain.ask(id, join(group)).await["code"], "not_allowed", "{group}");
    }
    let mut member = open(&app, "s2", &Token::of("bob").groups(&["team-?", "chat_s1"])).await;
    for (id, group) in [("1", "team-7"), ("2", "chat_s1"), ("3", "chat_s2")] {
        assert_eq!(member.ask(id, join(group)).await["type"], "ack", "{group}");
    }
    for (id, group) in [("4", "team-70"), ("5", "chat_s3"), ("6", "other")] {
        assert_eq!(member.ask(id, join(group)).await["code"], "not_allowed", "{group}");
    }
}

async fn a_socket_is_closed_when_its_token_ends(mode: Mode) {
    let app = start(mode).await;
    // It comes in though the machine pauses.
    let mut short = open(&app, "s1", &Token::of("alice").ends_in(5)).await;
    let mut long = open(&app, "s1", &Token::of("alice")).await;
    let closing = short.closing().await;
    assert_eq!((&closing["code"], &closing["reconnect"]), (&json!(4500), &json!(false)));
    assert_eq!(long.ask("1", json!({"type": "ping"})).await["type"], "pong");
}

async fn a_fresh_token_of_the_same_user_prolongs_a_connection(mode: Mode) {
    let app = start(mode).await;
    // Both come in, and the fresh token comes in time, though the machine pauses.
    let mut socket = open(&app, "s1", &Token::of("alice").ends_in(6)).await;
    let mut unrefreshed = open(&app, "s1", &Token::of("alice").ends_in(6)).await;
    let refresh = |token: String| json!({"type": "auth.refresh", "token": token});
    let others = [
        ("1", Token::of("bob").sign()),
        ("2", "rubbish".to_owned()),
        ("3", Token::of("alice").ends_in(-1).sign()),
        ("4", Token::of("alice").sign_with("another secret that is long enough for a hash")),
    ];
    for (id, token) in others {
        let refused = socket.ask(id, refresh(token)).await;
        assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("not_allowed")), "{refused}");
    }
    let no_join = socket.ask("5", json!({"type": "group.join", "group": "team-7"})).await;
    assert_eq!(no_join["code"], "not_allowed");
    let fresh = Token::of("alice").groups(&["team-7"]).sign();
    assert_eq!(socket.ask("6", refresh(fresh)).await["type"], "ack");
    // The rights are those of the new token.
    assert_eq!(socket.ask("7", json!({"type": "group.join", "group": "team-7"})).await["type"], "ack");
    // The twin connection marks the moment at which this one would have been closed.
    assert_eq!(unrefreshed.closing().await["code"], 4500);
    assert_eq!(socket.ask("8", json!({"type": "ping"})).await["type"], "pong");
}

#[tokio::test]
async fn without_accounts_there_is_nothing_to_refresh() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    let mut socket = app.open("s1").await;
    let refused = socket.ask("1", json!({"type": "auth.refresh", "token": "t"})).await;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("bad_request")));
    assert_eq!(socket.ready.get("expires_in_ms"), None);
}

async fn the_connects_of_a_user_are_limited_from_wherever_they_come(mode: Mode) {
    let limits = [
        ("SOPHIE__LIMITS__ENABLED", "true"),
        ("SOPHIE__LIMITS__CONNECTS_PER_MINUTE", "3"),
        ("SOPHIE__SERVER__TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let app = TestApp::patient(mode, &[&limits[..], &JWT].concat()).await;
    let connect = async |user: &str, from: &str| {
        let path = format!("/ws/chat/{user}?token={}", Token::of(user).sign());
        Handshake::with(app.address(), &path, &[("x-forwarded-for", from)]).await
    };
    for from in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        assert_eq!(connect("alice", from).await.status, 101);
    }
    assert_eq!(connect("alice", "192.0.2.4").await.refusal(), (429, "rate_limited".into(), true));
    assert_eq!(connect("bob", "192.0.2.4").await.status, 101);
}
