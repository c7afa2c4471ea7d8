//! Redis that freezes again and again while everybody speaks.

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::{Mode, TestApp, TestSocket};

const SESSIONS: usize = 4;
const MESSAGES: u64 = 150;
const FREEZES: usize = 6;
/// For everything together, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Says everything in turn, each with its id until it is acknowledged; returns how often it was refused.
async fn speak(mut socket: TestSocket) -> usize {
    let (until, mut refused) = (Instant::now() + PATIENCE, 0);
    for n in 1..=MESSAGES {
        loop {
            let reply = socket.say(&format!("m{n}"), &format!("t{n}")).await;
            if reply["type"] == "ack" {
                assert_eq!(reply["seq"], n, "said in turn, logged in turn");
                break;
            }
            assert_eq!(reply["code"], "store_unavailable", "{reply}");
            assert!(Instant::now() < until, "never acknowledged");
            refused += 1;
            sleep(Duration::from_millis(20)).await;
        }
        sleep(Duration::from_millis(10)).await;
    }
    refused
}

/// Hears everything, once and in order.
async fn listen(mut socket: TestSocket) {
    for n in 1..=MESSAGES {
        let message = socket.event_of("message").await;
        assert_eq!((&message["seq"], &message["message"]["text"]), (&json!(n), &json!(format!("t{n}"))));
    }
}

/// Reads all the time: what may take 100 ms alone fails first, and takes the connection from under the appends.
async fn read(mut socket: TestSocket) {
    loop {
        socket.ask("h", json!({"type": "history.get"})).await;
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_redis_that_freezes_again_and_again_loses_doubles_and_disorders_nothing() {
    let app = TestApp::start(Mode::Redis, &[]).await;
    let (mut speakers, mut listeners) = (JoinSet::new(), JoinSet::new());
    for n in 0..SESSIONS {
        let name = format!("s{n}");
        listeners.spawn(listen(app.open(&name).await));
        speakers.spawn(speak(app.open(&name).await));
    }
    let reader = tokio::spawn(read(app.open("reader").await));
    for _ in 0..FREEZES {
        sleep(Duration::from_millis(250)).await;
        app.redis().freeze();
        sleep(Duration::from_millis(250)).await;
        app.redis().thaw();
    }
    let refused: usize = speakers.join_all().await.into_iter().sum();
    listeners.join_all().await;
    assert!(!reader.is_finished(), "its socket stays open");
    reader.abort();
    println!("{refused} of {} sends had to be repeated", SESSIONS as u64 * MESSAGES);
    assert!(refused > 0, "no freeze was felt");
}
