//! A person in the chat: one takes over and hands back, somebody asks for one, and what comes of it. All who are in the group see it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Mode, Passage, Proxy, SOON, TestApp, TestServer, TestSocket, eventually};

in_both_modes!(
    who_takes_over_and_hands_back_is_seen_by_the_members_and_by_who_comes_later,
    a_group_that_asks_for_a_person_waits_until_one_comes,
    a_group_is_let_be_or_ends_and_waits_no_more,
    nobody_asks_where_they_may_not,
    the_same_id_asks_once,
);

const PERSON: (&str, &str) = ("SOPHIE__SESSION__PERSON", "true");

fn join(group: &str) -> Value {
    json!({"type": "group.join", "group": group})
}

/// What is told of the assistant and of people.
fn told(events: &[Value]) -> Vec<Value> {
    let of_people = |event: &&Value| event["type"] == "assistant" || event["type"] == "person";
    events.iter().filter(of_people).cloned().collect()
}

async fn waiting(app: &TestApp) -> Vec<Value> {
    let (status, page) = app.admin("GET", "/admin/api/waiting", None).await;
    assert_eq!(status, 200, "{page}");
    page["waiting"].as_array().expect("rows").clone()
}

async fn who_takes_over_and_hands_back_is_seen_by_the_members_and_by_who_comes_later(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let (mut one, mut other, mut stranger) = (app.open("s1").await, app.open("s2").await, app.open("s3").await);
    assert_eq!(one.ready["logs"]["chat_s1"].get("assistant"), None, "{}", one.ready);
    for socket in [&mut one, &mut other] {
        let ack = socket.ask("j", join("team")).await;
        assert_eq!((&ack["type"], ack.get("assistant")), (&json!("ack"), None), "{ack}");
    }
    let path = "/admin/api/groups/team/assistant";
    let off = json!({"type": "assistant", "group": "team", "on": false});
    for _ in 0..2 {
        assert_eq!(app.admin("DELETE", path, None).await, (200, json!({"group": "team", "assistant": false})));
    }
    for socket in [&mut one, &mut other] {
        assert_eq!(socket.event_of("assistant").await, off);
        assert_eq!(told(&socket.settled().await), [] as [Value; 0], "it is told on a change alone");
    }
    assert_eq!(told(&stranger.settled().await), [] as [Value; 0]);
    let late = stranger.ask("j", join("team")).await;
    assert_eq!((&late["assistant"], late.get("person")), (&json!(false), None), "{late}");
    let back = app.open("s1").await;
    assert_eq!(back.ready["logs"]["team"]["assistant"], false, "{}", back.ready);
    assert_eq!(back.ready["logs"]["chat_s1"].get("assistant"), None, "{}", back.ready);
    assert_eq!(app.admin("PUT", path, None).await, (200, json!({"group": "team", "assistant": true})));
    for socket in [&mut one, &mut other, &mut stranger] {
        assert_eq!(socket.event_of("assistant").await, json!({"type": "assistant", "group": "team", "on": true}));
    }
    assert_eq!(app.open("s1").await.ready["logs"]["team"].get("assistant"), None);
    let history = one.ask("h", json!({"type": "history.get", "group": "team"})).await;
    assert_eq!(history["events"], json!([]), "nothing of it is in the log");
}

