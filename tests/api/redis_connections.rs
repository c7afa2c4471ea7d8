//! How many connections a node opens to Redis.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::support::{SOON, TestApp, TestServer, eventually};

/// Connections to the server but the one that asks.
fn open(redis: &TestServer) -> usize {
    let mut asking = redis.connection(0);
    let list: String = redis::cmd("CLIENT").arg("LIST").query(&mut asking).expect("a list");
    list.lines().count() - 1
}

/// Waits until nothing that the node depends on is degraded.
async fn all_is_well(app: &TestApp) {
    eventually("all dependencies are well", 4 * SOON, async || {
        let ready: Value = app.request("GET", "/health/ready").send().await.ok()?.json().await.ok()?;
        let dependencies = ready["details"]["dependencies"].as_object()?;
        let well = dependencies.values().all(|it| it["state"] == "ok");
        (ready["status"] == "ready" && well).then_some(())
    })
    .await;
}

async fn the_least_connections_suffice(layer: &str, channel: usize) {
    let mut redis = TestServer::start();
    let channel_most = channel.to_string();
    let environment = [
        ("SOPHIE__CHANNEL__LAYER", layer),
        ("SOPHIE__CHANNEL__MAX_CONNECTIONS", &channel_most),
        ("SOPHIE__CACHE__MAX_CONNECTIONS", "1"),
        ("SOPHIE__GENERAL_CACHE__MAX_CONNECTIONS", "1"),
    ];
    let app = TestApp::one_of(&redis, "n1", &environment).await;
    // Once as it is, once with all connections made anew at the same time.
    for _ in 0..2 {
        all_is_well(&app).await;
        let mut socket = app.open("s1").await;
        socket.say("m1", "hello").await;
        let (until, mut most) = (Instant::now() + Duration::from_secs(2), 0);
        while Instant::now() < until {
            most = most.max(open(&redis));
            sleep(Duration::from_millis(10)).await;
        }
        assert!((5..=channel + 2).contains(&most), "{most} connections");
        redis.kill();
        redis.launch();
    }
}

#[tokio::test]
async fn the_least_connections_suffice_with_the_core_layer() {
    the_least_connections_suffice("core", 7).await;
}

#[tokio::test]
async fn the_least_connections_suffice_with_the_pubsub_layer() {
    the_least_connections_suffice("pubsub", 8).await;
}
