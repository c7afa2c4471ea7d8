//! Connecting without accounts: names, subprotocols, origins, places, and the first event.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::support::{Handshake, Mode, SOON, TestApp, TestSocket, eventually, start_with_ai};

in_both_modes!(
    a_session_is_named_by_1_to_64_letters_digits_underscores_and_hyphens,
    the_first_event_says_all_that_a_client_must_know,
    a_draining_node_takes_no_new_sockets,
    too_many_connects_of_one_address_are_refused,
    membership_outlasts_sockets_and_the_session_in_memory,
);

async fn a_session_is_named_by_1_to_64_letters_digits_underscores_and_hyphens(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    for name in ["a", "Az_09-", &"x".repeat(64)] {
        assert_eq!(app.open(name).await.ready["session"], name);
    }
    for name in ["a.b", "a%20b", "a%2Fb", "%C3%BC", "a:b", &"x".repeat(65)] {
        let refused = Handshake::with(app.address(), &format!("/ws/chat/{name}"), &[]).await;
        assert_eq!(refused.refusal(), (400, "bad_request".into(), false), "{name}");
    }
    for path in ["/ws/chat/", "/ws/chat", "/ws/chat/a/b", "/ws/other/a", "/ws"] {
        let refused = Handshake::with(app.address(), path, &[]).await;
        assert_eq!(refused.refusal(), (404, "not_found".into(), false), "{path}");
    }
}

async fn the_first_event_says_all_that_a_client_must_know(mode: Mode) {
    let app = TestApp::patient(mode, &[("SOPHIE__SERVER__NODE", "n1")]).await;
    let mut first = app.open("s1").await;
    let ready = &first.ready;
    assert_eq!((&ready["session"], &ready["user"], &ready["node"]), (&json!("s1"), &json!("guest:s1"), &json!("n1")));
    assert_eq!((&ready["seq"], &ready["recovered"], &ready["answers"]), (&json!(0), &json!(false), &json!([])));
    assert_eq!((&ready["ping_interval_ms"], &ready["protocol"]), (&json!(25_000), &json!("sophie.v1")));
    assert_eq!(ready["groups"], json!(["chat_s1"]));
    assert_eq!(ready["logs"], json!({"chat_s1": {"epoch": ready["epoch"], "seq": 0}}));
    assert!(ready["epoch"].as_str().is_some_and(|epoch| !epoch.is_empty()));
    let epoch = ready["epoch"].clone();
    first.say("1", "one").await;
    let joined = first.ask("2", json!({"type": "group.join", "group": "team-7"})).await;
    first.event_of("group.joined").await;
    let second = app.open("s1").await.ready;
    assert_eq!((&second["epoch"], &second["seq"]), (&epoch, &json!(1)));
    assert_eq!(second["groups"], json!(["chat_s1", "team-7"]));
    let logs = json!({"chat_s1": {"epoch": epoch, "seq": 1}, "team-7": {"epoch": joined["epoch"], "seq": 0}});
    assert_eq!(second["logs"], logs);
}

async fn a_draining_node_takes_no_new_sockets(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[("SOPHIE__SERVER__DRAIN_SECONDS", "8")]).await;
    let (script, gate) = sophie_kit::ai_server::Script::gated();
    ai.push(script);
    let mut socket = app.open("s1").await;
    socket.ask("1", json!({"type": "message.send", "text": "a long answer keeps the node"})).await;
    socket.event_of("answer.start").await;
    let address = app.address();
    let stopping = tokio::spawn(app.stop());
    let refused = eventually("a refusal", SOON, || async {
        let answer = Handshake::with(address, "/ws/chat/s2", &[]).await;
        (answer.status != 101).then_some(answer)
    })
    .await;
    assert_eq!(refused.refusal(), (503, "draining".into(), true));
    gate.finish();
    let closing = socket.closing().await;
    assert_eq!((&closing["code"], &closing["reconnect"]), (&json!(4001), &json!(true)));
    stopping.await.expect("no panic").expect("a good end");
}

/// Name and value.
type Header = (&'static str, &'static str);

#[tokio::test]
async fn the_subprotocol_is_answered_when_it_is_offered_and_is_the_default() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    let offers: [(&[Header], Option<&str>); 6] = [
        (&[], None),
        (&[("sec-websocket-protocol", "sophie.v1")], Some("sophie.v1")),
        (&[("sec-websocket-protocol", "graphql-ws, sophie.v1")], Some("sophie.v1")),
        (&[("sec-websocket-protocol", "graphql-ws"), ("sec-websocket-protocol", "sophie.v1")], Some("sophie.v1")),
        (&[("sec-websocket-protocol", "bearer.abc.def, sophie.v1")], Some("sophie.v1")),
        (&[("sec-websocket-protocol", "bearer.abc.def")], None),
    ];
    for (headers, expected) in offers {
        let accepted = Handshake::with(app.address(), "/ws/chat/s1", headers).await;
        assert_eq!((accepted.status, accepted.protocol()), (101, expected), "{headers:?}");
        let mut socket = accepted.socket().await;
        assert_eq!(socket.ready["protocol"], "sophie.v1");
        assert_eq!(socket.ask("1", json!({"type": "ping"})).await["type"], "pong");
    }
    for offer in ["graphql-ws", "bearer.abc, graphql-ws", "sophie.v2", "SOPHIE.V1"] {
        let refused = Handshake::with(app.address(), "/ws/chat/s1", &[("sec-websocket-protocol", offer)]).await;
        assert_eq!(refused.refusal(), (400, "bad_request".into(), false), "{offer}");
    }
}