async fn a_group_that_asks_for_a_person_waits_until_one_comes(mode: Mode) {
    let app = TestApp::patient(mode, &[PERSON]).await;
    let (mut one, mut other) = (app.open("s1").await, app.open("s2").await);
    one.ask("j", join("team")).await;
    other.ask("j", join("team")).await;
    let ask = |text: &str| json!({"type": "person.ask", "group": "team", "text": text});
    let (ack, asked) = one.ask_for("p1", ask("My order 17 is lost"), "person").await;
    assert_eq!(ack, json!({"type": "ack", "id": "p1"}));
    assert_eq!(asked, json!({"type": "person", "group": "team", "state": "asked"}));
    assert_eq!(other.event_of("person").await, asked);
    let first = waiting(&app).await;
    assert_eq!(first.len(), 1, "{first:?}");
    let row = |text: &str| {
        json!({"group": "team", "session": "s1", "user": "guest:s1", "text": text, "since": first[0]["since"],
               "members": 2, "assistant": true})
    };
    assert_eq!(first[0], row("My order 17 is lost"));
    assert_eq!(app.figure("sophie_people_waiting"), 1.0);
    // Asking again renews the words, keeps the place, and is nothing new to anybody.
    assert_eq!(one.ask("p2", ask("It has come, and is broken")).await["type"], "ack");
    assert_eq!(waiting(&app).await, [row("It has come, and is broken")]);
    assert_eq!((told(&one.settled().await), told(&other.settled().await)), (vec![], vec![]));
    // The home group waits behind it.
    assert_eq!(other.ask("p", json!({"type": "person.ask"})).await["type"], "ack");
    let groups = async |path: &str| -> (Vec<String>, Value) {
        let (_, page) = app.admin("GET", path, None).await;
        let rows = page["waiting"].as_array().unwrap_or_else(|| panic!("{page}"));
        let names = rows.iter().map(|row| row["group"].as_str().expect("a name").to_owned());
        (names.collect(), page["next_cursor"].clone())
    };
    let (page, next) = groups("/admin/api/waiting?limit=1").await;
    assert_eq!(page, ["team"]);
    let next = next.as_str().expect("one more page").to_owned();
    assert_eq!(
        groups(&format!("/admin/api/waiting?limit=1&cursor={next}")).await,
        (vec!["chat_s2".into()], Value::Null)
    );
    assert_eq!(groups("/admin/api/waiting?prefix=chat_").await.0, ["chat_s2"]);
    assert_eq!(app.admin("GET", "/admin/api/waiting?cursor=team", None).await.0, 400);
    let (_, group) = app.admin("GET", "/admin/api/groups/team", None).await;
    assert_eq!((&group["assistant"], &group["waiting"]["session"]), (&json!(true), &json!("s1")), "{group}");
    assert_eq!(app.open("s1").await.ready["logs"]["team"]["person"], "asked");
    assert_eq!(app.open("s4").await.ask("j", join("team")).await["person"], "asked");
    // The assistant answers until somebody takes over.
    let message = json!({"type": "message.send", "group": "team", "text": "Hello?"});
    assert_eq!(one.ask("m", message).await["type"], "ack");
    one.event_of("answer.end").await;
    app.admin("DELETE", "/admin/api/groups/team/assistant", None).await;
    for socket in [&mut one, &mut other] {
        assert_eq!(socket.event_of("person").await, json!({"type": "person", "group": "team", "state": "taken"}));
        assert_eq!(socket.event_of("assistant").await["on"], false);
    }
    assert_eq!(groups("/admin/api/waiting").await.0, ["chat_s2"]);
    app.admin("PUT", "/admin/api/groups/team/assistant", None).await;
    let events = vec![one.event_of("assistant").await];
    assert_eq!(told(&events), [json!({"type": "assistant", "group": "team", "on": true})]);
    assert_eq!(groups("/admin/api/waiting").await.0, ["chat_s2"], "handing back does not put it there again");
    assert_eq!(app.admin("GET", "/admin/api/groups/team", None).await.1["waiting"], Value::Null);
}

