//! The mirror: the newest state wins, a lease is renewed, a lost store is written anew.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use serde_json::json;
use sophie_actors::channel_layer::NoLayer;
use sophie_actors::cluster::mirror::{Mirror, MirrorHandle};
use sophie_kit::faults::Fault;
use tokio::time::sleep;

use crate::support::*;

fn mirror(world: &World, expiry: Duration) -> MirrorHandle {
    let node = &world.node;
    let (roster, registry, metrics) = (node.roster.clone(), node.registry.clone(), node.metrics.clone());
    Mirror::new(roster, world.stores.clone(), Arc::new(NoLayer), registry, metrics, expiry, unwatched()).start().into()
}

/// How often a group was written by `call`.
fn written(world: &World, call: &str, name: &str) -> usize {
    world.faults.calls(call).iter().filter(|about| about.split(' ').any(|group| group == name)).count()
}

const DAY: Duration = Duration::from_secs(86_400);

#[actix::test]
async fn memberships_are_written_when_the_first_comes_and_the_last_goes() {
    let world = World::start().await;
    mirror(&world, DAY);
    let (a, b) = (world.connect("a").await, world.connect("b").await);
    for client in [&a, &b] {
        client.ask("1", json!({"type": "group.join", "group": "team"})).await;
    }
    until("it is written", || written(&world, "join", "team") == 1).await;
    a.ask("2", json!({"type": "group.leave", "group": "team"})).await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!((written(&world, "join", "team"), written(&world, "leave", "team")), (1, 0), "one is still in it");
    b.ask("2", json!({"type": "group.leave", "group": "team"})).await;
    until("it is written", || written(&world, "leave", "team") == 1).await;
}

#[actix::test]
async fn only_the_newest_state_is_written_after_the_store_was_away_and_nobody_waited_for_it() {
    let world = World::start().await;
    mirror(&world, DAY);
    let client = world.connect("s").await;
    sleep(Duration::from_secs(3)).await;
    world.faults.set("join", Fault::Hang);
    // The registry answers at once all the same.
    for (id, kind) in ["group.join", "group.leave", "group.join", "group.leave"].iter().enumerate() {
        for name in ["gone", "other"] {
            let reply = client.ask(&format!("{id}{name}"), json!({"type": kind, "group": name})).await;
            assert_eq!(reply["type"], "ack");
        }
    }
    client.ask("last", json!({"type": "group.join", "group": "team"})).await;
    world.faults.set("join", Fault::Away);
    world.faults.wake();
    sleep(Duration::from_secs(3)).await;
    let before = written(&world, "join", "gone");
    world.faults.lift("join");
    sleep(Duration::from_secs(3)).await;
    assert_eq!(written(&world, "join", "gone"), before, "what has passed is not written");
    assert!(written(&world, "leave", "gone") > 0);
    assert!(written(&world, "join", "team") > 0);
    assert_eq!(written(&world, "leave", "team"), 0);
}

#[actix::test]
async fn memberships_are_renewed_in_good_time_before_they_run_out() {
    let world = World::start().await;
    mirror(&world, Duration::from_secs(40));
    let _client = world.connect("s").await;
    sleep(Duration::from_secs(3)).await;
    let before = written(&world, "join", "chat_s");
    sleep(Duration::from_secs(100)).await;
    let renewed = written(&world, "join", "chat_s") - before;
    assert!((8..=11).contains(&renewed), "renewed {renewed} times in 100 s");
    let beats = world.faults.calls("heartbeat").len();
    assert!((95..=110).contains(&beats), "{beats} heartbeats in 103 s");
}

#[actix::test]
async fn a_store_that_lost_its_data_is_given_every_membership_and_its_logs_are_looked_at() {
    let world = World::start().await;
    mirror(&world, DAY);
    let client = world.connect("s").await;
    client.say("1", "before").await;
    sleep(Duration::from_secs(5)).await;
    let before = written(&world, "join", "chat_s");
    sleep(Duration::from_secs(5)).await;
    assert_eq!(written(&world, "join", "chat_s"), before, "nothing is written without need");
    // The lease and the log are gone.
    world.stores.membership.resign().await.expect("resigned");
    world.stores.groups.delete(&group("chat_s")).await.expect("deleted");
    let reset = client.event_of("log.reset").await;
    assert_eq!((&reset["group"], &reset["seq"]), (&json!("chat_s"), &json!(0)));
    until("it is written anew", || written(&world, "join", "chat_s") > before).await;
}

