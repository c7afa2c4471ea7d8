//! A thousand sessions at once.

use futures_util::StreamExt;
use futures_util::stream;
use serde_json::json;

use crate::support::{Broker, Mode, TestServer, TestSocket};

const SESSIONS: usize = 1_000;
const QUESTIONS: usize = 50;
/// Clients that do something at the same moment.
const AT_ONCE: usize = 100;
/// More than this for the whole process, unoptimised, in MiB, would be a leak rather than a cost.
const MEMORY_MIB: u64 = 400;

in_both_modes!(a_thousand_sessions_are_served_by_one_process);

/// Resident memory in KiB, where the system tells.
fn memory_kib(broker: &Broker) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", broker.pid())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

async fn a_thousand_sessions_are_served_by_one_process(mode: Mode) {
    // The clients' side of the connections is in this process.
    rlimit::increase_nofile_limit(u64::MAX).expect("a limit");
    let redis = (mode == Mode::Redis).then(TestServer::start);
    let url = redis.as_ref().map(|redis| redis.url(0));
    let environment: Vec<(&str, &str)> = match &url {
        Some(url) => vec![("USE_REDIS", "true"), ("REDIS_URL", url)],
        None => Vec::new(),
    };
    let broker = Broker::start(0, &environment).await;
    let empty = memory_kib(&broker);
    let address = broker.address;
    let opened =
        stream::iter(0..SESSIONS).map(|n| async move { TestSocket::open(address, &format!("s{n}"), "").await });
    let mut sockets: Vec<TestSocket> = opened.buffered(AT_ONCE).collect().await;

    let said = stream::iter(sockets.iter_mut().enumerate()).map(|(n, socket)| async move {
        let text = format!("from {n}");
        let ack = socket.say("m1", &text).await;
        assert_eq!((&ack["type"], &ack["seq"]), (&json!("ack"), &json!(1)), "{ack}");
        assert_eq!(socket.event_of("message").await["message"]["text"], text);
    });
    said.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;

    let asked = stream::iter(sockets.iter_mut().take(QUESTIONS).enumerate()).map(|(n, socket)| async move {
        socket.ask("q", json!({"type": "message.send", "text": format!("Question {n}")})).await;
        let end = socket.event_of("answer.end").await;
        assert_eq!(end["seq"], 3);
        assert!(!end["text"].as_str().expect("text").is_empty());
    });
    asked.buffer_unordered(QUESTIONS).collect::<Vec<()>>().await;

    if let (Some(empty), Some(full)) = (empty, memory_kib(&broker)) {
        let each = full.saturating_sub(empty) / SESSIONS as u64;
        println!(
            "{mode:?}: {} MiB empty, {} MiB with {SESSIONS} sessions, {each} KiB each",
            empty / 1_024,
            full / 1_024
        );
        assert!(full / 1_024 < MEMORY_MIB, "{} MiB", full / 1_024);
    }
    for socket in sockets.iter_mut().rev().take(5) {
        assert_eq!(socket.ask("p", json!({"type": "ping"})).await["type"], "pong");
    }
}