async fn a_group_is_let_be_or_ends_and_waits_no_more(mode: Mode) {
    let app = TestApp::patient(mode, &[PERSON]).await;
    let mut socket = app.open("s1").await;
    socket.ask("j", join("team")).await;
    for group in ["chat_s1", "team"] {
        let reply = socket.ask(group, json!({"type": "person.ask", "group": group})).await;
        assert_eq!(reply["type"], "ack", "{reply}");
    }
    assert_eq!(waiting(&app).await.len(), 2);
    socket.settled().await;
    let path = "/admin/api/waiting/chat_s1";
    assert_eq!(app.admin("DELETE", path, None).await, (200, json!({"group": "chat_s1", "assistant": true})));
    assert_eq!(socket.event_of("person").await, json!({"type": "person", "group": "chat_s1", "state": "dismissed"}));
    assert_eq!(app.admin("DELETE", path, None).await.0, 404);
    assert_eq!(app.admin("DELETE", "/admin/api/waiting/no%20name", None).await.0, 400);
    assert_eq!(app.admin("DELETE", "/admin/api/groups/team", None).await.0, 200);
    assert_eq!(socket.event_of("person").await, json!({"type": "person", "group": "team", "state": "dismissed"}));
    assert_eq!(socket.event_of("group.left").await["group"], "team");
    assert_eq!(waiting(&app).await, [] as [Value; 0]);
    assert_eq!(app.figure("sophie_people_waiting"), 0.0);
    // What an operator ends begins anew, with its assistant.
    app.admin("DELETE", "/admin/api/groups/chat_s1/assistant", None).await;
    assert_eq!(socket.event_of("assistant").await["on"], false);
    app.admin("DELETE", "/admin/api/groups/chat_s1", None).await;
    assert_eq!(socket.event_of("assistant").await, json!({"type": "assistant", "group": "chat_s1", "on": true}));
}

async fn nobody_asks_where_they_may_not(mode: Mode) {
    let app = TestApp::patient(mode, &[PERSON]).await;
    let mut socket = app.open("s1").await;
    for (command, code) in [
        (json!({"type": "person.ask", "group": "team"}), "not_member"),
        (json!({"type": "person.ask", "group": "chat_s2"}), "not_member"),
        (json!({"type": "person.ask", "group": "no name"}), "bad_request"),
        (json!({"type": "person.ask", "text": "x".repeat(2_001)}), "too_large"),
    ] {
        assert_eq!(socket.ask("p", command.clone()).await["code"], code, "{command}");
    }
    assert_eq!(waiting(&app).await, [] as [Value; 0]);
    let app = TestApp::patient(mode, &[]).await;
    let refused = app.open("s1").await.ask("p", json!({"type": "person.ask"})).await;
    assert_eq!(refused["code"], "not_allowed", "{refused}");
    assert!(refused["message"].as_str().is_some_and(|message| message.contains("session.person")), "{refused}");
}

async fn the_same_id_asks_once(mode: Mode) {
    let app = TestApp::patient(mode, &[PERSON]).await;
    let mut socket = app.open("s1").await;
    let ask = json!({"type": "person.ask", "text": "help"});
    assert_eq!(socket.ask("p", ask.clone()).await["type"], "ack");
    app.admin("DELETE", "/admin/api/groups/chat_s1/assistant", None).await;
    app.admin("PUT", "/admin/api/groups/chat_s1/assistant", None).await;
    // A client whose acknowledgement was lost sends it again, late.
    assert_eq!(socket.ask("p", ask).await, json!({"type": "ack", "id": "p"}));
    assert_eq!(waiting(&app).await, [] as [Value; 0]);
    let other = socket.ask("p", json!({"type": "person.ask", "text": "something else"})).await;
    assert_eq!(other["code"], "bad_request", "{other}");
}

async fn both(redis: &TestServer) -> [TestApp; 2] {
    [TestApp::one_of(redis, "n0", &[PERSON]).await, TestApp::one_of(redis, "n1", &[PERSON]).await]
}

