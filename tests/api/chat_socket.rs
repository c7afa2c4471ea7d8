//! Chats over a WebSocket, as the `WebSocketChatTransport` of the AI SDK speaks.

use std::time::Duration;

use futures_util::SinkExt;
use serde_json::{Value, json};
use sophie_kit::ai_server::Script;
use tokio_tungstenite::tungstenite::Message;

use crate::support::chat_socket::{ChatSocket, abort, resume, send};
use crate::support::{JWT, Pair, SOON, Token, eventually};

/// Longer than a stop is held for a hand-over, on a busy machine too.
const HELD: Duration = Duration::from_millis(600);

async fn open(pair: &Pair, node: usize) -> ChatSocket {
    ChatSocket::open(pair.nodes[node].address()).await
}

#[tokio::test]
async fn a_question_is_answered_in_chunks_that_are_counted_and_the_same_one_alike() {
    let pair = Pair::start(&[]).await;
    pair.ai.push(Script::slow_answer("Words, märchenhaft schön.", Duration::from_millis(10)));
    let mut socket = open(&pair, 0).await;
    let answer = socket.ask("r1", "s1", "m1", "Tell me.").await;
    assert_eq!(answer.text(), "Words, märchenhaft schön.");
    assert_eq!(answer.last, json!({"type": "end", "requestId": "r1"}));
    assert_eq!(answer.chunks[0]["type"], "start");
    assert_eq!(answer.chunks.last().expect("a chunk")["finishReason"], "stop");
    let again = open(&pair, 1).await.ask("r1", "s1", "m1", "Tell me.").await;
    assert_eq!((again.text(), &again.chunks[0]), (answer.text(), &answer.chunks[0]));
    let other = socket.ask("r2", "s1", "m1", "Something else.").await;
    assert_eq!(other.last["errorText"], "Another message was sent under this id.");
    assert_eq!(pair.ai.calls(), 1);
}

#[tokio::test]
async fn who_resumes_is_told_all_from_the_first_chunk_and_a_closed_socket_ends_nothing() {
    let pair = Pair::start(&[]).await;
    let (script, gate) = Script::gated();
    pair.ai.push(script);
    let (mut one, mut two) = (open(&pair, 0).await, open(&pair, 1).await);
    two.send(&resume("r0", "s1")).await;
    assert_eq!(two.next().await, Ok(json!({"type": "no-active", "requestId": "r0"})));
    one.send(&send("r1", "s1", "m1", "Tell me.")).await;
    gate.word("one ");
    assert_eq!(one.word("r1").await, "one ");
    drop(one);
    two.send(&resume("r1", "s1")).await;
    assert_eq!(two.next().await, Ok(json!({"type": "start", "requestId": "r1"})));
    assert_eq!(two.word("r1").await, "one ");
    let mut counted = resume("r2", "s1");
    counted["lastSequence"] = 6.into();
    two.counts_from("r2", 7);
    two.send(&counted).await;
    assert_eq!(two.word("r2").await, "one ");
    let second = two.ask("r3", "s1", "m2", "And now?").await;
    assert_eq!(second.last["errorText"], "A response is already active for this chat.");
    gate.word("two");
    gate.finish();
    assert_eq!(two.answered("r1").await.text(), "two");
    assert_eq!(pair.ai.calls(), 1);
}

#[tokio::test]
async fn the_abort_of_a_question_stops_its_answer_wherever_it_is_written() {
    let pair = Pair::start(&[]).await;
    let mut socket = open(&pair, 0).await;
    for (n, says_something) in [true, false].into_iter().enumerate() {
        let (script, gate) = Script::gated();
        pair.ai.push(script);
        let request = format!("r{n}");
        socket.send(&send(&request, &format!("s{n}"), "m1", &format!("Tell me {n}."))).await;
        if says_something {
            gate.word("half");
            socket.word(&request).await;
        } else {
            pair.ai.wait_calls(n + 1, SOON).await;
        }
        socket.send(&abort(&request)).await;
        pair.ai.wait_cancelled(n, SOON).await;
    }
    socket.send(&abort("unknown")).await;
    // What was said before the stop came in may still be on its way; nothing is said behind this.
    socket.send(&resume("behind", "s2")).await;
    assert_eq!(socket.answered("behind").await.last["type"], "no-active");
    socket.is_quiet_for(Duration::from_millis(100)).await;
}

