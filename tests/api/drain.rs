//! SIGTERM: everybody is told, everything gets its time, and the process is gone when it said it would be.

use std::time::Duration;

use futures_util::future::join_all;
use redis::Commands;
use serde_json::json;
use sophie_kit::ai_server::{AiServer, Gate, Script};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite;

use crate::support::{Broker, Client, RawClient, SOON, TestApp, TestServer, TestSocket, eventually};

/// Longer than a busy machine pauses: what is asked of a node that drains is asked before it is gone.
const DRAIN: Duration = Duration::from_secs(6);
/// The promise: at most this long after the drain time.
const EXIT_AFTER: Duration = Duration::from_secs(2);
/// What a busy machine may add to any of it.
const SLACK: Duration = Duration::from_secs(5);

async fn start(environment: &[(&str, &str)]) -> Broker {
    let mut all = vec![("SOPHIE__SERVER__DRAIN_SECONDS", "6")];
    all.extend_from_slice(environment);
    Broker::start(0, &all).await
}

async fn readiness(broker: &Broker) -> u16 {
    let http = Client::new();
    let response = http.get(format!("http://{}/health/ready", broker.address)).send().await;
    response.expect("a response").status().as_u16()
}

async fn until_not_ready(broker: &Broker) {
    eventually("not ready", SOON, async || (readiness(broker).await == 503).then_some(())).await;
}

/// Waits for the end without holding up the test's own sockets.
async fn exit_of(mut broker: Broker) -> (Option<i32>, Duration) {
    tokio::task::spawn_blocking(move || broker.wait(DRAIN + EXIT_AFTER + SOON)).await.expect("waited")
}

#[tokio::test]
async fn every_socket_is_told_to_come_back_spread_over_the_drain_time() {
    let broker = start(&[]).await;
    let mut sockets = Vec::new();
    for n in 0..40 {
        sockets.push(TestSocket::open(broker.address, &format!("s{n}"), "").await);
    }
    let address = broker.address;
    broker.signal("-TERM");
    let since = Instant::now();
    let closes = join_all(sockets.into_iter().map(|mut socket| async move {
        let (events, code) = socket.until_closed().await;
        let last = events.last().cloned().expect("a goodbye");
        assert_eq!((&last["type"], &last["code"]), (&json!("session.closing"), &json!(4001)));
        assert_eq!(last["reconnect"], true);
        assert!(last["retry_in_ms"].is_u64(), "{last}");
        assert_eq!(code, Some(4001));
        since.elapsed()
    }));
    let refused = async {
        until_not_ready(&broker).await;
        let request = TestSocket::request(address, "late", "");
        match tokio_tungstenite::connect_async(request).await {
            Err(tungstenite::Error::Http(response)) => {
                assert!(response.headers().contains_key("retry-after"));
                response.status().as_u16()
            }
            other => panic!("{other:?}"),
        }
    };
    let (closes, refused) = tokio::join!(closes, refused);
    assert_eq!(refused, 503);
    let (first, last) = (closes.iter().min().expect("some"), closes.iter().max().expect("some"));
    println!("first closed after {first:?}, last after {last:?}");
    // They are read later than they came, if the machine pauses.
    assert!(*last - *first > DRAIN / 4, "all at once: {first:?} to {last:?}");
    let (code, _) = exit_of(broker).await;
    assert_eq!(code, Some(0));
    assert!(since.elapsed() < DRAIN + EXIT_AFTER + SLACK, "{:?}", since.elapsed());
}

/// A broker, a socket that has seen `so_far` of an answer, and the gate to the rest of it.
async fn in_mid_answer(ai: &AiServer, so_far: &str) -> (Broker, TestSocket, Gate) {
    let (script, gate) = Script::gated();
    ai.push(script);
    let broker = start(&ai.environment()).await;
    let mut socket = TestSocket::open(broker.address, "s1", "").await;
    socket.ask("q", json!({"type": "message.send", "text": "Tell me."})).await;
    gate.word(so_far);
    socket.event_of("answer.delta").await;
    (broker, socket, gate)
}

