//! How the cluster fares, live: `/admin/api/events`, and who is at the edge of a limit.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{ADMIN_TOKEN, Mode, SOON, TestApp, TestServer, eventually};

/// What is read of a stream of events, as it comes.
struct Events {
    response: reqwest::Response,
    read: String,
}

impl Events {
    async fn of(app: &TestApp) -> Self {
        let request = app.request("GET", "/admin/api/events").bearer_auth(ADMIN_TOKEN);
        let response = request.send().await.expect("sent");
        assert_eq!(response.status(), 200);
        Self { response, read: String::new() }
    }

    /// The next event, its name and its data; nothing: the stream has ended.
    async fn next(&mut self) -> Option<(String, Value)> {
        let within = Duration::from_secs(10);
        loop {
            while let Some((event, rest)) = self.read.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.read = rest;
                let mut lines = event.lines();
                if let Some(name) = lines.next().and_then(|line| line.strip_prefix("event: ")) {
                    let data = lines.next().and_then(|line| line.strip_prefix("data: ")).expect("data");
                    return Some((name.to_owned(), serde_json::from_str(data).expect("JSON")));
                }
            }
            let piece = tokio::time::timeout(within, self.response.chunk()).await.expect("something comes");
            self.read.push_str(std::str::from_utf8(&piece.ok()??).expect("a text"));
        }
    }

    /// The next look for which something holds.
    async fn look(&mut self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        loop {
            let (name, data) = self.next().await.expect("the stream goes on");
            if name == "figures" && holds(&data) {
                return data;
            }
            assert!(tokio::time::Instant::now() < deadline, "{what}: {data}");
        }
    }
}

in_both_modes!(
    consoles_are_told_who_waits_and_that_there_is_something_new_to_read,
    consoles_are_told_what_happened_and_then_what_happens,
    who_is_refused_by_a_limit_is_at_the_edge_until_it_is_given_back,
);

async fn consoles_are_told_what_happened_and_then_what_happens(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let mut events = Events::of(&app).await;
    let (name, history) = events.next().await.expect("an event");
    assert_eq!((name.as_str(), &history["tick_seconds"]), ("history", &json!(2)));
    // What was before the first look says nothing of when.
    events.look("a second look", |look| !look["point"].is_null()).await;
    let mut socket = app.open("s1").await;
    socket.send(json!({"type": "message.send", "id": "1", "text": "hello"})).await;
    socket.event_of("answer.end").await;
    let seen = events.look("an answer", |look| look["point"]["complete"] == 1).await;
    assert_eq!((&seen["point"]["nodes"], &seen["nodes"][0]["figures"]["misses"]), (&json!(1), &json!(1)), "{seen}");
    assert_eq!((&seen["nodes"][0]["sockets"], &seen["nodes"][0]["draining"]), (&json!(1), &json!(false)), "{seen}");
    // Who comes later is told of it as well.
    let (_, history) = Events::of(&app).await.next().await.expect("an event");
    let points = history["quarter"].as_array().expect("points");
    for of in ["complete", "misses"] {
        assert_eq!(points.iter().filter_map(|point| point[of].as_u64()).sum::<u64>(), 1, "{of}: {history}");
    }
    for of in ["append_ms", "first_piece_ms"] {
        assert!(points.iter().any(|point| point[of]["p99"].is_number()), "{of}: {history}");
    }
    app.stop().await.expect("stopped");
    while events.next().await.is_some() {}
}

