//! Another server takes the place of the one in use: a failover by Sentinels, and a service's address that moves. What
//! was acknowledged by the new one reaches everybody, and nobody stays with the old one.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::support::{Proxy, SOON, TestApp, TestServer, TestSocket, eventually, until};

/// What may be lost with a master: the second that is promised, behind the second or two that a failover itself takes; and
/// machines pause.
const WINDOW: Duration = Duration::from_secs(8);

async fn member(node: &TestApp, session: &str) -> TestSocket {
    let mut socket = node.open(session).await;
    let reply = socket.insist_on("join", json!({"type": "group.join", "group": "team"})).await;
    assert_eq!(reply["type"], "ack", "{reply}");
    socket
}

/// Waits until a copy has all of its master.
async fn in_step(master: &TestServer, replica: &TestServer) {
    until("the replica to be in step", SOON, || {
        let info: String = redis::cmd("INFO").arg("replication").query(&mut replica.connection(0)).expect("an answer");
        info.contains("master_link_status:up")
    })
    .await;
    let _: u64 = redis::cmd("WAIT").arg(1).arg(5_000).query(&mut master.connection(0)).expect("an answer");
}

/// Speaks without pause until told to stop; returns what was acknowledged: when, and the text.
fn speak(
    mut socket: TestSocket,
    name: &'static str,
    stop: tokio::sync::watch::Receiver<bool>,
) -> JoinHandle<Vec<(Instant, String)>> {
    tokio::spawn(async move {
        let (mut said, mut n) = (Vec::new(), 0);
        while !*stop.borrow() {
            n += 1;
            let text = format!("{name}-{n}");
            let command = json!({"type": "message.send", "group": "team", "text": text, "assistant": false});
            let ack = socket.insist_on(&text, command).await;
            assert_eq!(ack["type"], "ack", "{ack}");
            said.push((Instant::now(), text));
            sleep(Duration::from_millis(20)).await;
        }
        said
    })
}

/// What a listener hears, up to a text: the texts since the last reset, and all of them.
fn listen(mut socket: TestSocket, last: &'static str) -> JoinHandle<(Vec<String>, BTreeSet<String>)> {
    tokio::spawn(async move {
        let (mut since, mut all) = (Vec::new(), BTreeSet::new());
        loop {
            let event = socket.event_within(6 * SOON).await;
            if event["group"] != "team" {
                continue;
            }
            if event["type"] == "log.reset" {
                since.clear();
            } else if event["type"] == "message" {
                let text = event["message"]["text"].as_str().expect("text").to_owned();
                let ended = text == last;
                all.insert(text.clone());
                since.push(text);
                if ended {
                    return (since, all);
                }
            }
        }
    })
}

/// All texts in the group's log.
async fn logged(socket: &mut TestSocket) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    let mut before = Value::Null;
    loop {
        let mut command = json!({"type": "history.get", "group": "team", "limit": 100});
        if !before.is_null() {
            command["before"] = before.clone();
        }
        let page = socket.ask("h", command).await;
        let events = page["events"].as_array().unwrap_or_else(|| panic!("{page}"));
        let part: Vec<String> =
            events.iter().filter_map(|it| it["message"]["text"].as_str().map(str::to_owned)).collect();
        texts.splice(0..0, part);
        if page["more"] != true {
            return texts;
        }
        before = events[0]["seq"].clone();
    }
}

