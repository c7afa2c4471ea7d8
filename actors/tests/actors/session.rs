//! Sessions: order, independence, ends, and what a fault in one leaves behind.

use std::time::Duration;

use serde_json::json;
use sophie_actors::protocol::{CloseCode, LogHead};
use sophie_actors::registry::Deliver;
use sophie_actors::socket::AttachSocket;
use sophie_actors::store::{Append, StoredEvent};
use sophie_kit::faults::Fault;
use tokio::time::sleep;

use crate::support::*;

#[actix::test]
async fn commands_of_one_socket_are_answered_in_their_order_though_the_store_is_slow() {
    let world = World::start().await;
    let client = world.connect("s").await;
    world.faults.set("append", Fault::Hang);
    for (id, command) in [
        ("1", json!({"type": "message.send", "text": "one", "assistant": false})),
        ("2", json!({"type": "no.such"})),
        ("3", json!({"type": "ping"})),
    ] {
        let mut command = command;
        command["id"] = id.into();
        client.send(command);
    }
    sleep(Duration::from_secs(1)).await;
    assert!(client.waiting().is_empty(), "everything waits for the first");
    world.faults.lift("append");
    for id in ["1", "2", "3"] {
        let reply = loop {
            let event = client.event().await;
            if event.get("id").is_some() {
                break event;
            }
        };
        assert_eq!(reply["id"], id);
    }
}

#[actix::test]
async fn another_socket_of_the_session_is_not_held_up_by_a_slow_command() {
    let world = World::start().await;
    let (slow, quick) = (world.connect("s").await, world.connect("s").await);
    world.hold_up(&slow, "1");
    assert_eq!(quick.ask("2", json!({"type": "ping"})).await["type"], "pong");
    world.faults.lift("append");
    assert_eq!(slow.reply("1").await["type"], "ack");
}

#[actix::test]
async fn a_thousand_bad_commands_that_waited_are_refused_one_by_one() {
    let world = World::start_where(|options| options.session.commands_burst = 2_000).await;
    let client = world.connect("s").await;
    world.hold_up(&client, "first");
    for id in 0..900 {
        client.send(json!({"type": "no.such", "id": id.to_string()}));
    }
    sleep(Duration::from_secs(1)).await;
    world.faults.lift("append");
    client.reply("first").await;
    assert_eq!(client.reply("899").await["code"], "unknown_type");
}

#[actix::test]
async fn a_client_whose_commands_the_store_cannot_follow_is_asked_to_come_back() {
    let world = World::start_where(|options| options.session.commands_burst = 3).await;
    let client = world.connect("s").await;
    world.faults.set("append", Fault::Hang);
    for id in 0..5 {
        client.send(json!({"type": "message.send", "id": id.to_string(), "text": "x", "assistant": false}));
    }
    assert_eq!(client.closed().await, CloseCode::Overloaded);
}

#[actix::test]
async fn a_session_without_sockets_ends_after_its_idle_time_and_not_before() {
    let world = World::start().await;
    let client = world.connect("s").await;
    sleep(Duration::from_secs(200)).await;
    assert_eq!(world.node.roster.count().sessions, 1, "somebody is attached");
    client.leave();
    sleep(Duration::from_secs(50)).await;
    assert_eq!(world.node.roster.count().sessions, 1);
    until("the session ends", || world.node.roster.count().sessions == 0).await;
    let client = world.connect("s").await;
    assert_eq!(world.lives(), 2, "a new actor");
    assert_eq!(client.say("1", "hello").await["seq"], 1);
}

#[actix::test]
async fn a_session_with_an_answer_under_way_does_not_end() {
    let world = World::start_where(|options| options.session.idle_seconds = 2).await;
    let (client, feed) = world.asked("s").await;
    client.leave();
    sleep(Duration::from_secs(20)).await;
    assert_eq!(world.node.roster.count().sessions, 1);
    feed.answer("hi");
    until("the session ends", || world.node.roster.count().sessions == 0).await;
    assert_eq!(world.log(&session("s").home()).await[1], ("answer.end".into(), "hi".into()));
}

