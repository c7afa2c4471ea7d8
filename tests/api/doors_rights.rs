//! What a session may be in: by the newest that any of its sockets has shown, on whichever node.

use serde_json::{Value, json};

use crate::support::{Handshake, JWT, Mode, SOON, TestApp, TestServer, TestSocket, Token, eventually};

async fn start(mode: Mode) -> TestApp {
    TestApp::patient(mode, &[JWT[0], JWT[1]]).await
}

async fn open(app: &TestApp, session: &str, token: &Token) -> TestSocket {
    app.open_with(session, &format!("?token={}", token.sign())).await
}

fn alice(groups: &[&str]) -> Token {
    Token::of("alice").groups(groups)
}

async fn join(socket: &mut TestSocket, group: &str) -> Value {
    socket.ask("join", json!({"type": "group.join", "group": group})).await
}

async fn refresh(socket: &mut TestSocket, token: &Token) -> Value {
    socket.ask("refresh", json!({"type": "auth.refresh", "token": token.sign()})).await
}

/// Neither written nor read, by none of a session's ways.
async fn is_shut_out(socket: &mut TestSocket, group: &str, message: &str) {
    for command in [
        json!({"type": "message.send", "group": group, "text": "x", "assistant": false}),
        json!({"type": "history.get", "group": group}),
        json!({"type": "group.members", "group": group}),
        json!({"type": "group.typing", "group": group}),
        json!({"type": "group.leave", "group": group}),
    ] {
        let refused = socket.ask("shut", command.clone()).await;
        assert_eq!(refused["code"], "not_member", "{command} {refused}");
    }
    let retry = socket.ask("retry", json!({"type": "answer.retry", "message": message})).await;
    assert_eq!(retry["code"], "not_found", "{retry}");
    assert_eq!(join(socket, group).await["code"], "not_allowed");
}

async fn left(socket: &mut TestSocket, group: &str, session: &str) {
    let left = socket.event_of("group.left").await;
    assert_eq!((&left["group"], &left["session"]), (&json!(group), &json!(session)), "{left}");
}

async fn a_member_who_spoke(app: &TestApp, token: &Token) -> (TestSocket, String) {
    let mut socket = open(app, "s1", token).await;
    assert_eq!(join(&mut socket, "board").await["type"], "ack");
    let spoke = json!({"type": "message.send", "group": "board", "text": "secret", "assistant": false});
    let message = socket.ask("m", spoke).await["message"].as_str().expect("logged").to_owned();
    (socket, message)
}

in_both_modes!(
    who_comes_back_with_fewer_rights_is_out_of_what_was_lost,
    a_second_socket_with_fewer_rights_takes_them_from_the_first,
    a_refresh_with_fewer_rights_leaves_what_was_lost,
    the_newest_token_counts_however_old_ones_come_back,
    a_token_from_the_future_is_no_newer_than_now,
    what_an_ended_token_gave_ends_with_it,
    a_star_opens_no_home_group,
    a_refresh_must_be_good_for_the_session_too,
);

async fn who_comes_back_with_fewer_rights_is_out_of_what_was_lost(mode: Mode) {
    let app = start(mode).await;
    let mut watcher = open(&app, "w", &Token::of("bob").groups(&["board"])).await;
    join(&mut watcher, "board").await;
    let (gone, message) = a_member_who_spoke(&app, &alice(&["board", "team"])).await;
    drop(gone);
    let mut back = open(&app, "s1", &alice(&[])).await;
    assert_eq!(back.ready["groups"], json!(["chat_s1"]));
    left(&mut back, "board", "s1").await;
    left(&mut watcher, "board", "s1").await;
    is_shut_out(&mut back, "board", &message).await;
    watcher.ask("n", json!({"type": "message.send", "group": "board", "text": "n", "assistant": false})).await;
    assert!(back.settled().await.iter().all(|event| event["group"] != "board"));
    // A token that says nothing of groups gives none, either.
    let (gone, _) = a_member_who_spoke(&app, &alice(&["board"])).await;
    drop(gone);
    assert_eq!(open(&app, "s1", &Token::of("alice")).await.ready["groups"], json!(["chat_s1"]));
}

async fn a_second_socket_with_fewer_rights_takes_them_from_the_first(mode: Mode) {
    let app = start(mode).await;
    let (mut first, message) = a_member_who_spoke(&app, &alice(&["board"])).await;
    let second = open(&app, "s1", &alice(&["team"])).await;
    assert_eq!(second.ready["groups"], json!(["chat_s1"]));
    left(&mut first, "board", "s1").await;
    is_shut_out(&mut first, "board", &message).await;
    assert_eq!(join(&mut first, "team").await["type"], "ack", "what is newest counts for all sockets, more of it too");
}

