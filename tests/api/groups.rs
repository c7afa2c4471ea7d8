//! Groups between sessions: membership, messages, typing, and how many there may be.

use serde_json::{Value, json};

use crate::support::{Mode, SOON, TestApp, TestSocket, eventually};

async fn join(socket: &mut TestSocket, group: &str) -> Value {
    let ack = socket.ask("join", json!({"type": "group.join", "group": group})).await;
    assert_eq!(ack["type"], "ack", "{ack}");
    ack
}

fn said(group: &str, text: &str) -> Value {
    json!({"type": "message.send", "group": group, "text": text, "assistant": false})
}

fn of(events: &[Value], kind: &str) -> Vec<Value> {
    events.iter().filter(|event| event["type"] == kind).cloned().collect()
}

in_both_modes!(
    members_are_told_who_joins_and_who_leaves,
    a_message_reaches_all_members_and_nobody_else,
    members_are_sessions_with_a_live_socket_counted_once,
    typing_is_passed_on_once_a_second_to_the_others_and_not_logged,
    a_session_may_be_in_so_many_groups,
    home_groups_are_their_sessions_own,
);

async fn members_are_told_who_joins_and_who_leaves(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let (mut alice, mut bob) = (app.open("alice").await, app.open("bob").await);
    let ack = join(&mut alice, "team").await;
    assert_eq!((&ack["seq"], &ack["recovered"]), (&json!(0), &json!(false)));
    assert!(ack["epoch"].is_string());
    join(&mut bob, "team").await;
    // What a command does is done when the next one is answered.
    bob.settled().await;
    let joined = json!({"type": "group.joined", "group": "team", "session": "bob", "user": "guest:bob"});
    assert!(of(&alice.settled().await, "group.joined").contains(&joined));
    // Membership is the session's: neither another socket nor a second join is news.
    let mut tab = app.open("bob").await;
    assert_eq!(tab.ready["groups"], json!(["chat_bob", "team"]));
    join(&mut tab, "team").await;
    drop(tab);
    assert_eq!(bob.ask("l", json!({"type": "group.leave", "group": "team"})).await["type"], "ack");
    let left = json!({"type": "group.left", "group": "team", "session": "bob", "user": "guest:bob"});
    let told = alice.event().await;
    assert_eq!(told, left, "and nothing of sockets before it");
    assert_eq!(bob.ask("s", said("team", "still here?")).await["code"], "not_member");
    assert_eq!(app.open("bob").await.ready["groups"], json!(["chat_bob"]));
    alice.ask("s", said("team", "alone")).await;
    assert_eq!(of(&bob.settled().await, "message"), [Value::Null; 0]);
}

async fn a_message_reaches_all_members_and_nobody_else(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let (mut alice, mut bob, mut eve) = (app.open("alice").await, app.open("bob").await, app.open("eve").await);
    join(&mut alice, "team.one").await;
    join(&mut bob, "team.one").await;
    bob.settled().await;
    let mut tab = app.open("bob").await;
    let mut command = said("team.one", "one");
    command["id"] = "1".into();
    alice.send(command.clone()).await;
    let mut seen = alice.settled().await;
    assert_eq!((of(&seen, "ack").len(), &of(&seen, "ack")[0]["seq"]), (1, &json!(1)));
    command["text"] = "two".into();
    bob.send(command).await;
    let of_bob = bob.settled().await;
    assert_eq!(of(&of_bob, "ack")[0]["seq"], 2, "another session's ids are its own");
    seen.extend(alice.settled().await);
    for events in [seen, of_bob, tab.settled().await] {
        let messages = of(&events, "message");
        assert!(messages.iter().all(|event| event["group"] == "team.one"));
        let told: Vec<_> =
            messages.iter().map(|it| (&it["seq"], &it["message"]["author"], &it["message"]["text"])).collect();
        let expected = [(json!(1), json!("guest:alice"), json!("one")), (json!(2), json!("guest:bob"), json!("two"))];
        assert_eq!(told, expected.iter().map(|(seq, author, text)| (seq, author, text)).collect::<Vec<_>>());
    }
    // A group's sequence is its own.
    assert_eq!(alice.ask("home", said("chat_alice", "at home")).await["seq"], 1);
    assert_eq!(eve.settled().await, [Value::Null; 0]);
}

