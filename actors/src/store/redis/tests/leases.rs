//! Turns that nodes take, and numbers on which they agree.

use std::sync::Arc;
use std::time::Duration;

use sophie_kit::{eventually, until};
use tokio::time::Instant;

use super::*;
use crate::store::{Hearing, Leases};

#[tokio::test]
async fn one_node_at_a_time_has_a_turn() {
    let redis = in_redis().await;
    let other = beside(&redis).await;
    assert!(redis.stores.leases.hold("t", 60).await.expect("asked"));
    assert!(!other.leases.hold("t", 60).await.expect("asked"));
    assert!(redis.stores.leases.hold("t", 1).await.expect("renewed"));
    eventually("a turn that is not renewed ends", DEADLINE, async || {
        other.leases.hold("t", 1).await.expect("asked").then_some(())
    })
    .await;
    redis.finish();
}

#[tokio::test]
async fn equal_ones_have_the_same_numbers_at_every_node_that_hears_them() {
    let redis = in_redis().await;
    let (one, other) = (redis.stores.leases.clone(), beside(&redis).await.leases);
    let heard = async |node: &Arc<dyn Leases>, name: &str, ago: u64, listening: u64| {
        let before = |ms| Instant::now() - Duration::from_millis(ms);
        let hearing = Hearing { what: "team d", name, at: before(ago), since: before(listening) };
        node.number(&hearing, 5).await.expect("numbered")
    };
    let number = async |node: &Arc<dyn Leases>, name: &str| heard(node, name, 300, 60_000).await;
    let first = number(&one, "a1").await;
    assert_eq!(first, number(&one, "a1").await, "asked again, since the reply was lost");
    assert_eq!(first, number(&other, "b1").await);
    let second = number(&other, "b2").await;
    assert_ne!(first, second);
    assert_eq!(second, number(&one, "a2").await);
    // A node that begins to listen has not heard what others heard before, but what they heard since.
    let late = beside(&redis).await.leases;
    assert_eq!(heard(&late, "c1", 0, 0).await, heard(&one, "a3", 0, 60_000).await);
    let before = heard(&one, "a4", 500, 60_000).await;
    let new = heard(&late, "c2", 0, 100).await;
    assert_ne!(before, new);
    assert_eq!(heard(&one, "a5", 0, 60_000).await, new);
    // Much later an equal one is another one.
    let key = format!("{}:heard:team d", redis.options.prefix);
    until("it is forgotten", 2 * DEADLINE, || {
        !redis::cmd("EXISTS").arg(&key).query::<bool>(&mut redis.server.connection(0)).expect("asked")
    })
    .await;
    let third = number(&one, "a6").await;
    assert!(third != first && third != second);
    redis.finish();
}