async fn consoles_are_told_who_waits_and_that_there_is_something_new_to_read(mode: Mode) {
    let app = TestApp::patient(mode, &[("SOPHIE__SESSION__PERSON", "true")]).await;
    let mut events = Events::of(&app).await;
    let nothing = json!({"waiting": 0, "newest": null, "rating": null, "act": null});
    events.look("nothing yet", |look| look["news"] == nothing).await;
    let (mut one, mut other) = (app.open("s1").await, app.open("s2").await);
    assert_eq!(one.ask("p", json!({"type": "person.ask"})).await["type"], "ack");
    let first = events.look("who waits", |look| look["news"]["waiting"] == 1).await["news"].clone();
    assert_eq!((&first["newest"]["group"], &first["newest"]["user"]), (&json!("chat_s1"), &json!("guest:s1")));
    assert_eq!((&first["rating"], &first["act"]), (&Value::Null, &Value::Null), "{first}");
    // One goes and another one comes within one look: as many wait, and it is somebody else.
    assert_eq!(other.ask("p", json!({"type": "person.ask"})).await["type"], "ack");
    assert_eq!(app.admin("DELETE", "/admin/api/waiting/chat_s1", None).await.0, 200);
    // A look may fall between the two: then both wait.
    let another = |look: &Value| look["news"]["newest"]["group"] == "chat_s2" && look["news"]["waiting"] == 1;
    let second = events.look("another one", another).await["news"].clone();
    assert!(second["newest"]["since"].is_string(), "{second}");
    let acted = events.look("an act", |look| !look["news"]["act"].is_null()).await["news"]["act"].clone();
    for rating in [4, 5] {
        let before = events.look("a look", |_| true).await["news"]["rating"].clone();
        assert_eq!(one.ask(&format!("r{rating}"), json!({"type": "feedback", "rating": rating})).await["type"], "ack");
        let seen = events.look("a new rating", |look| look["news"]["rating"] != before).await["news"].clone();
        assert!(seen["rating"].is_string() && seen["act"] == acted, "{seen}");
    }
}

async fn who_is_refused_by_a_limit_is_at_the_edge_until_it_is_given_back(mode: Mode) {
    let limits = [
        ("SOPHIE__LIMITS__ENABLED", "true"),
        ("SOPHIE__LIMITS__USER_BURST", "1"),
        // Nothing comes back between the three.
        ("SOPHIE__LIMITS__USER_MESSAGES_PER_MINUTE", "1"),
    ];
    let app = TestApp::patient(mode, &limits).await;
    let mut socket = app.open("s1").await;
    for id in ["1", "2", "3"] {
        socket.send(json!({"type": "message.send", "id": id, "text": "hello", "assistant": false})).await;
    }
    let edge = eventually("two refusals", SOON, async || {
        let (status, body) = app.admin("GET", "/admin/api/limits", None).await;
        assert_eq!(status, 200);
        (body["edge"][0]["refused"] == 2).then_some(body)
    })
    .await;
    let first = &edge["edge"][0];
    assert_eq!((&first["subject"], &first["limit"]), (&json!("user:guest:s1"), &json!("user_messages")), "{edge}");
    let (status, _) = app.admin("DELETE", "/admin/api/limits/guest:s1", None).await;
    assert_eq!(status, 200);
    let (_, edge) = app.admin("GET", "/admin/api/limits", None).await;
    assert_eq!(edge["edge"], json!([]));
}

#[tokio::test]
async fn any_node_tells_of_the_whole_cluster() {
    let redis = TestServer::start();
    let nodes = [TestApp::one_of(&redis, "a", &[]).await, TestApp::one_of(&redis, "b", &[]).await];
    let mut events = Events::of(&nodes[0]).await;
    events.look("both nodes, twice", |look| look["point"]["nodes"] == 2).await;
    let mut socket = nodes[1].open("s1").await;
    socket.send(json!({"type": "message.send", "id": "1", "text": "hello"})).await;
    socket.event_of("answer.end").await;
    let seen = events.look("the other node's answer", |look| look["point"]["complete"] == 1).await;
    assert_eq!((&seen["point"]["nodes"], &seen["point"]["sockets"]), (&json!(2), &json!(1)), "{seen}");
    assert!(seen["point"]["redis_ms"]["p50"].is_number(), "{seen}");
}