#[actix::test]
async fn an_expired_token_closes_its_socket_and_a_refreshed_one_does_not() {
    let world = World::start().await;
    let expiring = world.connect_as("s", Guest::until("u", Duration::from_secs(30))).await;
    let refreshed = world.connect_as("s", Guest::until("u", Duration::from_secs(30))).await;
    assert_eq!(refreshed.ask("1", json!({"type": "auth.refresh", "token": "bad"})).await["code"], "not_allowed");
    assert_eq!(refreshed.ask("2", json!({"type": "auth.refresh", "token": "good"})).await["type"], "ack");
    assert_eq!(expiring.closed().await, CloseCode::BadToken);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(refreshed.ask("3", json!({"type": "ping"})).await["type"], "pong");
}

#[actix::test]
async fn a_refreshed_token_stands_after_the_session_was_rebuilt() {
    let world = World::start().await;
    let client = world.connect_as("s", Guest::until("u", Duration::from_secs(30))).await;
    assert_eq!(client.ask("1", json!({"type": "auth.refresh", "token": "good"})).await["type"], "ack");
    world.fail(&client, "2").await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(client.ask("3", json!({"type": "ping"})).await["type"], "pong");
}

#[actix::test]
async fn a_session_whose_record_cannot_be_read_is_not_opened() {
    let world = World::start().await;
    world.faults.set("load", Fault::Away);
    let actor = world.open("s").await.expect("an actor");
    assert!(!actor.is_loaded().await, "it has ended");
    assert_eq!(world.node.roster.count().sessions, 0);
    world.faults.lift("load");
    world.connect("s").await;
}

#[actix::test]
async fn a_session_comes_back_to_its_groups() {
    let world = World::start_where(|options| options.session.idle_seconds = 2).await;
    let client = world.connect("s").await;
    client.ask("1", json!({"type": "group.join", "group": "team"})).await;
    client.leave();
    until("the session ends", || world.node.roster.count().sessions == 0).await;
    let client = world.attach("s", Guest::new("s"), None).await;
    assert_eq!(client.event().await["groups"], json!(["chat_s", "team"]));
}

#[actix::test]
async fn a_panic_answers_the_commands_under_way_and_keeps_sockets_and_groups() {
    let world = World::start().await;
    let (one, two) = (world.connect("s").await, world.connect("s").await);
    one.ask("1", json!({"type": "group.join", "group": "team"})).await;
    world.faults.set("append", Fault::Panic("boom"));
    one.send(json!({"type": "message.send", "id": "2", "text": "boom", "assistant": false}));
    one.send(json!({"type": "ping", "id": "3"}));
    assert_eq!(one.reply("2").await["code"], "internal");
    assert_eq!(one.reply("3").await["code"], "internal", "it waited behind the fault");
    until("the session is rebuilt", || world.lives() == 2).await;
    let said = json!({"type": "message.send", "text": "still here", "assistant": false, "group": "team"});
    assert_eq!(one.ask("4", said).await["type"], "ack");
    assert_eq!(two.event_of("message").await["message"]["text"], "still here");
    assert_eq!(two.handle.closing(), None);
}

#[actix::test]
async fn a_socket_that_goes_as_its_session_fails_does_not_keep_the_next_one_for_ever() {
    let world = World::start().await;
    let (going, stays) = (world.connect("s").await, world.connect("s").await);
    // Nobody hears more of it.
    going.handle.mark_gone();
    world.fail(&stays, "1").await;
    until("the session is rebuilt", || world.lives() == 2).await;
    stays.leave();
    until("the session ends", || world.node.roster.count().sessions == 0).await;
}

#[actix::test]
async fn a_socket_whose_attachment_is_lost_in_a_fault_is_closed_to_come_back() {
    let world = World::start().await;
    let first = world.connect("s").await;
    let epoch = world.node.stores.logs.open(&[session("s").home()]).await.expect("open")[0].head.epoch.clone();
    world.faults.set("open", Fault::Hang);
    let late = world.attach("s", Guest::new("s"), Some((0, epoch))).await;
    world.faults.set("append", Fault::Panic("boom"));
    assert_eq!(first.say("1", "boom").await["code"], "internal");
    assert_eq!(late.closed().await, CloseCode::Restarted);
    assert_eq!(first.handle.closing(), None);
}

