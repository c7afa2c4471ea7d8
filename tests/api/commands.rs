//! Commands: each is answered exactly once, in order, and a message is logged once however often it is sent.

use serde_json::{Value, json};

use crate::support::{Mode, TestApp, TestSocket};

async fn start(mode: Mode) -> TestApp {
    TestApp::patient(mode, &[]).await
}

fn note(text: &str) -> Value {
    json!({"type": "message.send", "text": text, "assistant": false})
}

in_both_modes!(
    pipelined_commands_are_answered_once_each_and_in_order,
    a_message_reaches_every_socket_as_it_was_sent,
    an_id_is_acknowledged_again_and_its_message_not_repeated,
    an_id_that_is_sent_at_once_by_many_is_one_message,
    a_known_id_with_another_content_is_a_bad_request,
    commands_of_groups_that_the_session_is_not_in_are_refused,
    commands_without_an_id_are_carried_out_and_not_acknowledged,
);

async fn pipelined_commands_are_answered_once_each_and_in_order(mode: Mode) {
    let app = start(mode).await;
    let mut socket = app.open("s1").await;
    let mut expected = Vec::new();
    for round in 0..10 {
        let commands = [
            (note("hi"), "ack"),
            (json!({"type": "ping"}), "pong"),
            (json!({"type": "nonsense"}), "error"),
            (json!({"type": "group.join", "group": "team"}), "ack"),
            (json!({"type": "group.typing", "group": "team"}), "ack"),
            (json!({"type": "group.members", "group": "team"}), "group.members"),
            (json!({"type": "history.get", "limit": 1}), "history"),
            (json!({"type": "history.get", "limit": 0}), "error"),
            (json!({"type": "answer.cancel", "answer": "none"}), "error"),
            (json!({"type": "answer.retry", "message": "none"}), "error"),
            (json!({"type": "auth.refresh", "token": "t"}), "error"),
            (json!({"type": "group.leave", "group": "team"}), "ack"),
            (json!({"type": "group.leave", "group": "team"}), "error"),
            (json!({"type": "message.send", "text": ""}), "error"),
        ];
        for (n, (mut command, reply)) in commands.into_iter().enumerate() {
            let id = format!("{round}-{n}");
            command["id"] = id.clone().into();
            socket.send(command).await;
            expected.push((id, reply.to_owned()));
        }
    }
    let events = socket.settled().await;
    let replies: Vec<_> = events.iter().filter(|event| event.get("id").is_some()).collect();
    let pair = |event: &&Value| {
        let text = |name: &str| event[name].as_str().expect("text").to_owned();
        (text("id"), text("type"))
    };
    assert_eq!(replies.iter().map(pair).collect::<Vec<_>>(), expected);
    assert!(replies.iter().filter(|event| event["type"] == "error").all(|error| {
        error["code"].is_string() && error["message"].as_str().is_some_and(|sentence| !sentence.is_empty())
    }));
    let seqs: Vec<_> = events.iter().filter(|event| event["type"] == "message").map(|it| it["seq"].clone()).collect();
    assert_eq!(seqs, (1..=10).map(Value::from).collect::<Vec<_>>());
}

async fn a_message_reaches_every_socket_as_it_was_sent(mode: Mode) {
    let app = start(mode).await;
    let (mut sender, mut other) = (app.open("s1").await, app.open("s1").await);
    let mut command = note("Grüße 👋 \"quoted\" \u{0}");
    command["metadata"] = json!({"deep": {"list": [1, 2.5, null]}, "big": 9_007_199_254_740_993_u64});
    let ack = sender.ask("1", command.clone()).await;
    assert_eq!(ack["seq"], 1);
    let (here, there) = (sender.event_of("message").await, other.event_of("message").await);
    assert_eq!(here, there);
    assert_eq!((&here["group"], &here["seq"]), (&json!("chat_s1"), &json!(1)));
    let message = &here["message"];
    assert_eq!((&message["id"], &message["text"]), (&ack["message"], &command["text"]));
    assert_eq!((&message["role"], &message["author"]), (&json!("user"), &json!("guest:s1")));
    assert_eq!(message["metadata"], command["metadata"]);
    let at = message["created_at"].as_str().expect("text");
    let form: String = at.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert!(form.starts_with("0000-00-00T00:00:00") && form.ends_with('Z'), "{at}");
    sender.ask("2", note("plain")).await;
    assert_eq!(sender.event_of("message").await["message"].get("metadata"), None);
}