#[tokio::test]
async fn the_abort_of_a_resume_stops_unless_it_is_resumed_at_once() {
    let pair = Pair::start(&[]).await;
    let (script, gate) = Script::gated();
    pair.ai.push(script);
    let (mut one, mut two) = (open(&pair, 0).await, open(&pair, 1).await);
    one.send(&send("r", "s1", "m1", "Tell me.")).await;
    gate.word("one ");
    one.word("r").await;
    two.send(&resume("r1", "s1")).await;
    two.word("r1").await;
    // In one piece: a client that pauses between them for longer than a stop is held has stopped it.
    for frame in [abort("r1"), resume("r2", "s1")] {
        two.stream.feed(Message::text(frame.to_string())).await.expect("taken");
    }
    two.stream.flush().await.expect("sent");
    two.word("r2").await;
    tokio::time::sleep(HELD).await;
    gate.word("two");
    assert_eq!(two.word("r2").await, "two", "it was handed over");
    two.send(&abort("r2")).await;
    two.send(&resume("r3", "another")).await;
    pair.ai.wait_cancelled(0, SOON).await;
    assert_eq!(one.answered("r").await.chunks.last(), Some(&json!({"type": "abort", "reason": "cancelled"})));
}

#[tokio::test]
async fn who_did_not_ask_stops_nothing_unless_anyone_may() {
    for anyone in ["false", "true"] {
        let pair = Pair::start(&[JWT[0], JWT[1], ("SOPHIE__CHAT__ANYONE_MAY_STOP", anyone)]).await;
        let (script, gate) = Script::gated();
        pair.ai.push(script);
        let open = async |node: usize, user: &str| {
            let token = Token::of(user).sessions(&["s*"]).sign();
            let path = format!("/api/chat?token={token}");
            ChatSocket::try_open(pair.nodes[node].address(), &path).await.expect("connected")
        };
        let (mut alice, mut bob) = (open(0, "alice").await, open(1, "bob").await);
        alice.send(&send("r", "s1", "m1", "Tell me.")).await;
        gate.word("one ");
        alice.word("r").await;
        bob.send(&resume("r", "s1")).await;
        bob.word("r").await;
        bob.send(&abort("r")).await;
        if anyone == "true" {
            pair.ai.wait_cancelled(0, SOON).await;
            continue;
        }
        tokio::time::sleep(HELD).await;
        gate.word("two");
        assert_eq!(alice.word("r").await, "two");
        // Of her own answer it is a stop at her other socket too.
        let mut other = open(1, "alice").await;
        other.send(&resume("r", "s1")).await;
        other.word("r").await;
        other.send(&abort("r")).await;
        pair.ai.wait_cancelled(0, SOON).await;
    }
}