#[actix::test]
async fn a_socket_that_reaches_a_session_as_it_ends_is_closed_to_come_back() {
    let world = World::start_where(|options| options.session.idle_seconds = 1).await;
    let actor = world.open("s").await.expect("open");
    assert!(actor.is_loaded().await);
    until("the session ends", || !actor.is_alive()).await;
    let client = Client::new(world.node.metrics.clone());
    actor
        .attach(AttachSocket::new(client.attached(Guest::new("s")), None))
        .expect("it has no mailbox that could be full");
    assert_eq!(client.closed().await, CloseCode::Restarted);
}

/// Goes to the end of the queue of this thread's tasks, once.
async fn let_others_run() {
    let mut waited = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

#[actix::test]
async fn a_fault_at_any_moment_of_a_join_leaves_no_hole() {
    let world = World::start().await;
    let other = world.connect("t").await;
    let joined = other.ask("1", json!({"type": "group.join", "group": "team"})).await;
    let say = json!({"type": "message.send", "text": "x", "assistant": false, "group": "team"});
    let mut closed = 0;
    for moment in 0..40 {
        other.ask(&format!("before{moment}"), say.clone()).await;
        let name = format!("s{moment}");
        let (client, faulty) = (world.connect(&name).await, world.connect(&name).await);
        world.faults.set("append", Fault::Hang);
        faulty.send(json!({"type": "message.send", "id": "1", "text": "boom", "assistant": false}));
        sleep(Duration::from_secs(1)).await;
        client.send(json!({"type": "group.join", "id": "1", "group": "team", "since": 0, "epoch": joined["epoch"]}));
        let faults = world.faults.clone();
        actix::spawn(async move {
            for _ in 0..moment {
                let_others_run().await;
            }
            faults.set("append", Fault::Panic("boom"));
            faults.wake();
        });
        assert_eq!(faulty.reply("1").await["code"], "internal");
        sleep(Duration::from_secs(1)).await;
        other.ask(&format!("after{moment}"), say.clone()).await;
        sleep(Duration::from_secs(1)).await;
        if client.handle.closing().is_some() {
            closed += 1;
            continue;
        }
        let events = client.waiting();
        let acknowledged = events.iter().any(|event| event["id"] == "1" && event["type"] == "ack");
        let got: Vec<_> = events.iter().filter(|it| it["type"] == "message").map(|it| it["seq"].as_u64()).collect();
        let all: Vec<_> = (1..=2 * (moment + 1)).map(Some).collect();
        assert!(!acknowledged || got == all, "moment {moment}: {got:?}");
    }
    assert!(closed > 0, "some moments are between the membership and its replay");
}

#[actix::test]
async fn a_returning_client_is_given_what_it_missed_and_then_what_comes() {
    let world = World::start().await;
    let client = world.connect("s").await;
    for text in ["one", "two", "three"] {
        client.say(text, text).await;
    }
    let epoch = world.node.stores.logs.open(&[session("s").home()]).await.expect("open")[0].head.epoch.clone();
    world.faults.set("read_after", Fault::Hang);
    let back = world.attach("s", Guest::new("s"), Some((1, epoch.clone()))).await;
    let ready = back.event().await;
    assert_eq!((&ready["recovered"], &ready["seq"]), (&json!(true), &json!(3)));
    client.say("four", "four").await;
    world.faults.lift("read_after");
    for seq in 2..=4 {
        assert_eq!(back.event().await["seq"], seq);
    }
    client.say("five", "five").await;
    assert_eq!(back.event().await["seq"], 5);
    world.faults.set("read_after", Fault::Away);
    let unlucky = world.attach("s", Guest::new("s"), Some((1, epoch))).await;
    assert_eq!(unlucky.closed().await, CloseCode::Internal, "a hole is never left");
}

#[actix::test]
async fn a_log_that_begins_anew_under_a_replay_is_told_before_anything_more_is_heard_of_the_one_before() {
    let world = World::start().await;
    let client = world.connect("s").await;
    for text in ["one", "two", "three"] {
        client.say(text, text).await;
    }
    let home = session("s").home();
    let epoch = world.node.stores.logs.open(std::slice::from_ref(&home)).await.expect("open")[0].head.epoch.clone();
    world.faults.set("read_after", Fault::Hang);
    let back = world.attach("s", Guest::new("s"), Some((1, epoch.clone()))).await;
    assert_eq!(back.event().await["recovered"], true);
    world.stores.logs.confirm(&home, &LogHead { epoch: epoch.clone(), seq: 9 }).await.expect("a new life");
    world.faults.lift("read_after");
    sleep(Duration::from_millis(10)).await;
    // Published before the store went back, and late.
    let event = StoredEvent { seq: 4, body: "{\"type\":\"message\"}".into() };
    world.node.registry.deliver(Deliver { group: home, epoch, event }).await.expect("delivered");
    client.say("new", "new").await;
    let told = back.event().await;
    assert_eq!((&told["type"], &told["seq"]), (&json!("log.reset"), &json!(3)), "{told}");
    assert_eq!(back.event().await["message"]["text"], "new");
}

#[actix::test]
async fn what_was_released_to_a_client_does_not_come_again_when_it_joins_ahead_of_this_node() {
    let world = World::start().await;
    let client = world.connect("s").await;
    let joined = client.ask("j", json!({"type": "group.join", "group": "team"})).await;
    let home = world.node.stores.logs.open(&[session("s").home()]).await.expect("open")[0].head.clone();
    let back = world.attach("s", Guest::new("s"), Some((home.seq, home.epoch))).await;
    back.event_of("session.ready").await;
    // Others have logged these, and this node has not heard of it.
    for text in ["one", "two"] {
        let body = json!({"type": "message", "message": {"text": text}}).to_string().into();
        let append = Append { group: group("team"), body, message: None, once: None, owes: None };
        world.stores.logs.append(append).await.expect("stored");
    }
    // After a second the client gets what was withheld though it has not said where it left off.
    for seq in 1..=2 {
        assert_eq!(back.event_of("message").await["seq"], seq);
    }
    // It was shown more at another node.
    let resume = json!({"type": "group.join", "group": "team", "since": 2, "epoch": joined["epoch"]});
    let joined = back.ask("j", resume).await;
    assert_eq!((&joined["recovered"], &joined["seq"]), (&json!(false), &json!(0)), "{joined}");
    client.ask("3", json!({"type": "message.send", "group": "team", "text": "three", "assistant": false})).await;
    assert_eq!(back.event_of("message").await["seq"], 3);
}

#[actix::test]
async fn a_repeated_question_that_was_not_answered_is_paid_for_once() {
    let world = World::start().await;
    let client = world.connect("s").await;
    // The first try is logged, but its answer is never begun: its node went down just then.
    world.faults.set("append", Fault::ReplyLost);
    assert_eq!(client.question("1", "hello").await["code"], "store_unavailable");
    world.faults.lift("append");
    sleep(Duration::from_secs(1)).await;
    let settled = world.faults.calls("settle").len();
    assert_eq!(client.question("1", "hello").await["type"], "ack");
    let feed = world.ai.asked().await;
    feed.answer("hi");
    client.event_of("answer.end").await;
    sleep(Duration::from_secs(1)).await;
    let settled = world.faults.calls("settle").split_off(settled);
    assert_eq!(settled.len(), 1, "only the answer's tokens are settled: {settled:?}");
}

#[actix::test]
async fn a_message_whose_append_was_made_again_is_a_new_one() {
    let world = World::start().await;
    let client = world.connect("s").await;
    world.faults.set("append", Fault::Twice);
    let ack = client.question("1", "hello").await;
    assert_eq!((&ack["type"], &ack["seq"]), (&json!("ack"), &json!(1)), "{ack}");
    assert_eq!(client.event_of("message").await["message"]["text"], "hello");
    world.ai.asked().await.answer("hi");
    assert_eq!(client.event_of("answer.end").await["text"], "hi");
    assert_eq!(world.node.metrics.logged.get(), 2, "the message, counted once, and the answer's end");
    assert_eq!(world.log(&session("s").home()).await.len(), 2);
}
