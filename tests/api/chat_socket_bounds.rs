//! What a client of the AI SDK's WebSocket may cost, and how its socket ends.

use std::time::Duration;

use serde_json::json;
use sophie_kit::ai_server::{AiServer, Script};

use crate::support::chat_socket::{ChatSocket, resume, send};
use crate::support::{Broker, Handshake, Mode, SOON, TestApp};

async fn start(ai: &AiServer, more: &[(&str, &str)]) -> TestApp {
    TestApp::patient(Mode::Memory, &[&ai.environment()[..], &[("SOPHIE__AI__RETRIES", "0")], more].concat()).await
}

#[tokio::test]
async fn what_belongs_to_a_request_is_refused_there_and_what_belongs_to_none_ends_the_socket() {
    let ai = AiServer::start().await;
    let app = start(&ai, &[]).await;
    let mut socket = ChatSocket::open(app.address()).await;
    let mut no_trigger = send("r1", "s1", "m1", "Tell me.");
    no_trigger["trigger"] = json!("now");
    for (request, frame) in [
        ("r1", no_trigger),
        ("r2", send("r2", "a b", "m1", "Tell me.")),
        ("r3", json!({"type": "hello", "requestId": "r3"})),
        ("r4", json!({"type": "resume", "requestId": "r4"})),
        ("r5", send("r5", "s1", "m1", " ")),
    ] {
        socket.send(&frame).await;
        let refused = socket.next().await.expect("a frame");
        assert_eq!((&refused["type"], &refused["requestId"]), (&json!("error"), &json!(request)));
        let sentence = refused["errorText"].as_str().expect("a sentence");
        assert!(sentence.ends_with('.') && sentence.starts_with(char::is_uppercase), "{sentence}");
    }
    for text in ["{}", "hello", r#"{"type":"send"}"#] {
        let mut socket = ChatSocket::open(app.address()).await;
        socket.send_text(text).await;
        assert_eq!(socket.closed().await, Some(1008), "{text}");
    }
    assert_eq!(ai.calls(), 0);
}

#[tokio::test]
async fn frames_and_requests_have_their_own_bounds() {
    let ai = AiServer::start().await;
    let app = start(&ai, &[("SOPHIE__CHAT__MAX_FRAME_BYTES", "200000")]).await;
    let mut socket = ChatSocket::try_open(app.address(), "/api/chat?wait=1").await.expect("connected");
    ai.push(Script::answer("Yes."));
    let mut long = send("r", "s1", "m1", "Tell me.");
    long["body"] = json!({"more": "x".repeat(150_000)});
    socket.send(&long).await;
    assert_eq!(socket.answered("r").await.text(), "Yes.", "longer than a frame of a session");
    for n in 0..33 {
        socket.send(&resume(&format!("w{n}"), &format!("w{n}"))).await;
    }
    let refused = socket.next().await.expect("a frame");
    assert_eq!((&refused["type"], &refused["requestId"]), (&json!("error"), &json!("w32")));
    assert_eq!(refused["errorText"], "Too much is asked for on this connection at once.");
    long["body"] = json!({"more": "x".repeat(200_000)});
    socket.send(&long).await;
    assert_eq!(socket.closed().await, Some(1009));
}

#[tokio::test]
async fn who_sends_without_end_is_closed_and_a_foreign_page_does_not_come_in() {
    let ai = AiServer::start().await;
    let app = start(&ai, &[("SOPHIE__LIMITS__ENABLED", "true"), ("SOPHIE__SESSION__COMMANDS_BURST", "50")]).await;
    let mut socket = ChatSocket::open(app.address()).await;
    for _ in 0..200 {
        let frame = json!({"type": "abort", "requestId": "nothing"}).to_string();
        if futures_util::SinkExt::send(&mut socket.stream, frame.into()).await.is_err() {
            break;
        }
    }
    assert_eq!(socket.closed().await, Some(1008));
    let foreign = [("origin", "https://elsewhere.example")];
    let refused = Handshake::with(app.address(), "/api/chat", &foreign).await;
    assert_eq!(refused.status, 403);
    let old = Handshake::with(app.address(), "/api/chat", &[("sec-websocket-version", "8")]).await;
    assert_eq!(old.status, 400);
    let offers = [("sec-websocket-protocol", "bearer.t, my-chat")];
    let chosen = Handshake::with(app.address(), "/api/chat", &offers).await;
    assert_eq!((chosen.status, chosen.protocol()), (101, Some("my-chat")));
}

#[tokio::test]
async fn an_answer_may_take_longer_than_a_client_that_is_nobody_may_stay() {
    let ai = AiServer::start().await;
    let app = start(&ai, &[]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut waits = ChatSocket::try_open(app.address(), "/api/chat?wait=1").await.expect("connected");
    waits.send(&resume("w", "s1")).await;
    let mut asks = ChatSocket::open(app.address()).await;
    asks.send(&send("r", "s2", "m1", "Tell me.")).await;
    gate.word("one ");
    assert_eq!(asks.word("r").await, "one ");
    // Each of the others has been there for longer.
    let mut nobody = ChatSocket::open(app.address()).await;
    assert_eq!(nobody.closed_within(Duration::from_secs(40)).await, Some(1008));
    gate.word("two");
    assert_eq!(asks.word("r").await, "two");
    ai.push(Script::answer("Yes."));
    asks.send(&send("r1", "s1", "m1", "And now?")).await;
    assert_eq!(waits.answered("w").await.text(), "Yes.");
}

#[tokio::test]
async fn a_slow_reader_gets_the_same_text_in_fewer_chunks() {
    let ai = AiServer::start().await;
    let app = start(&ai, &[]).await;
    // More than the way to a client that does not read holds.
    let words: Vec<String> = (0..30_000).map(|n| format!("word {n} of a long answer ")).collect();
    let word = |word: &String| json!({"choices": [{"index": 0, "delta": {"content": word}}]}).to_string();
    let script = words.iter().fold(Script::stream(), |script, text| script.event(&word(text)));
    ai.push(script.event(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#).done());
    let mut asks = ChatSocket::open(app.address()).await;
    asks.send(&send("r", "s1", "m1", "Tell me.")).await;
    ai.wait_finished(0, 3 * SOON).await;
    let answer = asks.answered("r").await;
    assert_eq!(answer.text(), words.concat());
    assert!(answer.chunks.len() < words.len() / 2, "{} chunks", answer.chunks.len());
}

#[tokio::test]
async fn a_node_that_goes_lets_answers_end_and_closes_with_1012() {
    let ai = AiServer::start().await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let environment = [&ai.environment()[..], &[("SOPHIE__SERVER__DRAIN_SECONDS", "20")]].concat();
    let mut broker = Broker::start(0, &environment).await;
    let mut idle = ChatSocket::try_open(broker.address, "/api/chat?wait=1").await.expect("connected");
    let mut busy = ChatSocket::open(broker.address).await;
    idle.send(&resume("w", "s9")).await;
    busy.send(&send("r", "s1", "m1", "Tell me.")).await;
    gate.word("one ");
    busy.word("r").await;
    broker.signal("-TERM");
    assert_eq!(idle.closed().await, Some(1012));
    let refused = busy.ask("r2", "s2", "m1", "And me?").await;
    assert_eq!(refused.last["errorText"], "This node is being restarted; try again.");
    gate.word("two");
    gate.finish();
    assert_eq!(busy.answered("r").await.last["type"], "end");
    assert_eq!(busy.closed().await, Some(1012));
    let left = tokio::task::spawn_blocking(move || broker.wait(Duration::from_secs(10))).await.expect("waited");
    assert_eq!(left.0, Some(0));
}
