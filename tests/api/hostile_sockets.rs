//! Clients that mean harm, one kind at a time: what each may cost, and how it ends.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::support::{Broker, Mode, RawClient, RawFrame, RawHttp, SOON, TestApp, TestSocket, eventually};

const LIMITED: (&str, &str) = ("SOPHIE__LIMITS__ENABLED", "true");
const BRISK: [(&str, &str); 2] = [("SOPHIE__SESSION__PING_SECONDS", "1"), ("SOPHIE__SESSION__PONG_SECONDS", "1")];

/// How much more memory the longest command may take that comes as 192,000 pieces: 87 bytes a piece. So nothing is kept for
/// each piece, not even for a moment. It is too coarse to tell whether the command itself is given back afterwards.
const FOR_ALL_PIECES: u64 = 16 << 20;

/// The largest command that there is: every character of the longest text escaped.
fn longest(id: &str) -> Vec<u8> {
    let text = "\\ud83d\\ude00".repeat(16_000);
    format!("{{\"type\":\"message.send\",\"id\":\"{id}\",\"text\":\"{text}\",\"assistant\":false}}").into_bytes()
}

/// Waits until the longest command is acknowledged.
async fn acknowledged(client: &mut RawClient, id: &str) {
    loop {
        match client.next().await.expect("still there") {
            RawFrame::Text(event) if event["id"] == id => {
                assert_eq!(event["type"], "ack", "{event}");
                return;
            }
            RawFrame::Close(code) => panic!("closed as {code}"),
            _ => {}
        }
    }
}

/// Sockets of the process that are open.
#[cfg(target_os = "linux")]
fn descriptors(broker: &Broker) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", broker.pid())).expect("a process").count()
}

