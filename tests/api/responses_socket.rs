//! OpenAI's Responses over a WebSocket: lanes, what a connection remembers, its bounds, and how it ends.

use std::time::Duration;

use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};

use crate::support::response_socket::{ResponseSocket, create};
use crate::support::{Broker, Handshake, Mode, Pair, Reply, SOON, TestApp, start_with_ai, text_of};

in_both_modes!(
    a_response_is_told_and_is_found_by_http_as_well,
    responses_of_a_lane_wait_for_each_other_and_lanes_do_not,
    a_connection_goes_on_from_what_it_alone_knows,
    errors_name_what_is_wrong_and_the_lane,
    who_goes_away_ends_what_is_not_stored_and_nothing_else,
    steering_is_refused_and_the_input_comes_back,
    limits_are_asked_at_each_response,
);

async fn get(app: &TestApp, response: &Value) -> Reply {
    let id = response["id"].as_str().expect("an id");
    Reply::to(app.request("GET", &format!("/v1/responses/{id}"))).await
}

async fn a_response_is_told_and_is_found_by_http_as_well(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    ai.push(Script::answer("one two"));
    let mut socket = ResponseSocket::open(app.address()).await;
    socket.send(&create("?", json!({"stream_id": "a.b"}))).await;
    let created = socket.next().await.expect("an event");
    assert_eq!((&created["type"], &created["stream_id"]), (&json!("response.created"), &json!("a.b")));
    let response = socket.response_of("a.b").await;
    assert_eq!((text_of(&response).as_str(), &response["status"]), ("one two", &json!("completed")));
    assert_eq!(get(&app, &response).await.json(), response);
    // One connection after the other response.
    ai.push(Script::answer("three"));
    assert_eq!(text_of(&socket.ask(&create("!", json!({"store": false}))).await), "three");
}

async fn responses_of_a_lane_wait_for_each_other_and_lanes_do_not(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let mut socket = ResponseSocket::open(app.address()).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    socket.send(&create("1", json!({"stream_id": "a"}))).await;
    gate.word("first ");
    socket.word_of("a").await;
    socket.send(&create("2", json!({"stream_id": "a"}))).await;
    ai.push(Script::answer("beside"));
    socket.send(&create("3", json!({"stream_id": "b"}))).await;
    assert_eq!(text_of(&socket.response_of("b").await), "beside");
    assert_eq!(ai.calls(), 2, "the second of a lane is not asked yet");
    ai.push(Script::answer("second"));
    gate.finish();
    assert_eq!(text_of(&socket.response_of("a").await), "first ");
    assert_eq!(text_of(&socket.response_of("a").await), "second");
    assert_eq!(ai.call(2).body["messages"][0]["content"], "2");
}

async fn a_connection_goes_on_from_what_it_alone_knows(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let mut socket = ResponseSocket::open(app.address()).await;
    let said = socket.ask(&create("known", json!({"generate": false, "store": false}))).await;
    assert_eq!((&said["status"], &said["output"], ai.calls()), (&json!("completed"), &json!([]), 0));
    ai.push(Script::answer("first"));
    let first = socket.ask(&create("then", json!({"store": false, "previous_response_id": said["id"]}))).await;
    assert_eq!(text_of(&first), "first");
    ai.push(Script::answer("second"));
    let second = create("and", json!({"store": false, "previous_response_id": first["id"]}));
    assert_eq!(text_of(&socket.ask(&second).await), "second");
    let texts: Vec<Value> =
        ai.call(1).body["messages"].as_array().expect("messages").iter().map(|it| it["content"].clone()).collect();
    assert_eq!(texts, ["known", "then", "first", "and"]);
    let mut other = ResponseSocket::open(app.address()).await;
    let refused = other.ask(&second).await;
    assert_eq!((&refused["status"], &refused["error"]["code"]), (&json!(400), &json!("previous_response_not_found")));
    assert_eq!(get(&app, &first).await.status, 404, "it was not stored");
}