async fn a_refresh_with_fewer_rights_leaves_what_was_lost(mode: Mode) {
    let app = start(mode).await;
    let (mut socket, message) = a_member_who_spoke(&app, &alice(&["board", "team"])).await;
    let mut other = open(&app, "s1", &alice(&["board", "team"])).await;
    assert_eq!(join(&mut socket, "team").await["type"], "ack");
    assert_eq!(refresh(&mut socket, &alice(&["team"])).await["type"], "ack");
    // With the reply it is done: nothing of the group is seen any more, whatever comes next.
    is_shut_out(&mut socket, "board", &message).await;
    left(&mut other, "board", "s1").await;
    is_shut_out(&mut other, "board", &message).await;
    let team = json!({"type": "history.get", "group": "team"});
    assert_eq!(socket.ask("h", team).await["type"], "history", "what is still allowed stays");
}

async fn the_newest_token_counts_however_old_ones_come_back(mode: Mode) {
    let app = start(mode).await;
    let old = alice(&["board"]).issued_in(-20);
    let (_first, message) = a_member_who_spoke(&app, &old).await;
    let _second = open(&app, "s1", &alice(&[]).issued_in(-10)).await;
    let mut third = open(&app, "s1", &old).await;
    is_shut_out(&mut third, "board", &message).await;
    assert_eq!(refresh(&mut third, &old).await["type"], "ack");
    is_shut_out(&mut third, "board", &message).await;
    assert_eq!(refresh(&mut third, &alice(&["board"]).issued_in(-5)).await["type"], "ack");
    assert_eq!(join(&mut third, "board").await["type"], "ack");
}

async fn a_token_from_the_future_is_no_newer_than_now(mode: Mode) {
    let app = start(mode).await;
    let (mut first, message) = a_member_who_spoke(&app, &alice(&["board"]).issued_in(3_600)).await;
    assert_eq!(refresh(&mut first, &alice(&[])).await["type"], "ack");
    is_shut_out(&mut first, "board", &message).await;
}

async fn what_an_ended_token_gave_ends_with_it(mode: Mode) {
    let app = start(mode).await;
    let mut stays = open(&app, "s1", &alice(&["team"]).issued_in(-10)).await;
    // Time enough for both joins on a machine that pauses.
    let mut short = open(&app, "s1", &alice(&["team", "vault"]).ends_in(6)).await;
    assert_eq!(join(&mut stays, "team").await["type"], "ack");
    assert_eq!(join(&mut stays, "vault").await["type"], "ack", "the newest counts for all");
    assert_eq!(short.closing().await["code"], 4500);
    left(&mut stays, "vault", "s1").await;
    assert_eq!(join(&mut stays, "vault").await["code"], "not_allowed");
    assert_eq!(stays.ask("h", json!({"type": "history.get", "group": "team"})).await["type"], "history");
}

async fn a_star_opens_no_home_group(mode: Mode) {
    let app = start(mode).await;
    let mut socket = open(&app, "s1", &alice(&["*", "c*"])).await;
    let refused = join(&mut socket, "chat_s2").await;
    assert_eq!(refused["code"], "not_allowed");
    assert!(refused["message"].as_str().is_some_and(|words| words.contains("chat_")), "{refused}");
    assert_eq!(join(&mut socket, "anything").await["type"], "ack");
    assert_eq!(refresh(&mut socket, &alice(&["chat_*"])).await["type"], "ack");
    assert_eq!(join(&mut socket, "chat_s2").await["type"], "ack");
}

async fn a_refresh_must_be_good_for_the_session_too(mode: Mode) {
    let app = start(mode).await;
    let mut socket = open(&app, "s1", &alice(&["board"]).sessions(&["s*"])).await;
    let elsewhere = refresh(&mut socket, &alice(&["board", "vault"]).sessions(&["t*"])).await;
    assert_eq!(elsewhere["code"], "not_allowed", "{elsewhere}");
    assert_eq!(join(&mut socket, "vault").await["code"], "not_allowed");
    // Somebody else owns this one, whom a token that names sessions has passed by.
    let _owner = open(&app, "t1", &Token::of("bob")).await;
    let mut guest = open(&app, "t1", &alice(&[]).sessions(&["t1"])).await;
    assert_eq!(refresh(&mut guest, &alice(&["vault"])).await["code"], "not_allowed");
    assert_eq!(refresh(&mut guest, &alice(&["vault"]).sessions(&["t1"])).await["type"], "ack");
}

