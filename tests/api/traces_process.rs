//! Traces of a process of its own: its last spans, and what its log says of a receiver that is away.

use serde_json::json;
use sophie_kit::HeldPort;

use crate::support::{Answer, Broker, JSON_LOG, SOON, TestSocket, TraceReceiver};

#[actix_web::test]
async fn the_last_spans_are_sent_when_the_process_is_told_to_stop() {
    let receiver = TraceReceiver::start().await;
    let url = receiver.url();
    let mut broker = Broker::start(0, &[("SOPHIE__OTEL__ENDPOINT", url.as_str()), JSON_LOG]).await;
    let mut socket = TestSocket::open(broker.address, "s", "").await;
    Answer::to(&mut socket, "1", "Is it?").await;
    broker.signal("-TERM");
    drop(socket);
    let code = actix_web::rt::task::spawn_blocking(move || broker.wait(SOON * 2).0).await.expect("it ends");
    assert_eq!(code, Some(0));
    // What came last may still have to be read.
    for name in ["GET /ws/chat/{session}", "message.send", "answer", "generation"] {
        receiver.named(name).await;
    }
}

#[actix_web::test]
async fn a_receiver_that_is_away_is_told_of_once_and_what_is_lost_is_counted() {
    let away = HeldPort::free();
    let url = format!("http://me:hunter2@127.0.0.1:{}/otlp", away.number());
    let otel = [("SOPHIE__OTEL__ENDPOINT", url.as_str()), ("SOPHIE__OTEL__HEADERS", "x-key=hunter3")];
    let mut broker = Broker::start(0, &[&otel[..], &[JSON_LOG]].concat()).await;
    let told = broker.tells("tracing", &[("content", json!(false))]).await;
    assert!(told["endpoint"].as_str().is_some_and(|endpoint| endpoint.ends_with("/otlp")), "{told}");
    let mut socket = TestSocket::open(broker.address, "s", "").await;
    for id in ["1", "2"] {
        Answer::to(&mut socket, id, &format!("Is it {id}?")).await;
        broker.tells("traces_not_sent", &[]).await;
    }
    broker.signal("-TERM");
    drop(socket);
    let (code, took) = broker.wait(SOON * 2);
    assert_eq!(code, Some(0), "{took:?}");
    assert_eq!(broker.told("traces_not_sent").len(), 1);
    let log = broker.log();
    assert!(!log.contains("hunter2") && !log.contains("hunter3"), "{log}");
}