async fn members_are_sessions_with_a_live_socket_counted_once(mode: Mode) {
    let app = TestApp::patient(mode, &[("SOPHIE__SERVER__NODE", "n1")]).await;
    let (mut alice, mut bob) = (app.open("alice").await, app.open("bob").await);
    join(&mut alice, "team").await;
    join(&mut bob, "team").await;
    bob.settled().await;
    let tab = app.open("bob").await;
    let list = json!({"type": "group.members", "group": "team"});
    let reply = alice.ask("m", list.clone()).await;
    assert_eq!(
        (&reply["type"], &reply["group"], &reply["total"]),
        (&json!("group.members"), &json!("team"), &json!(2))
    );
    let members = reply["members"].as_array().expect("a list");
    let mut who: Vec<_> =
        members.iter().map(|it| (it["session"].as_str(), it["user"].as_str(), it["node"].as_str())).collect();
    who.sort();
    let expected = [("alice", "guest:alice"), ("bob", "guest:bob")].map(|(s, u)| (Some(s), Some(u), Some("n1")));
    assert_eq!(who, expected);
    assert!(members.iter().all(|it| it["since"].as_str().is_some_and(|since| since.ends_with('Z'))), "{reply}");
    drop(tab);
    assert_eq!(alice.ask("n", list.clone()).await["total"], 2, "bob has another socket");
    drop(bob);
    let asking = tokio::sync::Mutex::new(&mut alice);
    eventually("one member", SOON, || async {
        (asking.lock().await.ask("o", list.clone()).await["total"] == 1).then_some(())
    })
    .await;
    let told = alice.settled().await;
    assert_eq!(of(&told, "group.left"), [Value::Null; 0], "a lost socket is no lost membership");
    assert_eq!(app.open("bob").await.ready["groups"], json!(["chat_bob", "team"]));
}

async fn typing_is_passed_on_once_a_second_to_the_others_and_not_logged(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let (mut alice, mut bob) = (app.open("alice").await, app.open("bob").await);
    join(&mut alice, "team").await;
    join(&mut bob, "team").await;
    bob.settled().await;
    let started = tokio::time::Instant::now();
    for n in 0..20 {
        let reply = alice.ask(&format!("t{n}"), json!({"type": "group.typing", "group": "team"})).await;
        assert_eq!(reply["type"], "ack");
    }
    alice.ask("s", said("team", "typed")).await;
    alice.settled().await;
    let took = started.elapsed().as_secs() as usize;
    let seen = bob.settled().await;
    let typing = of(&seen, "typing");
    assert_eq!(typing[0], json!({"type": "typing", "group": "team", "user": "guest:alice"}));
    assert!((1..=took + 1).contains(&typing.len()), "{} in {took} s", typing.len());
    assert_eq!(of(&seen, "message")[0]["seq"], 1, "typing is not logged");
    assert_eq!(of(&alice.settled().await, "typing"), [Value::Null; 0]);
    // After a second it is news again.
    while of(&bob.settled().await, "typing").is_empty() {
        assert!(started.elapsed() < SOON, "typing is never news again");
        alice.ask("again", json!({"type": "group.typing", "group": "team"})).await;
    }
}

async fn a_session_may_be_in_so_many_groups(mode: Mode) {
    let app = TestApp::patient(mode, &[("SOPHIE__SESSION__MAX_GROUPS", "3")]).await;
    let mut socket = app.open("s1").await;
    for group in ["a", "b", "c", "a"] {
        join(&mut socket, group).await;
    }
    let refused = socket.ask("4", json!({"type": "group.join", "group": "d"})).await;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("not_allowed")));
    socket.ask("5", json!({"type": "group.leave", "group": "b"})).await;
    join(&mut socket, "d").await;
    assert_eq!(app.open("s1").await.ready["groups"], json!(["chat_s1", "a", "c", "d"]));
}

async fn home_groups_are_their_sessions_own(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let mut socket = app.open("s1").await;
    app.open("s2").await;
    for group in ["chat_s2", "chat_nobody"] {
        let refused = socket.ask("j", json!({"type": "group.join", "group": group})).await;
        assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("not_allowed")), "{group}");
    }
    join(&mut socket, "chat_s1").await;
    let refused = socket.ask("l", json!({"type": "group.leave", "group": "chat_s1"})).await;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("not_allowed")));
    // What only looks like a home group belongs to no session.
    join(&mut socket, "chat_").await;
    join(&mut socket, "chat_a.b").await;
    let longest = "g".repeat(99);
    join(&mut socket, &longest).await;
}