#[tokio::test]
async fn without_a_list_only_pages_of_the_same_host_may_connect() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    let own = format!("http://{}", app.address());
    assert_eq!(Handshake::with(app.address(), "/ws/chat/s1", &[("origin", &own)]).await.status, 101);
    assert_eq!(Handshake::with(app.address(), "/ws/chat/s1", &[]).await.status, 101);
    for origin in ["https://evil.example", "http://127.0.0.1:1", "null"] {
        let refused = Handshake::with(app.address(), "/ws/chat/s1", &[("origin", origin)]).await;
        assert_eq!(refused.refusal(), (403, "not_allowed".into(), false), "{origin}");
    }
}

#[tokio::test]
async fn a_list_of_origins_decides_alone() {
    let list = ("SOPHIE__SERVER__ALLOWED_ORIGINS", "https://app.example.com,https://*.shop.example");
    let app = TestApp::patient(Mode::Memory, &[list]).await;
    for origin in ["https://app.example.com", "https://a.shop.example"] {
        assert_eq!(Handshake::with(app.address(), "/ws/chat/s1", &[("origin", origin)]).await.status, 101, "{origin}");
    }
    assert_eq!(Handshake::with(app.address(), "/ws/chat/s1", &[]).await.status, 101);
    let own = format!("http://{}", app.address());
    for origin in ["http://app.example.com", "https://shop.example", &own] {
        let refused = Handshake::with(app.address(), "/ws/chat/s1", &[("origin", origin)]).await;
        assert_eq!(refused.refusal(), (403, "not_allowed".into(), false), "{origin}");
    }
}

#[tokio::test]
async fn a_full_service_says_when_to_come_back_and_a_place_that_is_left_is_free() {
    let app = TestApp::patient(Mode::Memory, &[("SOPHIE__SERVER__MAX_CONNECTIONS", "1")]).await;
    let mut only = app.open("s1").await;
    let refused = Handshake::with(app.address(), "/ws/chat/s2", &[]).await;
    assert_eq!(refused.refusal(), (503, "overloaded".into(), true));
    only.stream.close(None).await.expect("closed");
    only.until_closed().await;
    eventually("a free place", SOON, || async {
        (Handshake::with(app.address(), "/ws/chat/s2", &[]).await.status == 101).then_some(())
    })
    .await;
}

async fn too_many_connects_of_one_address_are_refused(mode: Mode) {
    let limits = [("SOPHIE__LIMITS__ENABLED", "true"), ("SOPHIE__LIMITS__CONNECTS_PER_MINUTE", "3")];
    let app = TestApp::patient(mode, &[limits[0], limits[1]]).await;
    for session in ["s1", "s2", "s1"] {
        app.open(session).await;
    }
    let refused = Handshake::with(app.address(), "/ws/chat/s3", &[]).await;
    assert_eq!(refused.refusal(), (429, "rate_limited".into(), true));
}

#[tokio::test]
async fn a_plain_request_and_a_bad_place_to_resume_from_are_refused_in_words() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    let plain = app.request("GET", "/ws/chat/s1").send().await.expect("a response");
    assert_eq!(plain.status(), 400);
    let body: serde_json::Value = plain.json().await.expect("JSON");
    assert_eq!(body["error"]["code"], "bad_request");
    let refused = Handshake::with(app.address(), "/ws/chat/s1?since=x&epoch=e", &[]).await;
    assert_eq!(refused.refusal(), (400, "bad_request".into(), false));
}

async fn membership_outlasts_sockets_and_the_session_in_memory(mode: Mode) {
    let app = TestApp::patient(mode, &[("SOPHIE__SESSION__IDLE_SECONDS", "0")]).await;
    let mut socket = app.open("s1").await;
    let joined = socket.ask("1", json!({"type": "group.join", "group": "team-7"})).await;
    let said = json!({"type": "message.send", "text": "hi", "group": "team-7", "assistant": false});
    assert_eq!(socket.ask("2", said).await["seq"], 1);
    drop(socket);
    eventually("the session to leave memory", SOON, || async {
        (app.node().roster.count().sessions == 0).then_some(())
    })
    .await;
    let back = app.open("s1").await;
    assert_eq!(back.ready["groups"], json!(["chat_s1", "team-7"]));
    assert_eq!(back.ready["logs"]["team-7"], json!({"epoch": joined["epoch"], "seq": 1}));
}

#[tokio::test]
async fn a_silent_client_is_pinged_and_then_closed() {
    // Longer than a busy machine keeps the other client from answering.
    let pings = [("SOPHIE__SESSION__PING_SECONDS", "4"), ("SOPHIE__SESSION__PONG_SECONDS", "4")];
    let app = TestApp::patient(Mode::Memory, &[pings[0], pings[1]]).await;
    let mut alive = app.open("alive").await;
    assert_eq!(alive.ready["ping_interval_ms"], 4_000);
    // Read as bytes, nothing answers the pings.
    let mut bytes = TestSocket::open(app.address(), "silent", "").await.stream.into_inner();
    let mut sent = Vec::new();
    let until = tokio::time::Instant::now() + 2 * SOON;
    while tokio::time::timeout(Duration::from_millis(100), bytes.read_to_end(&mut sent)).await.is_err() {
        assert!(tokio::time::Instant::now() < until, "not closed in time");
        // The other client reads on, and with that answers.
        alive.settled().await;
    }
    let sent = String::from_utf8_lossy(&sent);
    assert!(sent.contains("\"session.closing\",\"code\":4003") && sent.contains("\"reconnect\":true"), "{sent}");
    alive.settled().await;
}
