//! Rights that are taken away just while something is under way that was still allowed.

use std::time::Duration;

use serde_json::json;
use sophie_actors::cluster::hold_to;
use sophie_actors::ids::UserId;
use sophie_actors::protocol::CloseCode;
use sophie_actors::rights::{Issued, Rights, Shown};
use sophie_kit::faults::Fault;
use tokio::time::sleep;

use crate::support::*;

fn shown(groups: &[&str]) -> Shown {
    let patterns: Vec<String> = groups.iter().map(|&pattern| pattern.to_owned()).collect();
    Shown { rights: Rights::to(&patterns), issued: Issued::Now(0), until: None }
}

fn holding(groups: &[&str]) -> Guest {
    Guest { shown: Some(shown(groups)), ..Guest::new("alice") }
}

/// Another socket of the session comes, wherever, and shows this.
async fn another_shows(world: &World, groups: &[&str]) {
    let alice = UserId::from("alice");
    hold_to(&world.node, &session("s"), &alice, &shown(groups)).await.expect("held");
}

async fn is_out(world: &World) {
    let roster = world.node.roster.clone();
    until("out of the group", || !roster.is_member(&session("s"), &group("board"))).await;
    let record = world.stores.sessions.load(&session("s")).await.expect("loaded");
    assert_eq!((record.groups, record.rights), (Vec::new(), Some(shown(&[]).rights)));
}

#[actix::test]
async fn a_join_under_way_does_not_outlast_the_right_to_it() {
    let world = World::start().await;
    another_shows(&world, &["board"]).await;
    let client = world.connect_as("s", holding(&["board"])).await;
    world.faults.set("open", Fault::Hang);
    client.send(json!({"type": "group.join", "id": "1", "group": "board"}));
    sleep(Duration::from_secs(1)).await;
    another_shows(&world, &[]).await;
    world.faults.lift("open");
    assert_eq!(client.event_of("group.left").await["group"], "board");
    is_out(&world).await;
}

#[actix::test]
async fn what_was_loaded_under_way_is_left_before_a_socket_sees_it() {
    let world = World::start().await;
    another_shows(&world, &["board"]).await;
    world.stores.sessions.add_group(&session("s"), &group("board")).await.expect("added");
    world.faults.set("open", Fault::Hang);
    let actor = world.open("s").await.expect("open");
    let loading = actix::spawn(async move { actor.is_loaded().await });
    sleep(Duration::from_secs(1)).await;
    another_shows(&world, &[]).await;
    world.faults.lift("open");
    assert!(loading.await.expect("no panic"));
    assert!(world.node.roster.is_member(&session("s"), &group("board")), "it was read before it was lost");
    let client = world.attach("s", holding(&["board"]), None).await;
    assert_eq!(client.event_of("session.ready").await["groups"], json!(["chat_s"]));
    assert_eq!(client.event_of("group.left").await["group"], "board");
    is_out(&world).await;
}

#[actix::test]
async fn a_socket_whose_rights_cannot_be_read_is_sent_away() {
    let world = World::start().await;
    let _first = world.connect_as("s", holding(&["board"])).await;
    world.faults.set("load", Fault::Away);
    let second = world.attach("s", holding(&["board"]), None).await;
    assert_eq!(second.closed().await, CloseCode::Overloaded);
}
