//! Nodes that are there, that have died, or that take the name of another.

use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::ids::GroupName;
use crate::store::contract::{group, node_info};

#[tokio::test]
async fn what_a_dead_node_left_is_found_and_removed_by_the_others() {
    let redis = in_redis().await;
    let others = beside(&redis).await;
    let groups: Vec<GroupName> = (0..700).map(|n| group(&format!("team-{n}"))).collect();
    let rows: Vec<_> = (0..700).map(|n| (session(&format!("s{n}")), Some(row("n1", 1, &["team"])))).collect();
    let dead = redis.options.node_key.as_str();
    redis.stores.membership.join(&groups).await.expect("joined");
    redis.stores.presence.write(&rows).await.expect("written");
    for stores in [&redis.stores, &others] {
        assert_eq!(stores.membership.heartbeat(&node_info()).await.expect("beaten").dead, Vec::<String>::new());
    }
    assert_eq!(others.presence.nodes().await.expect("read"), [node_info()]);
    // Its lease runs out.
    let nodes = format!("{}:nodes", redis.options.prefix);
    redis::cmd("ZADD").arg(nodes).arg(1).arg(dead).query::<()>(&mut redis.server.connection(0)).expect("aged");
    assert_eq!(others.membership.heartbeat(&node_info()).await.expect("beaten").dead, [dead]);
    assert!(!others.presence.forget(dead).await.expect("removed"), "a share at a time");
    while !others.presence.forget(dead).await.expect("removed") {}
    assert_eq!(others.presence.members(&group("team"), 10).await.expect("read"), []);
    let mut left = std::collections::BTreeSet::new();
    loop {
        let some = others.membership.left_by(dead).await.expect("read");
        if some.is_empty() {
            break;
        }
        others.membership.cleared(dead, &some).await.expect("cleared");
        left.extend(some);
    }
    assert_eq!(left.len(), 700);
    others.membership.bury(dead).await.expect("buried");
    assert_eq!(others.membership.heartbeat(&node_info()).await.expect("beaten").dead, Vec::<String>::new());
    redis.finish();
}

#[tokio::test]
async fn who_takes_the_name_of_a_node_that_has_stopped_takes_its_place_and_of_no_other() {
    let redis = in_redis().await;
    let options = RedisOptions { node_key: NodeKey::random(), ..redis.options.clone() };
    let (again, _) = connected(options).await;
    let first = redis.stores.membership.heartbeat(&node_info()).await.expect("beaten");
    assert_eq!((first.known, first.namesake), (false, None));
    let beat = again.membership.heartbeat(&node_info()).await.expect("beaten");
    let holder = redis.options.node_key.as_str().to_owned();
    let namesake = beat.namesake.expect("the first one");
    assert_eq!((beat.known, namesake.key, beat.dead), (false, holder.clone(), vec![]));
    assert_eq!(first.life, beat.life);
    // The first one lives, and shows it.
    let until = Instant::now() + DEADLINE;
    loop {
        redis.stores.membership.heartbeat(&node_info()).await.expect("beaten");
        let beat = again.membership.heartbeat(&node_info()).await.expect("beaten");
        // Two beats may come in one millisecond.
        if beat.namesake.expect("it lives").renewed_ms > namesake.renewed_ms {
            break;
        }
        assert!(Instant::now() < until, "it does not show that it lives");
    }
    // It stops.
    let until = Instant::now() + DEADLINE;
    loop {
        let beat = again.membership.heartbeat(&node_info()).await.expect("beaten");
        if beat.namesake.is_none() {
            break assert_eq!((beat.known, beat.dead), (true, vec![holder]));
        }
        assert_eq!(beat.dead, Vec::<String>::new(), "nobody is buried before that");
        assert!(Instant::now() < until, "never free");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!redis.stores.membership.heartbeat(&node_info()).await.expect("beaten").known, "it was buried");
}