#[actix::test]
async fn after_a_heartbeat_that_failed_the_logs_are_looked_at_and_memberships_that_are_there_left_alone() {
    let world = World::start().await;
    mirror(&world, DAY);
    let _client = world.connect("s").await;
    sleep(Duration::from_secs(5)).await;
    let before = written(&world, "join", "chat_s");
    world.faults.set("heartbeat", Fault::Away);
    sleep(Duration::from_secs(5)).await;
    world.faults.set("open", Fault::Away);
    world.faults.lift("heartbeat");
    sleep(Duration::from_secs(5)).await;
    let looked = world.faults.calls("open").len();
    world.faults.lift("open");
    until("they are looked at", || world.faults.calls("open").len() > looked).await;
    assert_eq!(written(&world, "join", "chat_s"), before);
}

#[actix::test]
async fn the_beat_waits_for_nothing() {
    let world = World::start().await;
    mirror(&world, DAY);
    let client = world.connect("s").await;
    client.ask("1", json!({"type": "group.join", "group": "team"})).await;
    sleep(Duration::from_secs(3)).await;
    // Everything is to be written anew, and nothing of it gets on.
    for call in ["join", "open", "add_group"] {
        world.faults.set(call, Fault::Hang);
    }
    world.stores.membership.resign().await.expect("resigned");
    sleep(Duration::from_secs(3)).await;
    let before = world.faults.calls("heartbeat").len();
    sleep(Duration::from_secs(20)).await;
    let beats = world.faults.calls("heartbeat").len() - before;
    assert!((19..=21).contains(&beats), "{beats} beats in 20 s");
    let looked = world.faults.calls("open").len();
    for call in ["join", "open", "add_group"] {
        world.faults.lift(call);
    }
    until("it is written", || written(&world, "join", "team") > 1).await;
    assert_eq!(world.faults.calls("open").len(), looked, "each was asked once");
}

#[actix::test]
async fn one_group_that_cannot_be_written_holds_no_other_up() {
    let world = World::start().await;
    mirror(&world, DAY);
    let client = world.connect("s").await;
    sleep(Duration::from_secs(3)).await;
    world.faults.set("join", Fault::Corrupt("bad"));
    for name in ["bad", "good", "better"] {
        assert_eq!(client.ask(name, json!({"type": "group.join", "group": name})).await["type"], "ack");
    }
    let alone = |name: &'static str| {
        let calls = world.faults.calls("join");
        move || calls.iter().any(|about| about.contains(name) && !about.contains("bad"))
    };
    for name in ["good", "better"] {
        until("it is written without the bad one", || alone(name)()).await;
    }
    let tries = written(&world, "join", "bad");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(written(&world, "join", "bad"), tries, "it is left alone until something changes");
}

#[actix::test]
async fn resigning_gives_every_membership_up_and_writes_no_more() {
    let world = World::start().await;
    let mirror = mirror(&world, DAY);
    let client = world.connect("s").await;
    client.ask("1", json!({"type": "group.join", "group": "team"})).await;
    sleep(Duration::from_secs(3)).await;
    mirror.resign().await.expect("resigned");
    assert_eq!((written(&world, "leave", "team"), written(&world, "leave", "chat_s")), (1, 1));
    assert_eq!(world.faults.calls("resign").len(), 1);
    let (joins, beats) = (world.faults.calls("join").len(), world.faults.calls("heartbeat").len());
    client.ask("2", json!({"type": "group.join", "group": "late"})).await;
    sleep(Duration::from_secs(10)).await;
    assert_eq!((world.faults.calls("join").len(), world.faults.calls("heartbeat").len()), (joins, beats));
}

#[actix::test]
async fn resigning_is_tried_again_where_the_store_was_late() {
    let world = World::start().await;
    let mirror = mirror(&world, DAY);
    let _client = world.connect("s").await;
    sleep(Duration::from_secs(3)).await;
    world.faults.set("leave", Fault::Away);
    let late = async {
        sleep(Duration::from_millis(400)).await;
        world.faults.lift("leave");
    };
    let (resigned, ()) = tokio::join!(mirror.resign(), late);
    resigned.expect("resigned");
    assert_eq!(world.faults.calls("resign").len(), 1);
}

#[actix::test]
async fn resigning_does_not_wait_for_a_store_that_does_not_answer() {
    let world = World::start().await;
    let mirror = mirror(&world, DAY);
    let _client = world.connect("s").await;
    sleep(Duration::from_secs(3)).await;
    world.faults.set("leave", Fault::Hang);
    tokio::time::timeout(Duration::from_secs(2), mirror.resign()).await.expect("in time").expect("answered");
}
