//! What a client of a WebSocket may send, and what becomes of one that sends too much.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::support::{Broker, Mode, RawClient, RawFrame, SOON, TestApp, eventually};

/// Bytes of the largest frame by default.
const LARGEST: u64 = 12 * 16_000 + 16 * 1_024;
const LIMITED: (&str, &str) = ("SOPHIE__LIMITS__ENABLED", "true");

/// Frames that can be sent for ever: what goes before them, and one of them.
fn endless() -> [(&'static str, Vec<u8>, Vec<u8>); 5] {
    [
        ("pongs", vec![], RawClient::frame(0x8a, b"")),
        ("pings", vec![], RawClient::frame(0x89, b"")),
        ("empty fragments", RawClient::frame(0x01, b"{"), RawClient::frame(0x00, b"")),
        ("ping commands", vec![], RawClient::frame(0x81, b"{\"type\":\"ping\"}")),
        ("nonsense", vec![], RawClient::frame(0x81, b"x")),
    ]
}

/// Sends as much as is taken within a time, or until the connection ends; the bytes that the other side, or the network, took.
async fn send_all(client: &mut RawClient, frame: &[u8], most: usize, within: Duration) -> usize {
    let many = frame.repeat(64 * 1_024 / frame.len());
    let (until, mut sent) = (Instant::now() + within, 0);
    while sent < most && Instant::now() < until {
        match timeout(until - Instant::now(), client.send(&many)).await {
            Ok(true) => sent += many.len(),
            Ok(false) | Err(_) => break,
        }
    }
    sent
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn one_client_that_sends_without_end_costs_a_few_mebibytes() {
    const MIB: u64 = 1_024 * 1_024;
    for limits in ["true", "false"] {
        let broker = Broker::start(0, &[("SOPHIE__LIMITS__ENABLED", limits)]).await;
        // So that what only the first socket costs is not counted.
        drop(RawClient::open(broker.address, "first").await);
        let before = broker.memory("VmRSS");
        for (what, first, frame) in endless() {
            let mut client = RawClient::open(broker.address, "s1").await;
            client.send(&first).await;
            let sent = send_all(&mut client, &frame, 64 << 20, Duration::from_secs(2)).await;
            let grown = broker.memory("VmHWM").saturating_sub(before);
            println!("limits {limits}, {what}: {sent} bytes sent, {grown} bytes more");
            assert!(grown < 32 * MIB, "limits {limits}, {what}: {grown} bytes more after {sent} sent");
        }
        assert_eq!(broker.get("/health/live").await.0, 200);
    }
}

#[tokio::test]
async fn every_frame_counts_as_a_command() {
    let app = TestApp::patient(Mode::Memory, &[LIMITED]).await;
    for (what, first, frame) in endless() {
        let mut client = RawClient::open(app.address(), "s1").await;
        client.send(&first).await;
        // A burst of 500, and 50 a second: within half a minute nobody earns as many as this.
        client.send(&frame.repeat(2_000)).await;
        let (events, code) = client.until_ended().await;
        let closing = events.last().expect("a goodbye");
        assert_eq!((&closing["type"], &closing["code"]), (&json!("session.closing"), &json!(4503)), "{what}");
        assert_eq!(code, Some(4503), "{what}");
    }
    let mut client = RawClient::open(app.address(), "s1").await;
    client.send(&RawClient::frame(0x8a, b"").repeat(300)).await;
    client.send(&RawClient::frame(0x81, b"{\"type\":\"ping\",\"id\":\"1\"}")).await;
    loop {
        match client.next().await.expect("within the burst nobody is closed") {
            RawFrame::Text(event) if event["type"] == "pong" => break,
            RawFrame::Close(code) => panic!("closed as {code}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_flood_of_commands_is_answered_as_far_as_it_was_within_the_limit() {
    let burst = ("SOPHIE__SESSION__COMMANDS_BURST", "20");
    let app = TestApp::patient(Mode::Memory, &[LIMITED, burst]).await;
    let mut client = RawClient::open(app.address(), "s1").await;
    let command = |id: usize| RawClient::frame(0x81, format!("{{\"type\":\"ping\",\"id\":\"{id}\"}}").as_bytes());
    client.send(&(0..200).flat_map(command).collect::<Vec<_>>()).await;
    let (events, code) = client.until_ended().await;
    assert_eq!(code, Some(4503));
    let answered: Vec<_> = events.iter().filter(|e| e["type"] == "pong").map(|e| e["id"].clone()).collect();
    assert!(answered.len() >= 20, "{answered:?}");
    assert_eq!(answered, (0..answered.len()).map(|id| json!(id.to_string())).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_a_frame_declares_closes_it_before_its_payload_comes() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    let head = RawClient::head;
    let cases: [(&str, Vec<u8>, u16); 16] = [
        ("one byte too large", head(0x81, LARGEST + 1), 1009),
        ("a gibibyte", head(0x81, 1 << 30), 1009),
        ("more than a number holds", head(0x81, u64::MAX), 1009),
        ("too large in sum", [head(0x01, 10), b"0123456789".to_vec(), head(0x80, LARGEST - 9)].concat(), 1009),
        ("too large and binary", head(0x82, 1 << 20), 1009),
        ("binary", head(0x82, 10), 1003),
        ("the first reserved bit", head(0xc1, 2), 1002),
        ("the second reserved bit", head(0xa1, 2), 1002),
        ("the third reserved bit", head(0x91, 2), 1002),
        ("a reserved bit of a control frame", head(0xc9, 2), 1002),
        ("an unknown frame", head(0x83, 2), 1002),
        ("an unknown control frame", head(0x8b, 2), 1002),
        ("a ping in fragments", head(0x09, 2), 1002),
        ("a long ping", head(0x89, 126), 1002),
        ("not masked", vec![0x81, 0x05], 1002),
        ("a second message within one", [head(0x01, 1), b"{".to_vec(), head(0x81, 2)].concat(), 1002),
    ];
    for (what, bytes, code) in cases {
        let mut client = RawClient::open(app.address(), "s1").await;
        client.send(&bytes).await;
        let (events, with) = client.until_ended().await;
        assert_eq!(with, Some(code), "{what}");
        let closing = events.last().expect("a goodbye");
        assert_eq!((&closing["code"], &closing["reconnect"]), (&json!(code), &json!(false)), "{what}");
    }
}

#[tokio::test]
async fn after_a_goodbye_nothing_more_is_taken_in() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    let mut client = RawClient::open(app.address(), "s1").await;
    client.send(&RawClient::head(0x81, 1 << 40)).await;
    // What follows is the payload that was declared: it is read for a moment at most, and then not at all.
    let sent = send_all(&mut client, &[0; 1_024], 1 << 30, SOON).await;
    println!("{sent} bytes after the goodbye");
    // What both ends of the system beneath keep of what nobody reads is some ten megabytes, more where it is set so.
    assert!(sent < 128 << 20, "{sent} bytes after the goodbye");
    let sockets = || app.node().roster.count().sockets;
    eventually("the socket is gone", SOON, async || (sockets() == 0).then_some(())).await;
}

#[tokio::test]
async fn the_longest_text_fits_however_it_is_escaped() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    let mut socket = app.open("s1").await;
    for (id, escaped, letter, times) in [
        ("cyrillic", "\\u043f", "п", 11_000),
        ("all of it", "\\u043f", "п", 16_000),
        ("faces", "\\ud83d\\ude00", "😀", 16_000),
    ] {
        let text = escaped.repeat(times);
        socket
            .send_text(&format!(
                "{{\"type\":\"message.send\",\"id\":\"{id}\",\"text\":\"{text}\",\"assistant\":false}}"
            ))
            .await;
        assert_eq!(socket.reply(id).await["type"], "ack", "{id}");
        assert_eq!(socket.event_of("message").await["message"]["text"], letter.repeat(times), "{id}");
    }
}
