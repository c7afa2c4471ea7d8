//! Clients that go, close one half, or do not read, and a node that goes.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

use crate::support::{Broker, Client, Mode, Reply, SOON, eventually, question, start_with_ai, streamed, until};

/// The promise.
const WITHIN: Duration = Duration::from_secs(1);
/// What a busy machine may add to it.
const SLACK: Duration = Duration::from_secs(5);

/// A request over a bare connection.
async fn send(address: SocketAddr, body: &Value, window: Option<u32>) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    if let Some(bytes) = window {
        socket.set_recv_buffer_size(bytes).expect("a window");
    }
    let mut stream = socket.connect(address).await.expect("connected");
    let body = body.to_string();
    let head =
        format!("POST /v1/chat/completions HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await.expect("sent");
    stream
}

async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut read = Vec::new();
    let found = async {
        while !String::from_utf8_lossy(&read).contains(text) {
            assert!(stream.read_buf(&mut read).await.expect("read") > 0, "{}", String::from_utf8_lossy(&read));
        }
    };
    timeout(SOON, found).await.expect("in time");
    String::from_utf8_lossy(&read).into_owned()
}

/// How a client goes.
#[derive(Clone, Copy, Debug)]
enum Leaves {
    Closing,
    ClosingHalf,
    Resetting,
}

const WAYS: [Leaves; 3] = [Leaves::Closing, Leaves::ClosingHalf, Leaves::Resetting];

/// Goes, and gives back what must be kept so that it stays as it is.
async fn leave(mut stream: TcpStream, way: Leaves) -> Option<TcpStream> {
    match way {
        Leaves::Closing => None,
        Leaves::ClosingHalf => {
            stream.shutdown().await.expect("closed");
            Some(stream)
        }
        Leaves::Resetting => {
            stream.set_zero_linger().expect("an option");
            None
        }
    }
}

in_both_modes!(
    a_client_that_goes_before_the_first_chunk_cancels_its_request,
    a_client_that_goes_in_the_middle_cancels_its_request,
    a_client_that_goes_leaves_those_who_wait_for_the_same,
    a_client_that_goes_pays_for_what_it_used,
);

async fn a_client_that_goes_before_the_first_chunk_cancels_its_request(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let mut calls = 0;
    for way in WAYS {
        for body in [streamed("silent?"), question("silent?")] {
            ai.push(Script::silent());
            let stream = send(app.address(), &body, None).await;
            ai.wait_calls(calls + 1, SOON).await;
            let since = Instant::now();
            let kept = leave(stream, way).await;
            ai.wait_cancelled(calls, SOON).await;
            assert!(since.elapsed() < WITHIN + SLACK, "{way:?} {:?}", since.elapsed());
            calls += 1;
            drop(kept);
        }
    }
}

async fn a_client_that_goes_in_the_middle_cancels_its_request(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    for (n, way) in WAYS.into_iter().enumerate() {
        ai.push(Script::silent_after("one two"));
        let mut stream = send(app.address(), &streamed("begun?"), None).await;
        read_until(&mut stream, "two").await;
        let since = Instant::now();
        let kept = leave(stream, way).await;
        ai.wait_cancelled(n, SOON).await;
        assert!(since.elapsed() < WITHIN + SLACK, "{way:?} {:?}", since.elapsed());
        drop(kept);
    }
    assert_eq!(app.node().metrics.cache_lookups.with_label_values(&["miss"]).get(), 3);
}

async fn a_client_that_goes_leaves_those_who_wait_for_the_same(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut first = send(app.address(), &streamed("?"), None).await;
    gate.word("one ");
    read_until(&mut first, "one ").await;
    let mut second = send(app.address(), &streamed("?"), None).await;
    read_until(&mut second, "one ").await;
    drop(first);
    let rest = streamed("?");
    let joined = || app.node().metrics.cache_lookups.with_label_values(&["coalesced"]).get() == 2;
    let (third, ()) = tokio::join!(Reply::ask(&app, &rest), async {
        until("both have joined", SOON, joined).await;
        // Longer than the promise: nobody may be cut off.
        tokio::time::sleep(WITHIN + Duration::from_millis(300)).await;
        assert!(!ai.call(0).cancelled);
        gate.word("two");
        gate.finish();
    });
    assert_eq!((third.answer().as_str(), third.header("x-sophie-cache")), ("one two", "coalesced"));
    assert!(read_until(&mut second, "[DONE]").await.contains("two"));
    assert_eq!(ai.calls(), 1);
}

