//! Clients that vanish without a word: no packet comes any more, and nobody says so.

use std::time::Duration;

use serde_json::json;
use sophie_kit::HeldPort;
use tokio::time::{Instant, sleep};

use crate::support::{Broker, Network, SOON, TestSocket, eventually};

/// A handshake of a session, as `printf %b` writes it.
fn opening(session: &str) -> String {
    format!(
        "GET /ws/chat/{session} HTTP/1.1\\r\\nHost: h\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n\
         Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n"
    )
}

#[tokio::test]
async fn who_vanishes_is_gone_when_no_pong_comes_or_too_much_waits_and_what_it_held_is_given_back() {
    let Some(mut network) = Network::new() else { return };
    let held = HeldPort::free();
    let port = held.number();
    let bind = format!("0.0.0.0:{port}");
    let broker = Broker::start(
        port,
        &[
            ("SOPHIE__SERVER__BIND", &bind),
            ("SOPHIE__AUTH__OPEN", "true"),
            // Until the link is cut none of them may be given up, nor later the one that stays and answers only where it is asked.
            ("SOPHIE__SESSION__PING_SECONDS", "8"),
            ("SOPHIE__SESSION__PONG_SECONDS", "8"),
            // Where more waits than the network takes, no goodbye gets out, and this is what ends it.
            ("SOPHIE__SESSION__OUTBOX_SECONDS", "2"),
            ("SOPHIE__SERVER__BODY_SECONDS", "2"),
        ],
    )
    .await;
    let mut stays = TestSocket::open(broker.address, "busy", "").await;
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", broker.pid())).expect("a process").count();
    let sockets = async |many: usize| {
        let (_, figures) = broker.get("/metrics").await;
        figures.contains(&format!("sophie_sockets {many}\n")).then_some(())
    };
    stays.settled().await;
    let before = descriptors();
    // Two have nothing to say, and two are where somebody else speaks; one never sends its body.
    for session in ["quiet-1", "quiet-2", "busy", "busy"] {
        network.client(port, &opening(session));
    }
    network.client(port, "POST /api/groups/g/messages HTTP/1.1\\r\\nHost: h\\r\\nContent-Length: 9\\r\\n\\r\\n");
    eventually("they are there", SOON, async || sockets(5).await).await;
    network.cut();
    let since = Instant::now();
    // What is sent to them is never acknowledged.
    let text = "x".repeat(15_000);
    while sockets(1).await.is_none() {
        assert!(since.elapsed() < 3 * SOON, "they are still there");
        sleep(Duration::from_millis(100)).await;
        let id = format!("m{}", since.elapsed().as_micros());
        assert_eq!(
            stays.ask(&id, json!({"type": "message.send", "text": text, "assistant": false})).await["type"],
            "ack"
        );
    }
    println!("gone after {:?}", since.elapsed());
    // Sooner than the kernel gives a peer up by itself, after 40 s.
    eventually("what they held is given back", SOON / 2, async || (descriptors() <= before + 1).then_some(())).await;
    stays.settled().await;
}