async fn errors_name_what_is_wrong_and_the_lane(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let mut socket = ResponseSocket::open(app.address()).await;
    for (frame, lane, param) in [
        (json!({"type": "session.update"}), Value::Null, "type"),
        (create("?", json!({"stream_id": "a b"})), Value::Null, "stream_id"),
        (create("?", json!({"stream_id": "a", "input": 7})), "a".into(), "input"),
        (create("?", json!({"stream_id": "a", "background": true})), "a".into(), "background"),
        (create("?", json!({"stream_id": "a", "tools": [{"type": "file_search"}]})), "a".into(), "tools[0].type"),
    ] {
        socket.send(&frame).await;
        let refused = socket.next().await.expect("an event");
        assert_eq!((&refused["type"], &refused["status"]), (&json!("error"), &json!(400)), "{refused}");
        assert_eq!((&refused["stream_id"], &refused["error"]["param"]), (&lane, &json!(param)), "{refused}");
    }
    ai.push(Script::refusal(401, "invalid_request_error", "invalid_api_key", &[]));
    let failed = socket.ask(&create("?", json!({}))).await;
    assert_eq!((&failed["type"], &failed["status"]), (&json!("error"), &json!(503)), "{failed}");
    ai.push(Script::answer("still there"));
    assert_eq!(text_of(&socket.ask(&create("?", json!({}))).await), "still there");
}

async fn who_goes_away_ends_what_is_not_stored_and_nothing_else(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut socket = ResponseSocket::open(app.address()).await;
    socket.send(&create("1", json!({"stream_id": "stored"}))).await;
    let created = socket.next_of("stored").await;
    gate.word("one ");
    socket.word_of("stored").await;
    let (script, passing) = Script::gated();
    ai.push(script);
    socket.send(&create("2", json!({"stream_id": "passing", "store": false}))).await;
    passing.word("half ");
    socket.word_of("passing").await;
    drop(socket);
    ai.wait_cancelled(1, SOON).await;
    gate.word("two");
    gate.finish();
    let id = created["response"]["id"].as_str().expect("an id");
    let rest = Reply::to(app.request("GET", &format!("/v1/responses/{id}?stream=true"))).await;
    assert!(rest.text.contains("response.completed") && rest.text.contains("two"), "{rest:?}");
}

async fn steering_is_refused_and_the_input_comes_back(mode: Mode) {
    let (_ai, app) = start_with_ai(mode, &[]).await;
    let mut socket = ResponseSocket::open(app.address()).await;
    socket.send(&json!({"type": "response.steer", "previous_response_id": "resp_x", "input": "rather this"})).await;
    let refused = socket.next().await.expect("an event");
    assert_eq!((&refused["type"], &refused["sequence_number"]), (&json!("response.steer.failed"), &json!(0)));
    assert_eq!(refused["error"]["code"], "steering_not_supported");
    assert_eq!(refused["steer"], json!({"previous_response_id": "resp_x", "input": "rather this"}));
}

async fn limits_are_asked_at_each_response(mode: Mode) {
    let limits = [
        ("SOPHIE__LIMITS__ENABLED", "true"),
        ("SOPHIE__LIMITS__KEY_REQUESTS_PER_MINUTE", "1"),
        ("SOPHIE__LIMITS__KEY_BURST", "2"),
    ];
    let (ai, app) = start_with_ai(mode, &limits).await;
    let mut socket = ResponseSocket::open(app.address()).await;
    let said = socket.ask(&create("?", json!({"generate": false}))).await;
    assert_eq!(said["status"], "completed", "{said}");
    ai.push(Script::answer("yes"));
    assert_eq!(text_of(&socket.ask(&create("?", json!({}))).await), "yes");
    let refused = socket.ask(&create("?", json!({}))).await;
    assert_eq!((&refused["status"], &refused["error"]["code"]), (&json!(429), &json!("rate_limit_exceeded")));
}