/// Two nodes at `url` under load while `change` puts another server in its place.
async fn nobody_is_left_behind(url: String, new: &TestServer, change: impl AsyncFnOnce()) {
    let environment = [("SOPHIE__SESSION__LOG_EVENTS", "100000")];
    let n0 = TestApp::one_at(url.clone(), "n0", &environment).await;
    let n1 = TestApp::one_at(url, "n1", &environment).await;
    let listeners = [listen(member(&n0, "l0").await, "the end"), listen(member(&n1, "l1").await, "the end")];
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let speakers =
        [speak(member(&n0, "s0").await, "s0", stopped.clone()), speak(member(&n1, "s1").await, "s1", stopped)];
    sleep(Duration::from_secs(1)).await;
    let changed = Instant::now();
    change().await;
    sleep(WINDOW).await;
    stop.send_replace(true);
    let mut said = Vec::new();
    for speaker in speakers {
        said.extend(speaker.await.expect("no panic"));
    }
    let mut last = member(&n1, "last").await;
    let end = json!({"type": "message.send", "group": "team", "text": "the end", "assistant": false});
    assert_eq!(last.insist_on("end", end).await["type"], "ack");
    let log = logged(&mut last).await;
    let there: u64 = redis::cmd("XLEN").arg("sophie:log:team").query(&mut new.connection(0)).expect("an answer");
    assert_eq!(there, log.len() as u64, "it is the new server's log");
    let kept: BTreeSet<&String> = log.iter().collect();
    assert_eq!(kept.len(), log.len(), "nothing is logged twice");
    let lost: Vec<_> = said.iter().filter(|(_, text)| !kept.contains(text)).collect();
    let left = lost.iter().map(|(at, _)| at.duration_since(changed)).max().unwrap_or_default();
    println!("{} acknowledged, {} lost with the old server, until {left:?} after the change", said.len(), lost.len());
    assert!(left < WINDOW, "somebody stays with the old server: {left:?}");
    assert!(log.len() > lost.len(), "most of it is there");
    for listener in listeners {
        let (since, all) = listener.await.expect("no panic");
        let missed: Vec<_> = said.iter().filter(|(_, text)| kept.contains(text) && !all.contains(text)).collect();
        assert!(missed.is_empty(), "{} are logged and were never delivered: {missed:?}", missed.len());
        assert_eq!(since, log[log.len() - since.len()..], "in the order of the log, each once");
    }
}

#[tokio::test]
async fn a_failover_by_sentinels_leaves_nobody_at_the_old_master() {
    let master = TestServer::start();
    let replica = TestServer::replica_of(&master);
    let sentinel = TestServer::sentinel_of(&master);
    // It acts when it is told to alone: a master that the machine pauses for a moment is not dead.
    let patience = ["SET", "mine", "down-after-milliseconds", "60000"];
    redis::cmd("SENTINEL").arg(&patience).query::<()>(&mut sentinel.connection(0)).expect("set");
    in_step(&master, &replica).await;
    until("the Sentinel to know the replica", SOON, || {
        let known: Vec<redis::Value> =
            redis::cmd("SENTINEL").arg("REPLICAS").arg("mine").query(&mut sentinel.connection(0)).expect("an answer");
        known.len() == 1
    })
    .await;
    let url = format!("redis+sentinel://127.0.0.1:{}/0?master=mine", sentinel.port());
    nobody_is_left_behind(url, &replica, async || {
        // The old master goes on, as one that is only cut off from the Sentinels.
        eventually("a failover", SOON, async || {
            redis::cmd("SENTINEL").arg("FAILOVER").arg("mine").query::<()>(&mut sentinel.connection(0)).ok()
        })
        .await;
    })
    .await;
}

/// Nobody is left behind when an address moves to a copy that was promoted, after `before_the_move` was done to the old server.
async fn nobody_stays_at(before_the_move: impl Fn(&TestServer)) {
    let old = TestServer::start();
    let new = TestServer::replica_of(&old);
    in_step(&old, &new).await;
    let proxy = Proxy::before(old.port());
    nobody_is_left_behind(format!("redis://127.0.0.1:{}/0", proxy.port), &new, async || {
        redis::cmd("REPLICAOF").arg("NO").arg("ONE").query::<()>(&mut new.connection(0)).expect("promoted");
        before_the_move(&old);
        proxy.move_to(new.port());
    })
    .await;
}

#[tokio::test]
async fn an_address_that_moves_takes_every_connection_with_it() {
    // The old one goes on to take what comes: nobody has told it.
    nobody_stays_at(|_| {}).await;
}

#[tokio::test]
async fn an_address_that_moves_away_from_a_demoted_server_takes_the_feed_with_it() {
    // It answers pings, takes no writes, and hears nothing of the new one.
    nobody_stays_at(|old| {
        redis::cmd("REPLICAOF").arg("127.0.0.1").arg(1).query::<()>(&mut old.connection(0)).expect("demoted");
    })
    .await;
}
