//! History: pages of a group's log.

use serde_json::{Value, json};
use sophie_kit::ai_server::Script;

use crate::support::{Answer, Mode, TestApp, TestSocket, start_with_ai};

/// What a reply holds at most.
const MOST: usize = 256 * 1024;

async fn say_many(socket: &mut TestSocket, count: usize, text: &str) {
    for n in 1..=count {
        let id = format!("m{n}");
        socket.send(json!({"type": "message.send", "id": id, "text": format!("{n} {text}"), "assistant": false})).await;
    }
    for _ in 0..count {
        socket.event_of("message").await;
    }
}

async fn page(socket: &mut TestSocket, before: Option<u64>, limit: Option<u64>) -> (Vec<u64>, bool, Value) {
    let mut command = json!({"type": "history.get"});
    if let Some(before) = before {
        command["before"] = before.into();
    }
    if let Some(limit) = limit {
        command["limit"] = limit.into();
    }
    let reply = socket.ask("h", command).await;
    assert_eq!((&reply["type"], &reply["group"]), (&json!("history"), &json!("chat_s1")), "{reply}");
    let events = reply["events"].as_array().expect("a list");
    let seqs = events.iter().map(|event| event["seq"].as_u64().expect("a seq")).collect();
    (seqs, reply["more"].as_bool().expect("more"), reply["events"].clone())
}

in_both_modes!(
    history_comes_in_pages_oldest_first,
    history_holds_events_as_they_were_sent_and_nothing_ephemeral,
    a_page_of_large_messages_ends_at_its_size,
    a_log_keeps_so_many_events,
);

async fn history_comes_in_pages_oldest_first(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let mut socket = app.open("s1").await;
    let (seqs, more, _) = page(&mut socket, None, None).await;
    assert_eq!((seqs.len(), more), (0, false));
    say_many(&mut socket, 120, "words").await;
    let all = |from: u64, to: u64| (from..=to).collect::<Vec<_>>();
    for (before, limit, expected, expected_more) in [
        (None, None, all(71, 120), true),
        (None, Some(100), all(21, 120), true),
        (Some(21), Some(100), all(1, 20), false),
        (Some(21), Some(20), all(1, 20), false),
        (Some(22), Some(20), all(2, 21), true),
        (Some(2), Some(1), all(1, 1), false),
        (Some(1), None, vec![], false),
        (Some(0), None, vec![], false),
        (Some(1_000), Some(2), all(119, 120), true),
        (Some(u64::MAX), Some(2), all(119, 120), true),
    ] {
        let (seqs, more, _) = page(&mut socket, before, limit).await;
        assert_eq!((seqs, more), (expected, expected_more), "before {before:?} limit {limit:?}");
    }
    for limit in [json!(0), json!(101), json!(-1), json!("ten"), json!(1.5)] {
        let refused = socket.ask("bad", json!({"type": "history.get", "limit": limit})).await;
        assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("bad_request")), "{limit}");
    }
}

async fn history_holds_events_as_they_were_sent_and_nothing_ephemeral(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let mut socket = app.open("s1").await;
    ai.push(Script::answer("A good answer."));
    ai.push(Script::broken_after("A bad "));
    let mut seen = Vec::new();
    for id in ["1", "2"] {
        socket.send(json!({"type": "group.typing"})).await;
        socket.send(json!({"type": "message.send", "id": id, "text": "?", "metadata": {"n": id}})).await;
        let message = socket.event_of("message").await;
        let answer = Answer::of(&mut socket, &message["message"]["id"]).await;
        seen.extend([message, answer.end]);
    }
    assert_eq!(seen[3]["type"], "answer.error", "{}", seen[3]);
    let (seqs, more, events) = page(&mut socket, None, None).await;
    assert_eq!((seqs, more), (vec![1, 2, 3, 4], false));
    assert_eq!(events, Value::from(seen));
}

async fn a_page_of_large_messages_ends_at_its_size(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let mut socket = app.open("s1").await;
    say_many(&mut socket, 40, &"x".repeat(15_000)).await;
    let mut found = Vec::new();
    let mut before = None;
    loop {
        let (seqs, more, events) = page(&mut socket, before, Some(100)).await;
        let size = events.to_string().len();
        assert!(size <= MOST, "{size}");
        assert!(size > MOST / 2 || !more, "a page is filled: {size}");
        found.splice(0..0, seqs);
        before = found.first().copied();
        if !more {
            break;
        }
    }
    assert_eq!(found, (1..=40).collect::<Vec<_>>());
}

async fn a_log_keeps_so_many_events(mode: Mode) {
    let app = TestApp::patient(mode, &[("SOPHIE__SESSION__LOG_EVENTS", "10")]).await;
    let mut socket = app.open("s1").await;
    say_many(&mut socket, 25, "words").await;
    let (seqs, more, _) = page(&mut socket, None, Some(100)).await;
    assert_eq!((seqs, more), ((16..=25).collect(), false));
}
