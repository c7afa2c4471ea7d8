//! Between Django and the groups, with a channel layer whose other end is the test.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::json;
use sophie_actors::channel_layer::{Addressee, ChannelLayer, Delivered, DjangoMember, Fields, Inbound};
use sophie_actors::ids::GroupName;
use sophie_actors::protocol::DjangoEvent;
use sophie_actors::store::StoreResult;
use sophie_kit::faults::Fault;
use tokio::sync::mpsc;

use crate::support::*;

/// The test's end of the layer.
struct Django {
    to_sophie: mpsc::UnboundedSender<Inbound>,
    from_sophie: Arc<Mutex<Vec<(String, Fields)>>>,
}

struct Layer {
    inbox: tokio::sync::Mutex<mpsc::UnboundedReceiver<Inbound>>,
    told: Arc<Mutex<Vec<(String, Fields)>>>,
}

#[async_trait]
impl ChannelLayer for Layer {
    async fn join(&self, _: &[GroupName]) -> StoreResult<()> {
        Ok(())
    }
    async fn leave(&self, _: &[GroupName]) -> StoreResult<()> {
        Ok(())
    }
    async fn expel(&self, _: &str, _: &[GroupName]) -> StoreResult<()> {
        Ok(())
    }
    async fn receive(&self) -> Vec<Inbound> {
        match self.inbox.lock().await.recv().await {
            Some(message) => vec![message],
            None => std::future::pending().await,
        }
    }
    async fn tell_group(&self, group: &GroupName, fields: &Fields) -> StoreResult<Delivered> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push((group.to_string(), fields.clone()));
        Ok(Delivered { reached: 1, full: 0 })
    }
    async fn tell_channel(&self, _: &str, _: &Fields, _: &str) -> StoreResult<bool> {
        Ok(true)
    }
    async fn members(&self, _: &GroupName, _: usize) -> StoreResult<Vec<DjangoMember>> {
        Ok(Vec::new())
    }
}

impl Django {
    async fn beside(notify: &[DjangoEvent]) -> (World, Self) {
        let (to_sophie, inbox) = mpsc::unbounded_channel();
        let from_sophie = Arc::new(Mutex::new(Vec::new()));
        let layer = Layer { inbox: tokio::sync::Mutex::new(inbox), told: from_sophie.clone() };
        let options = Options { notify: notify.to_vec(), layer: Some(Arc::new(layer)), ..Options::default() };
        (World::start_with(options).await, Self { to_sophie, from_sophie })
    }

    fn send(&self, to: Addressee, sent_at: Option<&str>, fields: serde_json::Value) {
        let fields = fields.as_object().expect("an object").clone();
        let sent_at = sent_at.map(str::to_owned);
        self.to_sophie.send(Inbound { to, sent_at, heard: None, fields }).expect("listened to");
    }

    fn group_send(&self, name: &str, sent_at: &str, fields: serde_json::Value) {
        self.send(Addressee::Groups(vec![group(name)]), Some(sent_at), fields);
    }