#[tokio::test]
async fn a_frame_of_which_a_byte_comes_now_and_then_is_no_answer_to_a_ping() {
    let app = TestApp::patient(Mode::Memory, &BRISK).await;
    let mut client = RawClient::open(app.address(), "s1").await;
    client.send(&RawClient::head(0x81, 10_000)).await;
    let since = Instant::now();
    while app.node().roster.count().sockets > 0 {
        assert!(since.elapsed() < SOON, "never closed");
        client.send(b"x").await;
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(client.until_ended().await.1, Some(4003));
}

#[tokio::test]
async fn the_largest_frame_in_pieces_of_a_byte_costs_little_for_each_piece_and_is_taken() {
    let broker = Broker::start(0, &[LIMITED]).await;
    let mut client = RawClient::open(broker.address, "s1").await;
    let mut other = TestSocket::open(broker.address, "s2", "").await;
    // What only the first one costs is not counted.
    client.send(&RawClient::frame(0x81, &longest("whole"))).await;
    acknowledged(&mut client, "whole").await;
    let text = longest("pieces");
    let before = broker.memory("VmRSS");
    for byte in RawClient::head(0x81, text.len() as u64).iter().chain(&text) {
        assert!(client.send(&[*byte]).await, "it is one frame");
    }
    acknowledged(&mut client, "pieces").await;
    let grown = broker.memory("VmHWM").saturating_sub(before);
    assert!(grown < FOR_ALL_PIECES, "{grown} bytes more for a frame of {}", text.len());
    assert_eq!(other.ask("p", json!({"type": "ping"})).await["type"], "pong");
}

#[tokio::test]
async fn the_largest_message_in_fragments_of_a_byte_is_a_flood_where_there_are_limits() {
    let (limited, open) = (Broker::start(0, &[LIMITED]).await, Broker::start(0, &[]).await);
    let text = longest("fragments");
    let last = text.len() - 1;
    let fragment = |(place, byte): (usize, &u8)| {
        let kind = u8::from(place == 0) | u8::from(place == last) << 7;
        RawClient::frame(kind, &[*byte])
    };
    let all: Vec<u8> = text.iter().enumerate().flat_map(fragment).collect();
    let mut client = RawClient::open(limited.address, "s1").await;
    client.send(&all).await;
    assert_eq!(client.until_ended().await.1, Some(4503));
    let mut client = RawClient::open(open.address, "s1").await;
    let before = open.memory("VmRSS");
    client.send(&all).await;
    acknowledged(&mut client, "fragments").await;
    let grown = open.memory("VmHWM").saturating_sub(before);
    assert!(grown < FOR_ALL_PIECES, "{grown} bytes more for a message of {}", text.len());
}

#[tokio::test]
async fn who_closes_its_half_of_a_connection_is_gone() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    let half_a_frame = [RawClient::head(0x81, 100), b"{".to_vec()].concat();
    for (what, bytes) in [("between frames", &[][..]), ("within a frame", &half_a_frame), ("in a head", &[0x81])] {
        let mut client = RawClient::open(app.address(), "s1").await;
        client.send(bytes).await;
        client.close_half().await;
        // What was on its way may still come, and then the other half is closed as well.
        client.until_ended().await;
        let sockets = || app.node().roster.count().sockets;
        eventually(what, SOON, async || (sockets() == 0).then_some(())).await;
    }
    for (what, bytes) in [
        ("before anything", ""),
        ("in a head", "GET / HTTP/1.1\r\nHo"),
        ("in a body", "POST /api/groups/g/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"),
        ("in an opening", "GET /ws/chat/s1 HTTP/1.1\r\nUpgrade: websocket\r\n"),
    ] {
        let mut http = RawHttp::to(app.address()).await;
        http.send(bytes).await;
        http.close_half().await;
        let rest = http.rest(SOON / 2).await;
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 4"), "{what}: {}", String::from_utf8_lossy(&rest));
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn thousands_that_open_and_break_off_leave_nothing_behind() {
    let broker = Broker::start(0, &[]).await;
    drop(TestSocket::open(broker.address, "first", "").await);
    let before = descriptors(&broker);
    for round in 0..20 {
        let all = (0..100).map(|n| async move {
            let reset = n % 2 == 0;
            match n % 4 {
                0 | 1 => RawClient::open(broker.address, &format!("s{round}-{n}")).await.break_off(reset),
                2 => {
                    let mut http = RawHttp::to(broker.address).await;
                    http.send("GET /ws/chat/s1 HTTP/1.1\r\nUpgrade: web").await;
                    http.break_off(reset);
                }
                _ => RawHttp::to(broker.address).await.break_off(true),
            }
        });
        futures_util::future::join_all(all).await;
    }
    eventually("all descriptors are given back", SOON, async || (descriptors(&broker) <= before + 2).then_some(()))
        .await;
    eventually("no socket is left", SOON, async || {
        broker.get("/metrics").await.1.contains("sophie_sockets 0\n").then_some(())
    })
    .await;
    TestSocket::open(broker.address, "s1", "").await.settled().await;
}

#[tokio::test]
async fn who_enters_and_leaves_new_groups_for_ever_leaves_none_behind_and_is_stopped_by_limits() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    let mut restless = app.open("s1").await;
    for round in 0..1_000 {
        let group = format!("group-{round}");
        let reply = restless.ask(&format!("j{round}"), json!({"type": "group.join", "group": group})).await;
        assert_eq!(reply["type"], "ack", "{reply}");
        let reply = restless.ask(&format!("l{round}"), json!({"type": "group.leave", "group": group})).await;
        assert_eq!(reply["type"], "ack", "{reply}");
    }
    eventually("its home group alone is left", SOON, async || (app.figure("sophie_groups") == 1.0).then_some(())).await;

    let app = TestApp::patient(Mode::Memory, &[LIMITED]).await;
    let mut restless = RawClient::open(app.address(), "s1").await;
    // A burst of 500, and 50 a second: within half a minute nobody earns as many as these.
    for round in 0..1_000 {
        for kind in ["join", "leave"] {
            let command = format!("{{\"type\":\"group.{kind}\",\"id\":\"{kind}{round}\",\"group\":\"g\"}}");
            restless.send(&RawClient::frame(0x81, command.as_bytes())).await;
        }
    }
    let (events, code) = restless.until_ended().await;
    assert_eq!(code, Some(4503), "more commands than a connection may send");
    let joined = events.iter().filter(|event| event["type"] == "ack" && event["group"] == "g" && event["seq"].is_u64());
    let refused = events.iter().filter(|event| event["code"] == "rate_limited").count();
    assert!(refused > 50, "{refused} joins refused, {} let through", joined.count());
}