#[tokio::test]
async fn who_waits_is_told_the_next_answer_when_it_begins() {
    let pair = Pair::start(&[]).await;
    let mut waits = ChatSocket::try_open(pair.nodes[1].address(), "/api/chat?wait=1").await.expect("connected");
    let mut asks = ChatSocket::try_open(pair.nodes[0].address(), "/api/chat?wait=1").await.expect("connected");
    waits.send(&resume("w0", "s1")).await;
    waits.send(&abort("w0")).await;
    for n in 0..2 {
        let waiting = format!("w{}", n + 1);
        pair.ai.push(Script::answer(&format!("Answer {n}.")));
        waits.send(&resume(&waiting, "s1")).await;
        asks.send(&resume(&format!("own{n}"), "s1")).await;
        waits.is_quiet_for(Duration::from_millis(100)).await;
        let answer = asks.ask(&format!("r{n}"), "s1", &format!("m{n}"), &format!("Tell me {n}.")).await;
        assert_eq!(waits.next().await, Ok(json!({"type": "start", "requestId": waiting})));
        let seen = waits.answered(&waiting).await;
        assert_eq!((seen.text(), &seen.chunks[0]), (answer.text(), &answer.chunks[0]));
        // Its own answer is no news to who asked.
        asks.is_quiet_for(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn the_credentials_of_a_socket_are_asked_for_each_request_and_their_end_closes_it() {
    let pair = Pair::start(&[JWT[0], JWT[1]]).await;
    let address = pair.nodes[0].address();
    assert_eq!(ChatSocket::try_open(address, "/api/chat").await.err(), Some(401));
    assert_eq!(ChatSocket::try_open(address, "/api/chat?token=rubbish").await.err(), Some(401));
    let open = async |token: Token| {
        let path = format!("/api/chat?token={}", token.sign());
        ChatSocket::try_open(address, &path).await.expect("connected")
    };
    let mut socket = open(Token::of("alice").sessions(&["s*"])).await;
    let refused = socket.ask("r0", "other", "m1", "Tell me.").await;
    assert_eq!(refused.last["errorText"], "This session is not open to you.");
    let (script, gate) = Script::gated();
    pair.ai.push(script);
    let mut short = open(Token::of("alice").sessions(&["s*"]).ends_in(8)).await;
    short.send(&send("r", "s1", "m1", "Tell me.")).await;
    gate.word("one ");
    short.word("r").await;
    assert_eq!(short.closed().await, Some(1008));
    socket.send(&resume("r1", "s1")).await;
    socket.word("r1").await;
    gate.word("two");
    assert_eq!(socket.word("r1").await, "two", "the answer goes on");
}

#[tokio::test]
async fn the_limits_are_asked_at_every_question() {
    let limits = [
        ("SOPHIE__LIMITS__ENABLED", "true"),
        ("SOPHIE__LIMITS__USER_MESSAGES_PER_MINUTE", "1"),
        ("SOPHIE__LIMITS__USER_BURST", "2"),
    ];
    let pair = Pair::start(&limits).await;
    let mut socket = open(&pair, 0).await;
    let mut refused = 0;
    for n in 0..4 {
        pair.ai.push(Script::answer("Yes."));
        let answer = socket.ask(&format!("r{n}"), "s1", &format!("m{n}"), &format!("Tell me {n}.")).await;
        if answer.last["type"] == "error" {
            let sentence = answer.last["errorText"].as_str().expect("a sentence");
            assert!(sentence.ends_with('.') && sentence.starts_with(char::is_uppercase), "{sentence}");
            refused += 1;
        }
    }
    assert_eq!(refused, 2, "of four, with a burst of two");
}

#[tokio::test]
async fn the_chats_are_where_the_settings_say() {
    let pair = Pair::start(&[("SOPHIE__CHAT__PATH", "/my/chats")]).await;
    let node = &pair.nodes[0];
    assert_eq!(ChatSocket::try_open(node.address(), "/api/chat").await.err(), Some(404));
    pair.ai.push(Script::answer("Yes."));
    let mut socket = ChatSocket::try_open(node.address(), "/my/chats").await.expect("connected");
    assert_eq!(socket.ask("r", "s1", "m1", "Tell me.").await.text(), "Yes.");
    let messages = eventually("it is logged", SOON, async || {
        let response = node.request("GET", "/my/chats/s1/messages").send().await.expect("a response");
        let messages: Value = response.json().await.expect("JSON");
        (messages.as_array().map(Vec::len) == Some(2)).then_some(messages)
    });
    assert_eq!(messages.await[1]["parts"][0]["text"], "Yes.");
    let nothing = node.request("GET", "/my/chats/s1/else").send().await.expect("a response");
    assert!(nothing.text().await.expect("a body").contains("POST /my/chats,"));
}
