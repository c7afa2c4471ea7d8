//! What operators see and do.

use serde_json::{Value, json};
use sophie_actors::ids::{GroupName, SessionId};

use crate::support::{ADMIN_TOKEN, Mode, SOON, TestApp, eventually};

in_both_modes!(
    groups_are_listed_by_name_in_pages,
    a_group_shows_its_members,
    who_is_told_of_having_joined_is_a_member,
    who_is_told_of_having_left_is_no_member,
    who_is_told_of_being_ready_is_there,
    an_operator_speaks_to_a_group,
    an_operator_takes_over_from_the_assistant_and_hands_back,
    an_ended_group_puts_its_members_out_and_a_home_group_begins_anew,
    sessions_are_listed_shown_and_disconnected,
);

fn names(list: &Value, of: &str) -> Vec<String> {
    let rows = list[format!("{of}s")].as_array().unwrap_or_else(|| panic!("{list}"));
    let key = if of == "group" { "name" } else { of };
    rows.iter().map(|row| row[key].as_str().expect("a name").to_owned()).collect()
}

/// Every page of a list, and how many there were.
async fn pages(app: &TestApp, path: &str, of: &str) -> (Vec<String>, usize) {
    let (mut all, mut cursor, mut count) = (Vec::new(), String::new(), 0);
    loop {
        let (status, page) = app.admin("GET", &format!("{path}{cursor}"), None).await;
        assert_eq!(status, 200, "{page}");
        all.extend(names(&page, of));
        count += 1;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (all, count),
        }
    }
}

async fn groups_are_listed_by_name_in_pages(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let mut socket = app.open("s1").await;
    for n in [7, 3, 1, 9, 5, 0, 2] {
        socket.ask("j", json!({"type": "group.join", "group": format!("team-{n}")})).await;
    }
    socket.ask("j", json!({"type": "group.join", "group": "Zoo"})).await;
    let (all, _) = pages(&app, "/admin/api/groups?", "group").await;
    assert_eq!(all, ["Zoo", "chat_s1", "team-0", "team-1", "team-2", "team-3", "team-5", "team-7", "team-9"]);
    let (teams, count) = pages(&app, "/admin/api/groups?prefix=team-&limit=3", "group").await;
    assert_eq!(teams, all[2..]);
    assert_eq!(count, 3);
    let (even, count) = pages(&app, "/admin/api/groups?prefix=team-&limit=7", "group").await;
    assert_eq!((even.len(), count), (7, 1), "a page that holds all names no next one");
    assert_eq!(pages(&app, "/admin/api/groups?prefix=none", "group").await.0, Vec::<String>::new());
    for bad in ["limit=0", "limit=1001", "limit=-1", "limit=x"] {
        let (status, body) = app.admin("GET", &format!("/admin/api/groups?{bad}"), None).await;
        assert_eq!((status, &body["error"]["code"]), (400, &json!("bad_request")), "{bad}");
    }
    let (_, page) = app.admin("GET", "/admin/api/groups?prefix=chat_s1", None).await;
    let row = &page["groups"][0];
    assert_eq!((&row["members"], &row["nodes"], &row["last_seq"]), (&json!(1), &json!(1), &json!(0)));
    assert!(row["created_at"].as_str() < row["expires_at"].as_str(), "{row}");
}

async fn a_group_shows_its_members(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let (_one, _two, mut other) = (app.open("s1").await, app.open("s1").await, app.open("s2").await);
    let mut first = app.open("s1").await;
    for socket in [&mut first, &mut other] {
        socket.ask("j", json!({"type": "group.join", "group": "team"})).await;
    }
    let (status, group) = app.admin("GET", "/admin/api/groups/team", None).await;
    assert_eq!((status, &group["name"], &group["total"]), (200, &json!("team"), &json!(2)), "{group}");
    let members = group["members"].as_array().expect("members");
    let seen: Vec<_> =
        members.iter().map(|m| (m["session"].as_str(), m["sockets"].as_u64(), m["kind"].as_str())).collect();
    assert_eq!(seen, [(Some("s1"), Some(3), Some("session")), (Some("s2"), Some(1), Some("session"))]);
    for field in ["user", "node", "since"] {
        assert!(members[0][field].is_string(), "{field} of {}", members[0]);
    }
    assert_eq!(app.admin("GET", "/admin/api/groups/none", None).await.0, 404);
    assert_eq!(app.admin("GET", "/admin/api/groups/bad%20name", None).await.0, 400);
}

