//! A ring of hosts: a reader of channels_redis sits at one of them until something comes there.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::super::codec::now_seconds;
use super::*;

#[tokio::test]
async fn who_reads_the_hosts_of_a_ring_in_turn_gets_every_message_at_once_whichever_node_sends() {
    let site = Site::new(Twin::Core, 3, &[], Serializer::Msgpack).await;
    let other = join_layer(Twin::Core, &site.options, &site.metrics).await;
    let (mut sent, mut read) = (0, 0);
    for (at, burst) in [1, 3, 2, 1, 7, 1, 1, 4].into_iter().enumerate() {
        let layer = if at % 2 == 0 { &site.layer } else { &other };
        for _ in 0..burst {
            let message = fields(json!({"type": "job", "n": sent}));
            assert!(layer.tell_channel("worker", &message, &format!("t{sent}")).await.expect("told"));
            sent += 1;
        }
        while read < sent {
            // As channels_redis does: one host after the other, and no further before something came.
            let popped: Vec<(Vec<u8>, f64)> =
                redis::cmd("ZPOPMIN").arg("asgiworker").query(&mut site.redis(read % 3)).expect("popped");
            let (stored, _) = popped.first().expect("the reader would wait here while others are full");
            assert_eq!(wire::decode(&stored[12..], Serializer::Msgpack).expect("a message")["n"], json!(read));
            read += 1;
        }
    }
}

#[tokio::test]
async fn what_lies_unread_on_a_ring_comes_to_where_its_reader_sits() {
    let site = Site::new(Twin::Core, 3, &[], Serializer::Msgpack).await;
    for n in 0..2 {
        let message = fields(json!({"type": "job", "n": n}));
        assert!(site.layer.tell_channel("worker", &message, &format!("t{n}")).await.expect("told"));
    }
    // It waits at one host until something comes there, whatever is at the others.
    let until = tokio::time::Instant::now() + DEADLINE;
    let mut read = BTreeSet::new();
    while read.len() < 2 {
        assert!(tokio::time::Instant::now() < until, "nothing comes to it");
        site.layer.spread("worker").await.expect("spread");
        let popped: Vec<(Vec<u8>, f64)> =
            redis::cmd("ZPOPMIN").arg("asgiworker").query(&mut site.redis(2)).expect("popped");
        read.extend(popped.iter().map(|(stored, _)| {
            wire::decode(&stored[12..], Serializer::Msgpack).expect("a message")["n"].as_u64().expect("a number")
        }));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(read, BTreeSet::from([0, 1]));
    let waiting =
        (0..3).map(|at| redis::cmd("ZCARD").arg("asgiworker").query::<usize>(&mut site.redis(at)).expect("n"));
    assert_eq!(waiting.sum::<usize>(), 0, "nothing was doubled");
}

#[tokio::test]
async fn a_move_that_a_node_began_is_brought_to_its_end_once() {
    let site = Site::new(Twin::Core, 2, &[], Serializer::Msgpack).await;
    for (at, placed) in [false, true].into_iter().enumerate() {
        let moving = format!("move{at} 1 {}.5 aaaaaaaaaaaabody{at}", now_seconds());
        redis::cmd("SET").arg("asgiworker$moving").arg(moving).arg("EX").arg(60).exec(&mut site.redis(0)).expect("set");
        if placed {
            let mut redis = site.redis(1);
            redis::cmd("SET").arg("asgiworker$placed").arg("move1").arg("EX").arg(60).exec(&mut redis).expect("set");
        }
        site.layer.spread("worker").await.expect("spread");
        let waiting: Vec<String> =
            redis::cmd("ZRANGE").arg("asgiworker").arg(0).arg(-1).query(&mut site.redis(1)).expect("listed");
        assert_eq!(waiting, ["aaaaaaaaaaaabody0"], "what was put down is not put down again");
        let left: bool = redis::cmd("EXISTS").arg("asgiworker$moving").query(&mut site.redis(0)).expect("asked");
        assert!(!left);
    }
}
