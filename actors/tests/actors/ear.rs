//! The ear: what a gap holds, or that it could not be read.

use std::time::Duration;

use sophie_actors::cluster::resync;
use sophie_actors::ids::{AnswerId, MessageId};
use sophie_actors::protocol::CacheStatus;
use sophie_actors::registry::AnswerStarted;
use sophie_actors::store::{AnswerStart, Append, Appended};
use sophie_kit::faults::Fault;
use tokio::time::sleep;

use crate::support::*;

/// Logs an event that nobody on this node is told of, as another node would.
async fn elsewhere(world: &World, name: &str, text: &str) -> u64 {
    let name = group(name);
    let body = format!("{{\"type\":\"message\",\"group\":\"{name}\",\"message\":{{\"text\":\"{text}\"}}}}");
    let append = Append { group: name, body: body.into(), message: None, once: None, owes: None };
    match world.stores.logs.append(append).await.expect("logged") {
        Appended::New { seq, .. } => seq,
        other => panic!("{other:?}"),
    }
}

#[actix::test]
async fn what_another_node_logged_is_delivered_though_this_one_was_only_told_of_the_last() {
    let world = World::start().await;
    let client = world.connect("s").await;
    for text in ["one", "two", "three"] {
        elsewhere(&world, "chat_s", text).await;
    }
    world.faults.set("read_after", Fault::Away);
    world.node.registry.reached(group("chat_s"), 3).await.expect("told");
    sleep(Duration::from_secs(3)).await;
    assert!(client.waiting().is_empty());
    world.faults.lift("read_after");
    for text in ["one", "two", "three"] {
        assert_eq!(client.event_of("message").await["message"]["text"], text);
    }
}

#[actix::test]
async fn a_gap_of_many_pages_is_filled_in_order_and_beside_live_events() {
    let world = World::start().await;
    let client = world.connect("s").await;
    for number in 0..900 {
        elsewhere(&world, "chat_s", &number.to_string()).await;
    }
    assert_eq!(client.say("1", "live").await["seq"], 901);
    let mut seqs = Vec::new();
    while seqs.len() < 901 {
        seqs.extend(client.event_of("message").await["seq"].as_u64());
    }
    assert_eq!(seqs, (1..=901).collect::<Vec<_>>());
}

#[actix::test]
async fn one_log_that_does_not_answer_holds_no_other_up() {
    let world = World::start().await;
    let (slow, quick) = (world.connect("slow").await, world.connect("quick").await);
    elsewhere(&world, "chat_slow", "late").await;
    elsewhere(&world, "chat_quick", "soon").await;
    world.faults.set("read_after", Fault::Hang);
    world.node.registry.reached(group("chat_slow"), 1).await.expect("told");
    until("the log is asked", || world.faults.calls("read_after") == ["chat_slow"]).await;
    // What comes from now on is answered; the first question still hangs.
    world.faults.set("read_after", Fault::Panic("nothing"));
    world.node.registry.reached(group("chat_quick"), 1).await.expect("told");
    assert_eq!(quick.event_of("message").await["message"]["text"], "soon");
    assert!(slow.waiting().is_empty());
    world.faults.wake();
    assert_eq!(slow.event_of("message").await["message"]["text"], "late");
}

#[actix::test]
async fn so_many_gaps_are_read_at_a_time_and_no_more() {
    let world = World::start().await;
    let mut clients = Vec::new();
    world.faults.set("read_after", Fault::Hang);
    for n in 0..50 {
        let session = format!("s{n}");
        clients.push(world.connect(&session).await);
        let home = format!("chat_{session}");
        elsewhere(&world, &home, "missed").await;
        world.node.registry.reached(group(&home), 1).await.expect("told");
    }
    sleep(Duration::from_secs(3)).await;
    assert_eq!(world.faults.calls("read_after").len(), 8);
    world.faults.lift("read_after");
    for client in &clients {
        assert_eq!(client.event_of("message").await["message"]["text"], "missed");
    }
}

#[actix::test]
async fn answers_that_the_store_has_lost_are_looked_for_together_and_once_however_often_that_is_noticed() {
    let world = World::start().await;
    let _client = world.connect("s").await;
    let home = group("chat_s");
    for n in 0..20 {
        let (answer, message) = (AnswerId::from(format!("a{n}").as_str()), MessageId::from(format!("m{n}-1").as_str()));
        let start = AnswerStart { model: "m".into(), cache: CacheStatus::Miss };
        let started = AnswerStarted { group: home.clone(), answer, message, start };
        world.node.registry.answer_started(started).await.expect("told");
    }
    world.faults.set("read_after", Fault::Away);
    for _ in 0..10 {
        resync(&world.stores, &world.node.registry, std::slice::from_ref(&home)).await.expect("looked at");
    }
    sleep(Duration::from_secs(3)).await;
    let reads = world.faults.calls("read_after").len();
    assert!((4..10).contains(&reads), "twice a second, and not for each answer and each look: {reads}");
    world.faults.lift("read_after");
    sleep(Duration::from_secs(3)).await;
    assert_eq!(
        world.faults.calls("owe").len(),
        40,
        "each is owed; and once more, since it was noticed again meanwhile"
    );
    assert_eq!(world.faults.calls("read_after").len(), reads + 2);
}