async fn an_id_is_acknowledged_again_and_its_message_not_repeated(mode: Mode) {
    let app = start(mode).await;
    let mut socket = app.open("s1").await;
    let first = socket.ask("1", note("once")).await;
    let second = socket.ask("2", note("between")).await;
    assert_eq!((&first["seq"], &second["seq"]), (&json!(1), &json!(2)));
    assert_eq!(socket.ask("1", note("once")).await, first);
    // Also over another connection, and after the first has gone: the id is the session's.
    let mut other = app.open("s1").await;
    drop(socket);
    assert_eq!(other.ask("1", note("once")).await, first);
    assert_eq!(other.ask("3", note("after")).await["seq"], 3);
    let texts: Vec<_> = messages(&other.settled().await);
    assert_eq!(texts, ["after"]);
    let mut stranger = app.open("s2").await;
    assert_eq!(stranger.ask("1", note("another session's")).await["seq"], 1);
}

fn messages(events: &[Value]) -> Vec<String> {
    let messages = events.iter().filter(|event| event["type"] == "message");
    messages.map(|event| event["message"]["text"].as_str().expect("text").to_owned()).collect()
}

async fn an_id_that_is_sent_at_once_by_many_is_one_message(mode: Mode) {
    let app = start(mode).await;
    let mut sockets: Vec<TestSocket> = Vec::new();
    for _ in 0..4 {
        sockets.push(app.open("s1").await);
    }
    for round in 0..5 {
        let mut command = json!({"type": "message.send", "text": "at once", "id": format!("r{round}")});
        command["assistant"] = (round == 4).into();
        for socket in &mut sockets {
            for _ in 0..3 {
                socket.send(command.clone()).await;
            }
        }
    }
    let mut acks = Vec::new();
    for socket in &mut sockets {
        // Seen here, the answer's end is the last of all: nothing else is under way.
        let mut events = Vec::new();
        while !events.last().is_some_and(|event: &Value| event["type"] == "answer.end") {
            events.push(socket.event().await);
        }
        events.extend(socket.settled().await);
        acks.push(events.iter().filter(|event| event["type"] == "ack").cloned().collect::<Vec<_>>());
        assert_eq!(messages(&events).len(), 5);
        assert_eq!(events.iter().filter(|event| event["type"] == "answer.start").count(), 1);
        assert_eq!(events.iter().filter(|event| event["type"] == "error").count(), 0);
    }
    let told: Vec<_> = acks[0].chunks(3).flat_map(|same| [same[0].clone(), same[0].clone(), same[0].clone()]).collect();
    assert_eq!(told.len(), 15);
    assert!(acks.iter().all(|acks| *acks == told), "every connection was told the same each time: {acks:#?}");
}

async fn a_known_id_with_another_content_is_a_bad_request(mode: Mode) {
    let app = start(mode).await;
    let mut socket = app.open("s1").await;
    socket.ask("join", json!({"type": "group.join", "group": "team"})).await;
    let mut original = note("original");
    original["metadata"] = json!({"a": 1, "b": 2});
    assert_eq!(socket.ask("1", original.clone()).await["seq"], 1);
    let changes = [
        ("text", json!("changed")),
        ("group", json!("team")),
        ("assistant", json!(true)),
        ("metadata", json!({"a": 1})),
        ("metadata", Value::Null),
    ];
    for (field, value) in changes {
        let mut changed = original.clone();
        changed[field] = value;
        let refused = socket.ask("1", changed).await;
        assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("bad_request")), "{field}");
    }
    // The same content in other words is the same message.
    let mut same = original.clone();
    same["group"] = "chat_s1".into();
    same["metadata"] = json!({"b": 2, "a": 1});
    assert_eq!(socket.ask("1", same).await["seq"], 1);
    assert_eq!(messages(&socket.settled().await), [""; 0]);
}