#[tokio::test]
async fn rights_that_are_lost_at_one_node_are_lost_at_all() {
    let redis = TestServer::start();
    let (one, two) = (TestApp::one_of(&redis, "one", &JWT).await, TestApp::one_of(&redis, "two", &JWT).await);
    let (mut here, message) = a_member_who_spoke(&one, &alice(&["board"])).await;
    let mut there = open(&two, "s1", &alice(&["board"])).await;
    assert_eq!(there.ready["groups"], json!(["chat_s1", "board"]));
    assert_eq!(refresh(&mut here, &alice(&[])).await["type"], "ack");
    left(&mut there, "board", "s1").await;
    is_shut_out(&mut there, "board", &message).await;
    // The other way, by a connect.
    let fresh = alice(&["board"]);
    assert_eq!(refresh(&mut there, &fresh).await["type"], "ack");
    assert_eq!(join(&mut here, "board").await["type"], "ack");
    while there.event_of("group.joined").await["group"] != "board" {}
    let _third = open(&one, "s1", &alice(&["team"])).await;
    left(&mut there, "board", "s1").await;
    is_shut_out(&mut there, "board", &message).await;
}

#[tokio::test]
async fn a_node_that_could_not_hear_of_it_asks_when_it_hears_again() {
    let redis = TestServer::start();
    let (one, two) = (TestApp::one_of(&redis, "one", &JWT).await, TestApp::one_of(&redis, "two", &JWT).await);
    let (mut here, message) = a_member_who_spoke(&one, &alice(&["board"])).await;
    let mut there = open(&two, "s1", &alice(&["board"])).await;
    for round in 0..5 {
        // Every node loses its ear just before.
        redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("pubsub").query::<u64>(&mut redis.connection(0)).expect("cut");
        assert_eq!(refresh(&mut here, &alice(&[])).await["type"], "ack", "{round}");
        left(&mut there, "board", "s1").await;
        is_shut_out(&mut there, "board", &message).await;
        assert_eq!(refresh(&mut there, &alice(&["board"])).await["type"], "ack");
        assert_eq!(join(&mut there, "board").await["type"], "ack");
    }
}

#[tokio::test]
async fn the_owner_lives_as_long_as_the_log() {
    let week = [("SOPHIE__SESSION__LOG_SECONDS", "604800"), ("SOPHIE__AUTH__API_KEYS", "site:k")];
    let app = TestApp::patient(Mode::Redis, &[&week[..], &JWT].concat()).await;
    open(&app, "s1", &Token::of("alice")).await.say("1", "mine").await;
    let mut redis = app.redis().connection(0);
    let mut ttl = |key: &str| redis::cmd("TTL").arg(key).query::<i64>(&mut redis).expect("a time");
    let (owner, log) = (ttl("sophie:session:s1"), ttl("sophie:head:chat_s1"));
    assert!(log > 86_400 && owner >= log, "the owner for {owner} s, the log for {log} s");
    // A day later, as it were: alice is away, and the site writes to her.
    let mut redis = app.redis().connection(0);
    let _: () = redis::cmd("EXPIRE").arg("sophie:session:s1").arg(100).query(&mut redis).unwrap();
    let _: () = redis::cmd("HDEL").arg("sophie:head:chat_s1").arg("kept").query(&mut redis).unwrap();
    let spoke = app.request("POST", "/api/groups/chat_s1/messages").bearer_auth("k").json(&json!({"text": "news"}));
    assert_eq!(spoke.send().await.expect("sent").status(), 200);
    let mut ttl = |key: &str| redis::cmd("TTL").arg(key).query::<i64>(&mut redis).expect("a time");
    let (owner, log) = (ttl("sophie:session:s1"), ttl("sophie:head:chat_s1"));
    assert!(log > 86_400 && owner >= log, "the owner for {owner} s, the log for {log} s");
    let stranger = format!("/ws/chat/s1?token={}", Token::of("bob").sign());
    assert_eq!(Handshake::with(app.address(), &stranger, &[]).await.refusal().0, 403);
}

#[tokio::test]
async fn what_a_redis_that_came_back_empty_has_lost_is_written_again() {
    let app = TestApp::patient(Mode::Redis, &JWT).await;
    let mut socket = open(&app, "s1", &alice(&["board"])).await;
    let _: () = redis::cmd("FLUSHALL").query(&mut app.redis().connection(0)).unwrap();
    eventually("the owner is known again", SOON, async || {
        let mut redis = app.redis().connection(0);
        let owner: Option<String> = redis::cmd("HGET").arg("sophie:session:s1").arg("owner").query(&mut redis).unwrap();
        (owner.as_deref() == Some("alice")).then_some(())
    })
    .await;
    let stranger = format!("/ws/chat/s1?token={}", Token::of("bob").sign());
    assert_eq!(Handshake::with(app.address(), &stranger, &[]).await.refusal().0, 403);
    assert_eq!(join(&mut socket, "board").await["type"], "ack");
}