async fn a_client_that_goes_pays_for_what_it_used(mode: Mode) {
    let limits = [("SOPHIE__LIMITS__ENABLED", "true"), ("SOPHIE__LIMITS__USER_BURST", "50")];
    let (ai, app) =
        start_with_ai(mode, &[limits[0], limits[1], ("SOPHIE__LIMITS__USER_TOKENS_PER_HOUR", "1000")]).await;
    // 500 are reserved for each: were one of them kept, the third would not come in.
    for n in 0..3 {
        ai.push(Script::silent_after("one two"));
        let asked = streamed(&format!("{n}?"));
        let mut stream = eventually("let in", SOON, async || {
            let mut stream = send(app.address(), &asked, None).await;
            let head = read_until(&mut stream, "\r\n\r\n").await;
            head.starts_with("HTTP/1.1 200").then_some(stream)
        })
        .await;
        drop(stream.shutdown().await);
        drop(stream);
        ai.wait_cancelled(n, SOON).await;
    }
    let spent = eventually("settled", SOON, async || {
        let spent = app.node().metrics.tokens.with_label_values(&["cancelled", "test-model"]).get();
        (spent > 0).then_some(spent)
    })
    .await;
    assert!(spent < 200, "{spent}");
}

#[tokio::test]
async fn a_slow_reader_holds_up_nobody() {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    ai.push(Script::flood(4_000, 200));
    let slow = send(app.address(), &streamed("flood?"), Some(2_048)).await;
    ai.wait_calls(1, SOON).await;
    ai.wait_finished(0, SOON).await;
    assert!(!ai.call(0).stalled, "the backend is read as quickly as it writes");
    let quick = Reply::ask(&app, &streamed("flood?")).await;
    assert_eq!(quick.answer().len(), 800_000);
    // And it still gets all of it, when it reads.
    let mut slow = slow;
    let text = read_until(&mut slow, "[DONE]").await;
    assert!(text.len() > 800_000);
    assert_eq!(ai.calls(), 1);
}

/// A broker with this drain time.
async fn draining(ai: &AiServer, seconds: &str) -> Broker {
    let environment = ai.environment();
    Broker::start(0, &[&environment[..], &[("SOPHIE__SERVER__DRAIN_SECONDS", seconds)]].concat()).await
}

#[tokio::test]
async fn an_answer_under_way_gets_the_drain_time_and_new_requests_are_sent_away() {
    let ai = AiServer::start().await;
    let (script, gate) = Script::gated();
    ai.push(script);
    // Nothing of what follows may come too late.
    let mut broker = draining(&ai, "30").await;
    let mut stream = send(broker.address, &streamed("?"), None).await;
    gate.word("one ");
    read_until(&mut stream, "one ").await;
    broker.signal("-TERM");
    let http = Client::new();
    let url = format!("http://{}/v1/chat/completions", broker.address);
    let refused = eventually("sent away", SOON, async || {
        let reply = Reply::to(http.post(&url).header("cache-control", "no-cache").json(&json!({}))).await;
        (reply.status == 503).then_some(reply)
    })
    .await;
    assert_eq!((refused.error()["code"].as_str(), refused.header("retry-after")), (Some("draining"), "1"));
    assert_eq!(refused.header("connection"), "close");
    gate.word("two");
    gate.finish();
    assert!(read_until(&mut stream, "[DONE]").await.contains("two"));
    let (code, took) = tokio::task::spawn_blocking(move || broker.wait(SOON)).await.expect("waited");
    assert_eq!(code, Some(0));
    assert!(took < SOON, "it does not wait when nobody is left: {took:?}");
}

#[tokio::test]
async fn an_answer_that_does_not_end_within_the_drain_time_ends_with_an_error() {
    let ai = AiServer::start().await;
    let mut broker = draining(&ai, "3").await;
    ai.push(Script::silent_after("one two"));
    ai.push(Script::silent());
    let mut begun = send(broker.address, &streamed("begun?"), None).await;
    read_until(&mut begun, "two").await;
    let mut waiting = send(broker.address, &question("waiting?"), None).await;
    ai.wait_calls(2, SOON).await;
    broker.signal("-TERM");
    let end = read_until(&mut begun, "\r\n0\r\n").await;
    assert!(end.contains("\"code\":\"interrupted\"") && !end.contains("[DONE]"), "{end}");
    let refused = read_until(&mut waiting, "\"}").await;
    assert!(refused.starts_with("HTTP/1.1 502") && refused.contains("\"interrupted\""), "{refused}");
    let (code, _) = tokio::task::spawn_blocking(move || broker.wait(SOON)).await.expect("waited");
    assert_eq!(code, Some(0));
}