async fn who_is_told_of_having_joined_is_a_member(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let mut socket = app.open("s1").await;
    // The reply and the next request go over different connections, so other threads may carry them.
    for number in 0..40 {
        let name = format!("team{number}");
        assert_eq!(socket.ask("j", json!({"type": "group.join", "group": name})).await["type"], "ack");
        let (status, group) = app.admin("GET", &format!("/admin/api/groups/{name}"), None).await;
        assert_eq!((status, &group["total"]), (200, &json!(1)), "{group}");
        assert_eq!(socket.ask("l", json!({"type": "group.leave", "group": name})).await["type"], "ack");
    }
}

async fn who_is_told_of_having_left_is_no_member(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let session = SessionId::parse("s1").expect("legal");
    let (mut socket, mut other) = (app.open("s1").await, app.open("s1").await);
    for number in 0..100 {
        let name = format!("team{number}");
        assert_eq!(socket.ask("j", json!({"type": "group.join", "group": name})).await["type"], "ack");
        socket.send(json!({"type": "group.leave", "group": name, "id": "l"})).await;
        while other.event_of("group.left").await["group"] != name {}
        let group = GroupName::parse(&name).expect("legal");
        assert!(!app.node().roster.is_member(&session, &group), "{name}");
        while socket.event().await["id"] != "l" {}
    }
}

async fn who_is_told_of_being_ready_is_there(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    for number in 0..40 {
        let name = format!("s{number}");
        let _socket = app.open(&name).await;
        let (status, group) = app.admin("GET", &format!("/admin/api/groups/chat_{name}"), None).await;
        assert_eq!((status, &group["total"]), (200, &json!(1)), "{group}");
    }
}

async fn an_operator_speaks_to_a_group(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let mut socket = app.open("s1").await;
    let path = "/admin/api/groups/chat_s1/messages";
    let speak = async |body: Value| {
        let request = app.request("POST", path).bearer_auth(ADMIN_TOKEN).header("idempotency-key", "k1");
        let response = request.json(&body).send().await.expect("a response");
        (response.status().as_u16(), response.json::<Value>().await.expect("JSON"))
    };
    let (status, said) = speak(json!({"text": "A person is here."})).await;
    assert_eq!((status, &said["seq"]), (200, &json!(1)));
    assert_eq!(speak(json!({"text": "A person is here."})).await, (200, said.clone()), "once");
    assert_eq!(speak(json!({"text": "Another."})).await.0, 409);
    let message = socket.event_of("message").await;
    assert_eq!((&message["seq"], &message["message"]["id"]), (&json!(1), &said["message"]));
    assert_eq!((&message["message"]["role"], &message["message"]["author"]), (&json!("operator"), &json!("operator")));
    let (status, _) = app.admin("POST", path, Some(json!({"event": {"type": "typing_operator"}}))).await;
    assert_eq!(status, 202);
    let event = socket.event_of("event").await;
    assert_eq!((&event["group"], &event["event"]), (&json!("chat_s1"), &json!({"type": "typing_operator"})));
    let (_, asked) = app.admin("POST", path, Some(json!({"text": "Sophie?", "assistant": true}))).await;
    assert_eq!(asked["seq"], 2, "the event was not logged");
    let start = socket.event_of("answer.start").await;
    assert_eq!(start["message"], asked["message"]);
    assert_eq!(socket.event_of("answer.end").await["seq"], 3);
}

async fn an_operator_takes_over_from_the_assistant_and_hands_back(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let mut socket = app.open("s1").await;
    let path = "/admin/api/groups/chat_s1/assistant";
    let (status, body) = app.admin("DELETE", path, None).await;
    assert_eq!((status, &body["assistant"]), (200, &json!(false)));
    let unanswered = socket.ask("q1", json!({"type": "message.send", "text": "Is anybody there?"})).await;
    assert_eq!(unanswered["type"], "ack", "{unanswered}");
    let session = SessionId::parse("s1").expect("legal");
    let decided = || async { (app.node().slots.taken(&session).await == 0).then_some(()) };
    eventually("the question is passed over", SOON, decided).await;
    assert_eq!(app.admin("PUT", path, None).await, (200, json!({"group": "chat_s1", "assistant": true})));
    let answered = socket.ask("q2", json!({"type": "message.send", "text": "And now?"})).await;
    assert_eq!(socket.event_of("answer.start").await["message"], answered["message"], "only the second is answered");
}