#[tokio::test]
async fn members_at_every_node_see_what_is_asked_and_done_at_any() {
    let redis = TestServer::start();
    let nodes = both(&redis).await;
    let mut sockets = [nodes[0].open("s1").await, nodes[1].open("s2").await, nodes[1].open("s1").await];
    for socket in &mut sockets[..2] {
        socket.ask("j", join("team")).await;
    }
    let person = |state: &str| json!({"type": "person", "group": "team", "state": state});
    async fn all(sockets: &mut [TestSocket; 3], expected: &Value) {
        for socket in sockets {
            assert_eq!(socket.event_of(expected["type"].as_str().expect("a type")).await, *expected);
        }
    }
    assert_eq!(sockets[0].ask("p", json!({"type": "person.ask", "group": "team", "text": "x"})).await["type"], "ack");
    // The asker's own event may come before the acknowledgement; the others hear of it.
    for socket in &mut sockets[1..] {
        assert_eq!(socket.event_of("person").await, person("asked"));
    }
    // Who is at the other node is written down a moment after the join.
    for app in &nodes {
        eventually("both are counted", SOON, async || (waiting(app).await[0]["members"] == 2).then_some(())).await;
    }
    eventually("both nodes count it", SOON, async || {
        (nodes.iter().all(|app| app.figure("sophie_people_waiting") == 1.0)).then_some(())
    })
    .await;
    // Settled at the other node, by two at once.
    let path = "/admin/api/groups/team/assistant";
    let (here, there) = tokio::join!(nodes[0].admin("DELETE", path, None), nodes[1].admin("DELETE", path, None));
    assert_eq!((here.0, there.0), (200, 200));
    all(&mut sockets, &person("taken")).await;
    all(&mut sockets, &json!({"type": "assistant", "group": "team", "on": false})).await;
    nodes[1].admin("PUT", path, None).await;
    all(&mut sockets, &json!({"type": "assistant", "group": "team", "on": true})).await;
    for socket in &mut sockets {
        assert_eq!(told(&socket.settled().await), [] as [Value; 0], "each change once");
    }
}

#[tokio::test]
async fn what_a_node_did_not_hear_its_members_learn_when_it_hears_again() {
    let redis = TestServer::start();
    let proxy = Proxy::before(redis.port());
    let node = TestApp::one_at(format!("redis://127.0.0.1:{}/0", proxy.port), "n0", &[PERSON]).await;
    let mut socket = node.open("s1").await;
    assert_eq!(socket.ask("p", json!({"type": "person.ask"})).await["type"], "ack");
    socket.settled().await;
    // It comes back when the change is made, not before: nobody tells it of that.
    proxy.set(Passage::Closed);
    eventually("the node is cut off", SOON, async || {
        let ready = node.request("GET", "/health/ready").send().await.expect("a response");
        (ready.status() == 503).then_some(())
    })
    .await;
    let mut connection = redis.connection(0);
    let script =
        "redis.call('HSET', KEYS[1], 'assistant', 0, 'person', 'taken'); redis.call('HINCRBY', KEYS[1], 'changes', 1)";
    let changed: redis::RedisResult<()> = redis::Script::new(script).key("sophie:head:chat_s1").invoke(&mut connection);
    changed.expect("changed while nobody hears");
    proxy.set(Passage::Late(Duration::ZERO));
    assert_eq!(socket.event_of("person").await["state"], "taken");
    assert_eq!(socket.event_of("assistant").await["on"], false);
}

#[tokio::test]
async fn without_redis_nothing_is_confirmed_and_the_same_id_works_later() {
    let mut app = TestApp::start(Mode::Redis, &[PERSON]).await;
    let mut socket = app.open("s1").await;
    app.redis.as_mut().expect("a Redis").kill();
    let (ask, rate) = (json!({"type": "person.ask", "text": "help"}), json!({"type": "feedback", "rating": 4}));
    for (id, command) in [("p", &ask), ("f", &rate)] {
        assert_eq!(socket.ask(id, command.clone()).await["code"], "store_unavailable");
    }
    for path in ["/admin/api/waiting", "/admin/api/feedback", "/admin/api/audit"] {
        assert_eq!(app.admin("GET", path, None).await.0, 503, "{path}");
    }
    app.redis.as_mut().expect("a Redis").launch();
    for (id, command) in [("p", &ask), ("f", &rate)] {
        assert_eq!(socket.insist_on(id, command.clone()).await["type"], "ack");
    }
    let rows = eventually("it is listed", SOON, async || {
        let (status, page) = app.admin("GET", "/admin/api/waiting", None).await;
        (status == 200).then_some(page["waiting"].clone())
    });
    assert_eq!(rows.await[0]["text"], "help");
}
