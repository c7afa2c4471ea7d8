//! Joins and leaves in a burst: told together, so that one guest does not cost hundreds of others thousands of frames.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{Mode, SOON, TestApp, TestServer, TestSocket};

in_both_modes!(
    a_burst_of_joins_and_leaves_is_told_together,
    more_than_may_be_named_are_counted_and_each_is_told_of_itself,
    who_joins_and_leaves_at_once_is_no_news_to_the_others,
);

fn join() -> Value {
    json!({"type": "group.join", "group": "team"})
}

fn leave() -> Value {
    json!({"type": "group.leave", "group": "team"})
}

/// What a socket is told of who came and went until so many have: the frames.
async fn told(socket: &mut TestSocket, kind: &str, many: usize) -> Vec<Value> {
    let (mut frames, mut seen) = (Vec::new(), 0);
    while seen < many {
        let frame = socket.event_of(kind).await;
        seen += names(&frame).len().max(frame["count"].as_u64().unwrap_or(0) as usize);
        frames.push(frame);
    }
    assert_eq!(seen, many, "{frames:?}");
    frames
}

fn names(frame: &Value) -> Vec<String> {
    let name = |of: &Value| of["session"].as_str().map(str::to_owned);
    match frame["members"].as_array() {
        Some(members) => {
            assert!((2..=100).contains(&members.len()) && frame["total"].is_u64() && frame["session"].is_null());
            assert!(members.iter().all(|member| member["user"].is_string()), "{frame}");
            members.iter().filter_map(name).collect()
        }
        None => name(frame).into_iter().collect(),
    }
}

async fn open_all(app: &TestApp, many: usize) -> Vec<TestSocket> {
    let mut sockets = Vec::new();
    for n in 0..many {
        sockets.push(app.open(&format!("s{n}")).await);
    }
    sockets
}

async fn a_burst_of_joins_and_leaves_is_told_together(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let mut watcher = app.open("watcher").await;
    assert_eq!(watcher.ask("j", join()).await["type"], "ack");
    let mut sockets = open_all(&app, 40).await;
    for command in [join(), leave()] {
        for socket in &mut sockets {
            let mut command = command.clone();
            command["id"] = "c".into();
            socket.send(command).await;
        }
        for socket in &mut sockets {
            // Nothing of the group comes before the acknowledgement.
            let kind = if command == join() { "group.joined" } else { "group.left" };
            loop {
                let event = socket.event().await;
                if event["id"] == "c" {
                    assert_eq!(event["type"], "ack", "{event}");
                    break;
                }
                assert!(command != join(), "before the acknowledgement: {event}");
                assert!(event["type"] == kind || event["type"] == "group.joined", "{event}");
            }
        }
        let kind = if command == join() { "group.joined" } else { "group.left" };
        // Its own join was told as well.
        let many = if command == join() { 41 } else { 40 };
        let frames = told(&mut watcher, kind, many).await;
        assert!(frames.len() <= 20, "{} frames for {many}: {frames:?}", frames.len());
        let mut seen: Vec<String> = frames.iter().flat_map(names).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), many);
        if let Some(last) = frames.iter().rev().find(|frame| frame["members"].is_array()) {
            assert!(last["total"].as_u64().is_some_and(|total| (1..=41).contains(&total)), "{last}");
        }
    }
    // A single one has its old form, and comes soon.
    tokio::time::sleep(Duration::from_millis(150)).await;
    sockets[0].ask("again", join()).await;
    let joined = json!({"type": "group.joined", "group": "team", "session": "s0", "user": "guest:s0"});
    assert_eq!(watcher.event_of("group.joined").await, joined);
}

async fn more_than_may_be_named_are_counted_and_each_is_told_of_itself(mode: Mode) {
    let app = TestApp::patient(mode, &[("SOPHIE__SESSION__PRESENCE_MEMBERS", "2")]).await;
    let mut watcher = app.open("watcher").await;
    watcher.ask("j", join()).await;
    watcher.event_of("group.joined").await;
    let mut sockets = open_all(&app, 20).await;
    let mut tab = app.open("s19").await;
    for socket in &mut sockets {
        socket.send(join()).await;
    }
    let frames = told(&mut watcher, "group.joined", 20).await;
    assert!(frames.iter().any(|frame| frame["count"].as_u64() > Some(2) && frame["members"].is_null()), "{frames:?}");
    assert!(frames.iter().all(|frame| frame["count"].is_null() || frame["total"].is_u64()), "{frames:?}");
    // Another window of one of them knows that it has joined.
    let own = tokio::time::timeout(SOON, async {
        loop {
            let joined = tab.event_of("group.joined").await;
            if names(&joined).contains(&"s19".to_owned()) {
                return joined;
            }
        }
    });
    own.await.expect("told of itself");
}

async fn who_joins_and_leaves_at_once_is_no_news_to_the_others(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let mut watcher = app.open("watcher").await;
    watcher.ask("j", join()).await;
    let mut guest = app.open("guest").await;
    const TURNS: usize = 60;
    for _ in 0..TURNS {
        guest.send(join()).await;
        guest.send(leave()).await;
    }
    guest.settled().await;
    assert_eq!(guest.ask("last", join()).await["type"], "ack");
    let about = |seen: &[Value]| {
        let count = |kind: &str| seen.iter().filter(|e| e["type"] == kind && e["session"] == "guest").count();
        (count("group.joined"), count("group.left"))
    };
    // The last one is told when its moment is over, though nobody says anything.
    let (mut seen, until) = (Vec::<Value>::new(), Instant::now() + SOON);
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        seen.extend(watcher.settled().await);
        let (came, went) = about(&seen);
        if came == went + 1 {
            break;
        }
        assert!(Instant::now() < until, "{came} joins and {went} leaves of {TURNS}");
    }
    // And nothing comes behind what is said.
    let said = json!({"type": "message.send", "group": "team", "text": "hi", "assistant": false});
    assert_eq!(guest.ask("m", said).await["type"], "ack");
    while seen.last().is_none_or(|event| event["type"] != "message") {
        seen.push(watcher.event().await);
    }
    assert_eq!(seen[seen.len() - 1]["message"]["author"], "guest:guest");
    let (came, went) = about(&seen);
    assert!(came <= 1 + TURNS / 3 && (came == went + 1), "{came} joins and {went} leaves of {TURNS}");
}

#[tokio::test]
async fn other_nodes_gather_too_and_count_everybody() {
    let redis = TestServer::start();
    let nodes = join_all((0..2).map(async |n| TestApp::one_of(&redis, &format!("n{n}"), &[]).await)).await;
    let mut watcher = nodes[1].open("watcher").await;
    watcher.ask("j", join()).await;
    watcher.event_of("group.joined").await;
    let mut sockets = open_all(&nodes[0], 30).await;
    for socket in &mut sockets {
        socket.send(join()).await;
    }
    let frames = told(&mut watcher, "group.joined", 30).await;
    assert!(frames.len() <= 20, "{} frames: {frames:?}", frames.len());
    let total = frames.iter().filter_map(|frame| frame["total"].as_u64()).max();
    assert!(total.is_some_and(|total| (2..=31).contains(&total)), "{frames:?}");
}