#[tokio::test]
async fn what_drops_with_its_connection_is_read_on_at_the_other_node() {
    let pair = Pair::start(&[]).await;
    let (script, gate) = Script::gated();
    pair.ai.push(script);
    let mut socket = ResponseSocket::open(pair.nodes[0].address()).await;
    socket.send(&create("?", json!({}))).await;
    let id = socket.next().await.expect("an event")["response"]["id"].as_str().expect("an id").to_owned();
    gate.word("one ");
    socket.word_of("").await;
    drop(socket);
    gate.word("two");
    gate.finish();
    let path = format!("/v1/responses/{id}?stream=true&starting_after=3");
    let rest = Reply::to(pair.nodes[1].request("GET", &path)).await;
    assert!(rest.text.contains("\"sequence_number\":4,") && !rest.text.contains("\"sequence_number\":3,"), "{rest:?}");
    assert!(rest.text.contains("\"text\":\"one two\""), "{rest:?}");
    let mut other = ResponseSocket::open(pair.nodes[1].address()).await;
    pair.ai.push(Script::answer("more"));
    let more = other.ask(&create("go on", json!({"previous_response_id": id}))).await;
    assert_eq!((text_of(&more).as_str(), &more["previous_response_id"]), ("more", &json!(id)));
}

#[tokio::test]
async fn a_connection_has_so_many_lanes_and_not_all_are_active_at_once() {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    ai.set_default(Script::silent_after_headers);
    let mut socket = ResponseSocket::open(app.address()).await;
    for n in 0..33 {
        socket.send(&create(&format!("{n}"), json!({"stream_id": format!("l{n}"), "store": false}))).await;
    }
    let refused = socket.next_of("l32").await;
    assert_eq!(refused["error"]["code"], "websocket_stream_limit_reached", "{refused}");
    ai.wait_calls(16, SOON).await;
    for n in 0..65 {
        socket.send(&create(&format!("{n}"), json!({"stream_id": "l0"}))).await;
    }
    // What a model is slow with may have been told as begun meanwhile.
    let refused = socket.response_of("l0").await;
    assert_eq!(refused["error"]["code"], "websocket_stream_limit_reached", "{refused}");
    assert_eq!(ai.calls(), 16, "the others wait for their turn");
}

#[tokio::test]
async fn who_may_not_come_in_is_told_at_the_handshake() {
    let app = TestApp::start(Mode::Memory, &[("SOPHIE__AUTH__API_KEYS", "shop:test-key")]).await;
    assert_eq!(ResponseSocket::try_open(app.address(), "wrong").await.err(), Some(401));
    assert_eq!(Reply::to(app.request("GET", "/v1/responses")).await.status, 405);
    let key = ("authorization", "Bearer test-key");
    let old = Handshake::with(app.address(), "/v1/responses", &[key, ("sec-websocket-version", "8")]).await;
    assert_eq!(old.status, 400);
    let off = TestApp::start(Mode::Memory, &[("SOPHIE__RESPONSES__WEBSOCKET", "false")]).await;
    assert_eq!(ResponseSocket::try_open(off.address(), "test-key").await.err(), Some(426));
}

#[tokio::test]
async fn a_node_that_goes_lets_responses_end_and_closes_with_1012() {
    let ai = AiServer::start().await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let more = [("SOPHIE__SERVER__DRAIN_SECONDS", "20"), ("SOPHIE__AUTH__API_KEYS", "shop:test-key")];
    let environment = [&ai.environment()[..], &more].concat();
    let mut broker = Broker::start(0, &environment).await;
    let mut idle = ResponseSocket::open(broker.address).await;
    let mut busy = ResponseSocket::open(broker.address).await;
    busy.send(&create("?", json!({}))).await;
    gate.word("one ");
    busy.word_of("").await;
    broker.signal("-TERM");
    assert_eq!(idle.closed().await, Some(1012));
    busy.send(&create("?", json!({"stream_id": "late"}))).await;
    assert_eq!(busy.next_of("late").await["error"]["code"], "draining");
    gate.word("two");
    gate.finish();
    assert_eq!(text_of(&busy.response_of("").await), "one two");
    assert_eq!(busy.closed().await, Some(1012));
    let left = tokio::task::spawn_blocking(move || broker.wait(Duration::from_secs(10))).await.expect("waited");
    assert_eq!(left.0, Some(0));
}