#[tokio::test]
async fn an_answer_under_way_gets_time_to_end() {
    let ai = AiServer::start().await;
    let (broker, mut socket, gate) = in_mid_answer(&ai, "one ").await;
    broker.signal("-TERM");
    until_not_ready(&broker).await;
    gate.word("two");
    gate.finish();
    let (events, code) = socket.until_closed().await;
    let end = events.iter().find(|event| event["type"] == "answer.end").expect("an end before the close");
    assert_eq!(end["text"], "one two");
    assert_eq!(code, Some(4001));
    assert_eq!(exit_of(broker).await.0, Some(0));
}

#[tokio::test]
async fn an_answer_that_does_not_end_in_time_ends_as_interrupted_before_its_socket_is_closed() {
    let ai = AiServer::start().await;
    let (broker, mut socket, gate) = in_mid_answer(&ai, "half").await;
    broker.signal("-TERM");
    let (events, code) = socket.until_closed().await;
    let error = events.iter().find(|event| event["type"] == "answer.error").expect("an end before the close");
    assert_eq!((&error["code"], &error["text"]), (&json!("interrupted"), &json!("half")));
    assert_eq!(code, Some(4001));
    assert_eq!(exit_of(broker).await.0, Some(0));
    drop(gate);
}

#[tokio::test]
async fn clients_that_do_nothing_do_not_delay_the_exit() {
    let ai = AiServer::start().await;
    ai.set_default(|| Script::silent_after("never to be finished"));
    let broker = start(&ai.environment()).await;
    // One that never reads, one that reads and never closes, one whose answer hangs, a request that never ends, and a
    // connection that never asks.
    let deaf = RawClient::open(broker.address, "deaf").await;
    let mut mute = RawClient::open(broker.address, "mute").await;
    let mut waiting = TestSocket::open(broker.address, "waiting", "").await;
    waiting.ask("q", json!({"type": "message.send", "text": "Tell me."})).await;
    waiting.event_of("answer.delta").await;
    let mut half = tokio::net::TcpStream::connect(broker.address).await.expect("connected");
    half.write_all(b"POST /api/groups/g/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        .await
        .expect("sent");
    let idle = tokio::net::TcpStream::connect(broker.address).await.expect("connected");
    broker.signal("-TERM");
    let since = Instant::now();
    let reading = tokio::spawn(async move { mute.until_ended().await });
    let (code, _) = exit_of(broker).await;
    println!("gone after {:?} (drain time {DRAIN:?})", since.elapsed());
    assert_eq!(code, Some(0));
    assert!(since.elapsed() < DRAIN + EXIT_AFTER + SLACK, "{:?}", since.elapsed());
    let (_, code) = reading.await.expect("no panic");
    assert_eq!(code, Some(4001));
    drop((deaf, half, idle));
}

#[tokio::test]
async fn memberships_are_given_up_and_the_log_stays() {
    let server = TestServer::start();
    // With time for Redis: memberships that cannot be given up within a second are left to expire.
    let app = TestApp::one_of(&server, "n", &[("SOPHIE__SERVER__DRAIN_SECONDS", "6")]).await;
    let mut socket = app.open("s1").await;
    socket.ask("j", json!({"type": "group.join", "group": "team-7"})).await;
    socket.say("m1", "stays").await;
    let groups = || -> Vec<String> { server.connection(0).keys("asgi:group:*").expect("an answer") };
    eventually("mirrored", SOON, async || (groups().len() == 2).then_some(())).await;
    let (ended, _) = tokio::join!(app.stop(), async move { socket.until_closed().await });
    ended.expect("it ends well");
    assert_eq!(groups(), Vec::<String>::new());
    let length: u64 = server.connection(0).xlen("sophie:log:chat_s1").expect("an answer");
    assert_eq!(length, 1);
}

#[tokio::test]
async fn a_dead_redis_does_not_delay_the_exit() {
    let server = TestServer::start();
    let url = server.url(0);
    let broker = start(&[("USE_REDIS", "true"), ("REDIS_URL", &url)]).await;
    let mut socket = TestSocket::open(broker.address, "s1", "").await;
    server.freeze();
    broker.signal("-TERM");
    let since = Instant::now();
    let (_, code) = socket.until_closed().await;
    assert_eq!(code, Some(4001));
    assert_eq!(exit_of(broker).await.0, Some(0));
    assert!(since.elapsed() < DRAIN + EXIT_AFTER + SLACK, "{:?}", since.elapsed());
    server.thaw();
}