async fn an_ended_group_puts_its_members_out_and_a_home_group_begins_anew(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let (mut one, mut two) = (app.open("s1").await, app.open("s2").await);
    for socket in [&mut one, &mut two] {
        socket.ask("j", json!({"type": "group.join", "group": "team"})).await;
        socket.say("m1", "at home").await;
    }
    let (status, ended) = app.admin("DELETE", "/admin/api/groups/team", None).await;
    assert_eq!((status, &ended["left"]), (200, &json!(2)));
    for (socket, session) in [(&mut one, "s1"), (&mut two, "s2")] {
        loop {
            let left = socket.event_of("group.left").await;
            assert_eq!(left["group"], "team");
            if left["session"] == session {
                break;
            }
        }
        let said =
            socket.ask("x", json!({"type": "message.send", "group": "team", "text": "?", "assistant": false})).await;
        assert_eq!(said["code"], "not_member");
    }
    assert_eq!(app.admin("GET", "/admin/api/groups/team", None).await.0, 404);
    assert_eq!(app.admin("DELETE", "/admin/api/groups/team", None).await.0, 404);

    let epoch = one.ready["epoch"].clone();
    assert_eq!(app.admin("DELETE", "/admin/api/groups/chat_s1", None).await.0, 200);
    let reset = one.event_of("log.reset").await;
    assert_eq!((&reset["group"], &reset["seq"]), (&json!("chat_s1"), &json!(0)));
    assert_ne!(reset["epoch"], epoch);
    assert_eq!(one.say("m2", "anew").await["seq"], 1);
    drop(one);
    let back = app.open("s1").await;
    assert_eq!((&back.ready["seq"], &back.ready["groups"]), (&json!(1), &json!(["chat_s1"])));
}

async fn sessions_are_listed_shown_and_disconnected(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let mut sockets = Vec::new();
    for name in ["b2", "a1", "b1", "b3"] {
        sockets.push(app.open(name).await);
    }
    let mut second = app.open("b2").await;
    assert_eq!(pages(&app, "/admin/api/sessions?limit=2", "session").await.0, ["a1", "b1", "b2", "b3"]);
    assert_eq!(
        pages(&app, "/admin/api/sessions?prefix=b&limit=1", "session").await,
        (vec!["b1".into(), "b2".into(), "b3".into()], 3)
    );
    second.say("m1", "hello").await;
    let (status, shown) = app.admin("GET", "/admin/api/sessions/b2", None).await;
    assert_eq!((status, &shown["session"], &shown["last_seq"]), (200, &json!("b2"), &json!(1)));
    assert_eq!((&shown["groups"], &shown["answers"]), (&json!(["chat_b2"]), &json!(0)));
    let rows = shown["sockets"].as_array().expect("sockets");
    assert_eq!(rows.len(), 2);
    assert_eq!((&rows[0]["address"], rows[0]["queued_bytes"].is_u64()), (&json!("127.0.0.1"), true), "{shown}");
    assert!(shown["expires_at"].is_string() && rows[0]["node"].is_string() && rows[0]["since"].is_string(), "{shown}");

    let (status, closed) = app.admin("DELETE", "/admin/api/sessions/b2", None).await;
    assert_eq!((status, &closed["closed"]), (200, &json!(2)));
    for socket in [&mut sockets[0], &mut second] {
        let (events, code) = socket.until_closed().await;
        let last = events.last().expect("a goodbye");
        assert_eq!((&last["type"], &last["reconnect"], code), (&json!("session.closing"), &json!(false), Some(4502)));
    }
    eventually("no socket", SOON, async || {
        let (_, shown) = app.admin("GET", "/admin/api/sessions/b2", None).await;
        (shown["sockets"] == json!([])).then_some(())
    })
    .await;
    assert_eq!(app.admin("DELETE", "/admin/api/sessions/b2", None).await.0, 404);
    assert_eq!(app.admin("GET", "/admin/api/sessions/none", None).await.0, 404);
    assert_eq!(app.admin("GET", "/admin/api/sessions/bad%20name", None).await.0, 400);
    assert_eq!(sockets[1].ask("p", json!({"type": "ping"})).await["type"], "pong", "others stay");
}
