//! How many threads the program runs, and that one is enough.

use std::fs;

use serde_json::json;
use sophie_kit::ai_server::{AiServer, Script};

use crate::support::{Broker, SOON, TestSocket, until};

/// Threads that run actors and connections.
fn arbiters(broker: &Broker) -> usize {
    let tasks = fs::read_dir(format!("/proc/{}/task", broker.pid())).expect("a process");
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("actix-rt")).count()
}

#[tokio::test]
async fn with_one_worker_everything_runs_on_one_thread_and_with_more_there_are_two_beside_them() {
    for (workers, threads) in [("1", 1), ("3", 5)] {
        let ai = AiServer::start().await;
        let (script, gate) = Script::gated();
        ai.push(script);
        let one = [("SOPHIE__SERVER__WORKERS", workers), ("SOPHIE__SERVER__DRAIN_SECONDS", "2")];
        let mut broker = Broker::start(0, &[&ai.environment()[..], &one].concat()).await;
        // It listens before they are all there.
        until("its threads are there", SOON, || arbiters(&broker) == threads).await;
        let mut asks = TestSocket::open(broker.address, "s1", "").await;
        let mut follows = TestSocket::open(broker.address, "s2", "").await;
        let join = json!({"type": "group.join", "group": "g"});
        assert_eq!(asks.ask("j", join.clone()).await["type"], "ack");
        assert_eq!(follows.ask("j", join).await["type"], "ack");
        asks.ask("q", json!({"type": "message.send", "text": "Tell me.", "group": "g"})).await;
        gate.word("half");
        assert_eq!(follows.event_of("answer.delta").await["text"], "half");
        // Whoever comes and whoever asks is answered while an answer is written.
        assert_eq!(broker.readiness().await.0, 200);
        let _late = TestSocket::open(broker.address, "s3", "").await;
        until("there are no more of them while it works", SOON, || arbiters(&broker) == threads).await;
        broker.signal("-TERM");
        assert_eq!(follows.event_of("answer.error").await["code"], "interrupted");
        let (_, ended) = follows.until_closed().await;
        assert_eq!(ended, Some(4001));
        assert_eq!(broker.wait(SOON).0, Some(0));
    }
}