async fn commands_of_groups_that_the_session_is_not_in_are_refused(mode: Mode) {
    let app = start(mode).await;
    let mut socket = app.open("s1").await;
    app.open("s2").await;
    for (kind, group) in [
        ("message.send", "team"),
        ("message.send", "chat_s2"),
        ("history.get", "chat_s2"),
        ("group.members", "team"),
        ("group.typing", "team"),
        ("group.leave", "team"),
    ] {
        let refused = socket.ask("1", json!({"type": kind, "group": group, "text": "hi"})).await;
        assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("not_member")), "{kind} {group}");
    }
    for kind in ["message.send", "group.join", "group.leave", "group.members", "group.typing", "history.get"] {
        for group in [json!("a b"), json!(""), json!("x".repeat(100)), json!(7)] {
            let refused = socket.ask("1", json!({"type": kind, "group": group, "text": "hi"})).await;
            assert_eq!(
                (&refused["type"], &refused["code"]),
                (&json!("error"), &json!("bad_request")),
                "{kind} {group}"
            );
        }
    }
}

async fn commands_without_an_id_are_carried_out_and_not_acknowledged(mode: Mode) {
    let app = start(mode).await;
    let mut socket = app.open("s1").await;
    socket.send(json!({"type": "group.join", "group": "team"})).await;
    socket.send(json!({"type": "group.members", "group": "team"})).await;
    socket.send(json!({"type": "history.get"})).await;
    socket.send(json!({"type": "ping"})).await;
    socket.send(json!({"type": "group.leave", "group": "chat_s1"})).await;
    socket.send(note("a message needs an id")).await;
    let events = socket.settled().await;
    assert!(events.iter().all(|event| event.get("id").is_none()), "{events:?}");
    let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).collect::<Vec<_>>();
    assert_eq!((of("group.members")[0]["total"].as_u64(), of("history").len(), of("pong").len()), (Some(1), 1, 1));
    let codes: Vec<_> = of("error").iter().map(|error| error["code"].clone()).collect();
    assert_eq!(codes, ["not_allowed", "bad_request"]);
    assert_eq!((of("ack").len(), of("message").len()), (0, 0));
}

#[tokio::test]
async fn what_is_no_command_is_refused_and_the_connection_goes_on() {
    let app = start(Mode::Memory).await;
    let mut socket = app.open("s1").await;
    for (frame, code) in [
        ("", "bad_json"),
        ("nonsense", "bad_json"),
        ("[]", "bad_json"),
        ("{\"type\":", "bad_json"),
        ("{}", "bad_request"),
        ("{\"type\":1}", "bad_request"),
        ("{\"type\":\"ping\",\"id\":7}", "bad_request"),
        ("{\"type\":\"ping\",\"id\":\"\"}", "bad_request"),
        ("{\"type\":\"message.sent\"}", "unknown_type"),
        ("{\"type\":\"message.send\",\"text\":\"no id\"}", "bad_request"),
    ] {
        socket.send_text(frame).await;
        let error = socket.event().await;
        assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!(code)), "{frame}");
        assert_eq!(error.get("id"), None, "{frame}");
    }
    let too_long = "é".repeat(65);
    socket.send(json!({"type": "ping", "id": too_long})).await;
    assert_eq!(socket.event().await["code"], "bad_request");
    let longest = "é".repeat(64);
    assert_eq!(socket.ask(&longest, json!({"type": "ping"})).await["type"], "pong");
    assert_eq!(socket.ask("u", json!({"type": "unheard.of"})).await["code"], "unknown_type");
    for wrong in [json!({"text": 7}), json!({}), json!({"text": " \n"}), json!({"text": "x", "metadata": "no object"})]
    {
        let mut command = wrong.clone();
        command["type"] = "message.send".into();
        assert_eq!(socket.ask("w", command).await["code"], "bad_request", "{wrong}");
    }
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    let app = start(Mode::Memory).await;
    let mut socket = app.open("s1").await;
    for (n, kind) in ["message.send", "group.join", "history.get", "group.members", "ping"].iter().enumerate() {
        let command = json!({"type": kind, "group": "chat_s1", "text": "hi", "future": {"x": [1]}, "assistant": false});
        let reply = socket.ask(&n.to_string(), command).await;
        assert_ne!(reply["type"], "error", "{reply}");
    }
}

#[tokio::test]
async fn a_text_is_limited_in_characters_and_not_in_bytes() {
    let app = start(Mode::Memory).await;
    let mut socket = app.open("s1").await;
    let longest = "é".repeat(16_000);
    assert_eq!(socket.ask("1", note(&longest)).await["type"], "ack");
    assert_eq!(socket.event_of("message").await["message"]["text"], longest);
    let refused = socket.ask("2", note(&(longest + "x"))).await;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("too_large")));
    assert_eq!(socket.say("3", "the connection goes on").await["seq"], 2);
}