    fn told(&self) -> Vec<(String, Fields)> {
        self.from_sophie.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[actix::test]
async fn a_message_of_django_is_logged_once_and_delivered_however_many_copies_come() {
    let (world, django) = Django::beside(&[]).await;
    let client = world.connect("s").await;
    let sent = json!({"type": "chat.message", "text": "hi", "author": "alice", "role": "user", "order": 7});
    for sent_at in ["1.5", "1.5", "1.6"] {
        django.group_send("chat_s", sent_at, sent.clone());
    }
    for seq in [1, 2] {
        let event = client.event_of("message").await;
        assert_eq!((&event["seq"], &event["message"]["text"]), (&json!(seq), &json!("hi")));
        assert_eq!(event["message"]["author"], "alice");
        assert_eq!(event["message"]["metadata"], json!({"order": 7}));
    }
    assert_eq!(world.log(&group("chat_s")).await.len(), 2);
}

#[actix::test]
async fn a_message_of_django_waits_for_a_store_that_is_away() {
    let (world, django) = Django::beside(&[]).await;
    let client = world.connect("s").await;
    world.faults.set("append", Fault::Away);
    django.group_send("chat_s", "1", json!({"type": "chat.message", "text": "one"}));
    django.group_send("chat_s", "2", json!({"type": "chat.message", "text": "two"}));
    until("the store is asked", || world.faults.calls("append").len() > 2).await;
    world.faults.lift("append");
    for text in ["one", "two"] {
        assert_eq!(client.event_of("message").await["message"]["text"], text);
    }
}

#[actix::test]
async fn frames_closes_and_events_of_django_reach_the_sockets_of_their_group() {
    let (world, django) = Django::beside(&[]).await;
    let (client, other) = (world.connect("s").await, world.connect("other").await);
    django.group_send("chat_s", "1", json!({"type": "websocket.send", "text": "{\"type\":\"own\",\"n\":1}"}));
    assert_eq!(client.event().await, json!({"type": "own", "n": 1}));
    let odd = json!({"type": "order.paid", "text": 7, "order": {"id": 1}});
    django.group_send("chat_s", "2", odd.clone());
    assert_eq!(client.event().await, json!({"type": "event", "group": "chat_s", "event": odd}));
    django.group_send("chat_s", "3", json!({"type": "chat.message", "message": "no text"}));
    assert_eq!(client.event().await["event"]["message"], "no text");
    django.group_send("chat_s", "4", json!({"type": "websocket.close", "code": 4321}));
    until("the sockets are closed", || client.handle.closing().is_some_and(|code| code.code() == 4321)).await;
    assert!(other.waiting().is_empty() && other.handle.closing().is_none());
}

#[actix::test]
async fn a_session_is_reached_by_a_channel_of_its_own() {
    let (world, django) = Django::beside(&[]).await;
    let (client, other) = (world.connect("s").await, world.connect("other").await);
    for client in [&client, &other] {
        client.ask("j", json!({"type": "group.join", "group": "team"})).await;
    }
    until("both are in", || world.node.roster.member_count(&group("team")) == 2).await;
    other.waiting();
    django.send(
        Addressee::Channel("session.s".into()),
        Some("1"),
        json!({"type": "websocket.send", "text": "{\"type\":\"x\"}"}),
    );
    client.event_of("x").await;
    django.send(Addressee::Channel("session.s".into()), Some("2"), json!({"type": "chat.message", "text": "hi"}));
    assert_eq!(client.event_of("message").await["group"], "chat_s");
    django.send(Addressee::Channel("session.s".into()), Some("3"), json!({"type": "websocket.close"}));
    until("it is closed", || client.handle.closing().is_some_and(|code| code.code() == 1000)).await;
    assert!(other.waiting().iter().all(|event| event["type"] != "x") && other.handle.closing().is_none());
}

#[actix::test]
async fn what_comes_for_a_session_that_has_gone_makes_no_group() {
    let (world, django) = Django::beside(&[]).await;
    let client = world.connect("s").await;
    let long = "g".repeat(80);
    client.ask("j", json!({"type": "group.join", "group": long})).await;
    let sent = json!({"type": "chat.message", "text": "hi"});
    for local in ["session.gone", "nobody", "chat_other"] {
        django.send(Addressee::Channel(local.into()), Some("1"), sent.clone());
    }
    // A member's own name stands for its group.
    let member = sophie_actors::ids::local_name(&group(&long));
    django.send(Addressee::Channel(member), Some("2"), sent);
    assert_eq!(client.event_of("message").await["group"], long);
    assert_eq!(world.node.metrics.from_django.with_label_values(&["nobody"]).get(), 3);
    for name in ["session.gone", "nobody", "chat_other"] {
        assert!(world.log(&group(name)).await.is_empty(), "{name}");
    }
}

#[actix::test]
async fn django_is_told_what_it_asked_for_and_nothing_else() {
    let (world, django) = Django::beside(&[DjangoEvent::Message, DjangoEvent::AnswerEnd]).await;
    let client = world.connect("s").await;
    let ack = client.question("1", "websocket.disconnect").await;
    client.event_of("answer.start").await;
    world.ai.asked().await.answer("fine");
    client.event_of("answer.end").await;
    until("django is told of both", || django.told().len() == 2).await;
    let told = django.told();
    assert!(told.iter().all(|(group, _)| group == "chat_s"));
    let message = &told[0].1;
    assert_eq!((&message["type"], &message["text"]), (&json!("chat.message"), &json!("websocket.disconnect")));
    assert_eq!((&message["group"], &message["seq"], &message["id"]), (&json!("chat_s"), &json!(1), &ack["message"]));
    assert_eq!((&message["role"], &message["author"]), (&json!("user"), &json!("s")));
    let end = &told[1].1;
    assert_eq!(
        (&end["type"], &end["seq"], &end["finish_reason"]),
        (&json!("chat.answer.end"), &json!(2), &json!("stop"))
    );
    assert_eq!(message["metadata"], json!({}), "a consumer finds every field, always");
    // What Django said itself, its consumers have heard from Django.
    django.group_send("chat_s", "1", json!({"type": "chat.message", "text": "from django"}));
    client.event_of("message").await;
    assert_eq!(django.told().len(), 2);
}
