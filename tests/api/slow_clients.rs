//! Clients that do not read, or do not answer, while others go on.

use std::time::Duration;

use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};

use crate::support::{Broker, Mode, RawClient, RawFrame, SOON, TestApp, TestSocket, eventually};

in_both_modes!(a_client_that_stops_reading_is_cut_and_forgotten_while_the_others_miss_nothing);

async fn a_client_that_stops_reading_is_cut_and_forgotten_while_the_others_miss_nothing(mode: Mode) {
    // A system may keep tens of megabytes for who does not read: the log must have all that is said until it is cut.
    let settings = [("SOPHIE__SESSION__OUTBOX_SECONDS", "1"), ("SOPHIE__SESSION__LOG_EVENTS", "100000")];
    let app = TestApp::patient(mode, &settings).await;
    let (mut speaker, mut listener) = (app.open("s1").await, app.open("s1").await);
    let epoch = listener.ready["epoch"].as_str().expect("an epoch").to_owned();
    let mut deaf = RawClient::open(app.address(), "s1").await;
    let sockets = || app.node().roster.count().sockets;
    eventually("three sockets", SOON, async || (sockets() == 3).then_some(())).await;

    let text = "x".repeat(15_000);
    let mut said = 0;
    let until = tokio::time::Instant::now() + 9 * SOON;
    while sockets() == 3 {
        assert!(tokio::time::Instant::now() < until, "never cut, after {said} messages");
        said += 1;
        assert_eq!(speaker.insist(&format!("m{said}"), &text).await["seq"], said);
        let heard = listener.event_of("message").await;
        assert_eq!(heard["seq"], said);
    }
    println!("cut after {said} messages of 15 kB");
    eventually("two sockets are shown", SOON, async || {
        let (_, shown) = app.admin("GET", "/admin/api/sessions/s1", None).await;
        (shown["sockets"].as_array().map(Vec::len) == Some(2)).then_some(())
    })
    .await;
    let (events, _) = deaf.until_ended().await;
    let seqs: Vec<u64> = events.iter().filter(|e| e["type"] == "message").filter_map(|e| e["seq"].as_u64()).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "what came, came in order");
    let metrics = app.request("GET", "/metrics").send().await.expect("a response").text().await.expect("text");
    assert!(metrics.contains("sophie_closes_total{reason=\"slow\"} 1"), "{metrics}");

    let last = seqs.len() as u64;
    let mut back = app.open_with("s1", &format!("?since={last}&epoch={epoch}")).await;
    assert_eq!(back.ready["recovered"], true);
    for seq in last + 1..=said {
        assert_eq!(back.event_of("message").await["seq"], seq);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_connection_of_a_cut_client_is_given_back_to_the_system() {
    let broker = Broker::start(0, &[("SOPHIE__SESSION__OUTBOX_SECONDS", "1")]).await;
    let mut speaker = TestSocket::open(broker.address, "s1", "").await;
    // By their names: one from before it, of who looked whether the program listens, may still be going.
    let sockets = || -> std::collections::HashSet<std::path::PathBuf> {
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", broker.pid())).expect("a process");
        let targets = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        targets.filter(|target| target.to_string_lossy().starts_with("socket:")).collect()
    };
    let before = sockets();
    let deaf = RawClient::open(broker.address, "s1").await;
    let of_deaf = &sockets() - &before;
    assert!(!of_deaf.is_empty());
    let text = "x".repeat(15_000);
    let mut said = 0;
    let until = tokio::time::Instant::now() + 9 * SOON;
    // Its client still holds the connection and reads nothing: ours must be gone all the same.
    while !sockets().is_disjoint(&of_deaf) {
        assert!(tokio::time::Instant::now() < until, "still open after {said} messages");
        said += 1;
        speaker.insist(&format!("m{said}"), &text).await;
    }
    drop(deaf);
}

#[tokio::test]
async fn a_slow_reader_gets_fewer_and_larger_deltas_and_never_a_hole() {
    const PIECES: usize = 300;
    let ai = AiServer::start().await;
    ai.push(Script::flood(2_000, PIECES));
    let app = TestApp::start(
        Mode::Memory,
        &[
            &ai.environment()[..],
            &[("SOPHIE__SESSION__OUTBOX_BYTES", "8388608"), ("SOPHIE__SESSION__OUTBOX_SECONDS", "60")],
        ]
        .concat(),
    )
    .await;
    let mut reader = app.open("s1").await;
    let mut slow = RawClient::open(app.address(), "s1").await;
    let ready = slow.next().await;
    assert!(matches!(&ready, Some(RawFrame::Text(event)) if event["type"] == "session.ready"), "{ready:?}");
    reader.ask("q", json!({"type": "message.send", "text": "Tell me much."})).await;
    let whole = reader.event_of("answer.end").await["text"].as_str().expect("text").to_owned();
    assert_eq!(whole.len(), 2_000 * PIECES);

    let (mut text, mut deltas) = (String::new(), 0);
    loop {
        let Some(RawFrame::Text(event)) = slow.next().await else { continue };
        match event["type"].as_str() {
            Some("answer.delta") => {
                assert_eq!(event["offset"], text.len(), "a hole");
                text += event["text"].as_str().expect("text");
                deltas += 1;
            }
            Some("answer.end") => {
                assert_eq!(event["text"], text);
                break;
            }
            _ => {}
        }
    }
    println!("{PIECES} pieces came in {deltas} deltas");
    assert_eq!(text, whole);
    assert!(deltas < PIECES, "{deltas} deltas");
}

#[tokio::test]
async fn a_recovery_larger_than_the_outbox_reaches_a_slow_reader_whole() {
    const MESSAGES: u64 = 200;
    let app = TestApp::start(Mode::Memory, &[("SOPHIE__SESSION__OUTBOX_BYTES", "262144")]).await;
    let mut speaker = app.open("s1").await;
    for n in 1..=MESSAGES {
        assert_eq!(speaker.insist(&format!("m{n}"), &"x".repeat(15_000)).await["seq"], n);
    }
    let epoch = speaker.ready["epoch"].as_str().expect("an epoch");
    let mut slow = RawClient::open(app.address(), &format!("s1?since=0&epoch={epoch}")).await;
    let mut next = 1;
    while next <= MESSAGES + 1 {
        match slow.next().await.expect("still open") {
            RawFrame::Text(event) if event["type"] == "session.ready" => assert_eq!(event["recovered"], true),
            RawFrame::Text(event) => {
                assert_eq!((&event["type"], &event["seq"]), (&json!("message"), &json!(next)));
                next += 1;
                if next == MESSAGES / 2 {
                    // Said while the replay is under way: it comes behind it, once.
                    speaker.insist("live", "live").await;
                }
            }
            RawFrame::Other => {}
            RawFrame::Close(code) => panic!("closed as {code} after {next}"),
        }
    }
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_closed_and_one_that_does_stays() {
    // Long enough that who does answer is not closed when the machine pauses.
    let app =
        TestApp::start(Mode::Memory, &[("SOPHIE__SESSION__PING_SECONDS", "4"), ("SOPHIE__SESSION__PONG_SECONDS", "4")])
            .await;
    let mut silent = RawClient::open(app.address(), "s1").await;
    let mut lively = app.open("s1").await;
    let silent = tokio::spawn(async move { silent.until_ended().await });
    let mut rounds = 0;
    while !silent.is_finished() {
        // Reading answers pings.
        rounds += 1;
        assert_eq!(lively.ask(&format!("p{rounds}"), json!({"type": "ping"})).await["type"], "pong");
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(rounds < 400, "never closed");
    }
    let (events, code) = silent.await.expect("no panic");
    assert_eq!(code, Some(4003));
    let last: &Value = events.last().expect("a goodbye");
    assert_eq!(
        (&last["type"], &last["code"], &last["reconnect"]),
        (&json!("session.closing"), &json!(4003), &json!(true))
    );
    assert_eq!(lively.ask("last", json!({"type": "ping"})).await["type"], "pong");
}
