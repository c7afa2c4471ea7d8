//! The registry: membership, order, fan-out, supervision.

mod deltas;

use std::time::Duration;

use actix::prelude::*;
use serde_json::json;
use sophie_actors::ids::{AnswerId, Epoch, MessageId};
use sophie_actors::metrics::Metrics;
use sophie_actors::protocol::{AnswerText, CacheStatus, Close, CloseCode, LogHead, Logged, Message, Role};
use sophie_actors::registry::{
    AnswerGrew, AnswerStarted, Attach, Deliver, Enter, Fanout, FillGap, Gap, GroupRegistry, RegistryHandle, Roster,
};
use sophie_actors::store::{AnswerRecord, AnswerStart, LogState, StoredEvent};
use sophie_kit::faults::Fault;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::support::*;

/// Takes the ear's place: what is asked comes to the test.
struct Gaps(mpsc::UnboundedSender<FillGap>);

impl Actor for Gaps {
    type Context = Context<Self>;
}

impl Handler<FillGap> for Gaps {
    type Result = ();

    fn handle(&mut self, gap: FillGap, _: &mut Context<Self>) {
        _ = self.0.send(gap);
    }
}

/// A registry by itself, with a client in one group.
struct Alone {
    registry: RegistryHandle,
    roster: std::sync::Arc<Roster>,
    metrics: Metrics,
    gaps: mpsc::UnboundedReceiver<FillGap>,
}

impl Alone {
    async fn start() -> Self {
        tokio::time::pause();
        let (sender, gaps) = mpsc::unbounded_channel();
        let ear = Gaps(sender).start();
        let metrics = Metrics::new();
        let roster = std::sync::Arc::new(Roster::new(sophie_actors::ids::NodeId::from("n1"), None));
        let registry = GroupRegistry::new(roster.clone(), metrics.clone(), registry_options(), unwatched()).start();
        let registry = RegistryHandle::from(registry);
        registry.read_by(ear.recipient()).await.expect("somebody to ask");
        Self { registry, roster, metrics, gaps }
    }

    async fn enter(&self, name: &str, groups: &[&str], seq: u64) {
        let name = session(name);
        let state = LogState { head: LogHead { epoch: Epoch::from("e"), seq }, first: 1, began: 0 };
        let user = sophie_actors::ids::UserId::guest(&name);
        let groups = std::iter::once(name.home()).chain(groups.iter().map(|it| group(it)));
        let groups = groups.map(|group| (group, state.clone())).collect();
        let enter = Enter {
            session: name,
            user,
            groups,
            answers: Vec::new(),
            announce: false,
            elsewhere: false,
            joining: None,
        };
        self.registry.enter(enter).await.expect("entered");
    }

    async fn attach(&self, name: &str) -> Client {
        self.attach_one(name, Client::new(self.metrics.clone())).await
    }

    async fn attach_one(&self, name: &str, client: Client) -> Client {
        let socket = client.attached(Guest::new(name));
        let attach = Attach { session: session(name), socket, resume: None, state: None };
        self.registry.attach(attach).await.expect("attached");
        client
    }

    async fn deliver(&self, name: &str, epoch: &str, seq: u64) {
        let deliver = Deliver { group: group(name), epoch: Epoch::from(epoch), event: event(name, seq) };
        self.registry.deliver(deliver).await.expect("delivered");
    }

    async fn gap(&mut self) -> FillGap {
        timeout(SOON, self.gaps.recv()).await.expect("asked in time").expect("a gap")
    }

    async fn fill(&self, name: &str, page: Option<Vec<u64>>) {
        let page = page.map(|seqs| (Epoch::from("e"), seqs.into_iter().map(|seq| event(name, seq)).collect()));
        self.registry.filled(group(name), page).await.expect("filled");
    }
}

fn event(name: &str, seq: u64) -> StoredEvent {
    let message = Message {
        images: Vec::new(),
        id: MessageId::from("m"),
        role: Role::User,
        author: "a".into(),
        text: seq.to_string(),
        created_at: String::new(),
        metadata: None,
    };
    StoredEvent { seq, body: Logged::Message { group: group(name), message }.encode() }
}

fn seqs(client: &Client) -> Vec<u64> {
    client.waiting().iter().filter_map(|event| (event["type"] == "message").then(|| event["seq"].as_u64())?).collect()
}

#[actix::test]
async fn a_socket_is_ready_with_its_groups_and_the_answers_under_way_and_misses_nothing_after_that() {
    let alone = Alone::start().await;
    alone.enter("s", &["team"], 7).await;
    let (answer, name) = (AnswerId::from("a1"), group("team"));
    let started = AnswerStarted {
        group: name.clone(),
        answer: answer.clone(),
        message: MessageId::from("m1"),
        start: AnswerStart { model: "test".into(), cache: CacheStatus::Miss },
    };
    alone.registry.answer_started(started).await.expect("told");
    let grew =
        |offset, text: &str| AnswerGrew { group: name.clone(), of: AnswerText::of(&answer), offset, text: text.into() };
    alone.registry.answer_grew(grew(0, "héllo")).await.expect("told");
    let client = alone.attach("s").await;
    alone.registry.answer_grew(grew(5, " world")).await.expect("told");
    let ready = client.event().await;
    assert_eq!(ready["type"], "session.ready");
    assert_eq!(ready["groups"], json!(["chat_s", "team"]));
    assert_eq!(ready["logs"]["team"], json!({"epoch": "e", "seq": 7}));
    assert_eq!((&ready["answers"][0]["text"], &ready["answers"][0]["offset"]), (&json!("héllo"), &json!(5)));
    let delta = client.event().await;
    assert_eq!((&delta["offset"], &delta["text"]), (&json!(5), &json!(" world")));
}

#[actix::test]
async fn events_are_delivered_in_the_order_of_the_log_and_once() {
    let mut alone = Alone::start().await;
    alone.enter("s", &["team"], 0).await;
    let client = alone.attach("s").await;
    for seq in [2, 1, 2, 1] {
        alone.deliver("team", "e", seq).await;
    }
    assert_eq!(seqs(&client), [1, 2]);
    sleep(Duration::from_secs(3)).await;
    assert!(alone.gaps.try_recv().is_err(), "nothing was missing");
}

#[actix::test]
async fn a_gap_is_asked_for_once_and_asked_for_again_when_it_could_not_be_filled() {
    let mut alone = Alone::start().await;
    alone.enter("s", &["team"], 0).await;
    let client = alone.attach("s").await;
    for seq in [3, 4, 5] {
        alone.deliver("team", "e", seq).await;
    }
    assert_eq!(alone.gap().await.gap, Gap::Log(0));
    sleep(Duration::from_secs(5)).await;
    assert!(alone.gaps.try_recv().is_err(), "one question is enough");
    alone.fill("team", None).await;
    assert_eq!(alone.gap().await.gap, Gap::Log(0));
    assert!(seqs(&client).is_empty());
    alone.fill("team", Some(vec![1])).await;
    assert_eq!(alone.gap().await.gap, Gap::Log(1), "the page did not hold all of it");
    alone.fill("team", Some(vec![2, 3])).await;
    assert_eq!(seqs(&client), [1, 2, 3, 4, 5]);
}

#[actix::test]
async fn a_log_that_is_known_to_reach_further_is_read() {
    let mut alone = Alone::start().await;
    alone.enter("s", &["team"], 2).await;
    let client = alone.attach("s").await;
    alone.registry.reached(group("team"), 3).await.expect("told");
    assert_eq!(alone.gap().await.gap, Gap::Log(2));
    alone.fill("team", Some(vec![3])).await;
    assert_eq!(seqs(&client), [3]);
    // A group that nobody is in is not followed.
    alone.registry.reached(group("other"), 3).await.expect("told");
    sleep(Duration::from_secs(3)).await;
    assert!(alone.gaps.try_recv().is_err());
}

#[actix::test]
async fn a_log_that_began_anew_is_told_before_its_events() {
    let mut alone = Alone::start().await;
    alone.enter("s", &["team"], 5).await;
    let client = alone.attach("s").await;
    alone.deliver("team", "new", 1).await;
    let head = LogHead { epoch: Epoch::from("e"), seq: 5 };
    assert_eq!(alone.gap().await.gap, Gap::Life(head), "the log has the word, not whoever speaks of it");
    let new = LogHead { epoch: Epoch::from("new"), seq: 1 };
    let state = Some(LogState { head: new.clone(), first: 1, began: 0 });
    alone.registry.confirmed(group("team"), state).await.expect("told");
    assert_eq!(alone.gap().await.gap, Gap::Log(0));
    let page = Some((new.epoch, vec![event("team", 1)]));
    alone.registry.filled(group("team"), page).await.expect("told");
    let events = client.waiting();
    assert_eq!(events[1]["type"], "log.reset");
    assert_eq!((&events[1]["epoch"], &events[1]["seq"]), (&json!("new"), &json!(0)));
    assert_eq!((&events[2]["type"], &events[2]["seq"]), (&json!("message"), &json!(1)));
}

#[actix::test]
async fn what_comes_while_a_group_is_being_entered_is_kept_for_it() {
    let alone = Alone::start().await;
    alone.registry.prepare(vec![group("team")]).await.expect("prepared");
    alone.deliver("team", "e", 4).await;
    // The log was read before that event was written.
    alone.enter("s", &["team"], 3).await;
    let client = alone.attach("s").await;
    assert_eq!(client.event().await["logs"]["team"]["seq"], 4);
    alone.deliver("team", "e", 5).await;
    assert_eq!(client.event().await["seq"], 5);
}

#[actix::test]
async fn an_answer_that_the_store_did_not_list_is_not_shown_to_who_enters_first_until_the_store_says_that_it_is_written()
 {
    let mut alone = Alone::start().await;
    let (answer, name) = (AnswerId::from("a1"), group("team"));
    let (message, start) = (MessageId::from("m1"), AnswerStart { model: "test".into(), cache: CacheStatus::Miss });
    alone.registry.prepare(vec![name.clone()]).await.expect("prepared");
    let started =
        AnswerStarted { group: name.clone(), answer: answer.clone(), message: message.clone(), start: start.clone() };
    alone.registry.answer_started(started).await.expect("told");
    // Its end is in the log by now, or was never heard.
    alone.enter("s", &["team"], 2).await;
    let client = alone.attach("s").await;
    assert_eq!(client.event().await["answers"], json!([]));
    // It may have begun since the log was read.
    assert!(matches!(alone.gap().await.gap, Gap::Answer(asked) if asked == answer));
    let node = sophie_actors::ids::NodeId::from("n2");
    let record = AnswerRecord {
        answer: answer.clone(),
        group: name.clone(),
        message,
        node,
        text: String::new(),
        reasoning: String::new(),
        start: Some(start),
    };
    alone.registry.answer_found(name, answer, Some(record)).await.expect("told");
    assert_eq!(client.event_of("answer.start").await["answer"], "a1");
}

#[actix::test]
async fn a_frame_goes_to_every_socket_of_a_group_but_those_of_one_session() {
    let alone = Alone::start().await;
    for name in ["s", "t"] {
        alone.enter(name, &["team"], 0).await;
    }
    alone.enter("u", &[], 0).await;
    let (s1, s2) = (alone.attach("s").await, alone.attach("s").await);
    let (t, u) = (alone.attach("t").await, alone.attach("u").await);
    let frame = "{\"type\":\"typing\"}".into();
    let fanout = Fanout { group: group("team"), frame, except: Some(session("t")) };
    alone.registry.fan_out(fanout).await.expect("told");
    let got = |client: &Client| client.waiting().iter().filter(|event| event["type"] == "typing").count();
    assert_eq!([&s1, &s2, &t, &u].map(got), [1, 1, 0, 0]);
}

#[actix::test]
async fn a_socket_that_was_gone_before_it_was_attached_does_not_stay_in_the_roster() {
    let alone = Alone::start().await;
    alone.enter("s", &[], 0).await;
    let client = Client::new(alone.metrics.clone());
    client.handle.mark_gone();
    alone.attach_one("s", client).await;
    assert_eq!(alone.roster.count().sockets, 0);
}

#[actix::test]
async fn a_session_that_joined_elsewhere_and_has_ended_here_does_not_come_back_by_that() {
    let alone = Alone::start().await;
    let (name, user) = (session("s"), sophie_actors::ids::UserId::from("u"));
    let state = LogState { head: LogHead { epoch: Epoch::from("e"), seq: 0 }, first: 1, began: 0 };
    let enter = || Enter {
        session: name.clone(),
        user: user.clone(),
        groups: vec![(group("team"), state.clone())],
        answers: Vec::new(),
        announce: false,
        elsewhere: true,
        joining: None,
    };
    alone.registry.enter(enter()).await.expect("answered");
    assert_eq!(alone.roster.count().sessions, 0);
    alone.enter("s", &[], 0).await;
    alone.registry.enter(enter()).await.expect("answered");
    assert!(alone.roster.is_member(&name, &group("team")));
}

#[actix::test]
async fn a_group_that_nobody_is_in_is_forgotten() {
    let alone = Alone::start().await;
    alone.enter("s", &["team"], 3).await;
    alone.registry.leave(session("s"), sophie_actors::ids::UserId::from("u"), group("team")).await.expect("left");
    assert!(!alone.roster.has_members(&group("team")));
    sleep(Duration::from_secs(60)).await;
    // With its state forgotten, the log's place is taken from whoever enters next, without a gap.
    alone.enter("s", &["team"], 9).await;
    assert_eq!(alone.attach("s").await.event().await["logs"]["team"]["seq"], 9);
}

#[actix::test]
async fn draining_closes_every_socket_in_time_and_the_busy_ones_last() {
    let alone = Alone::start().await;
    for name in ["a", "b", "busy"] {
        alone.enter(name, &[], 0).await;
    }
    let (a, b, busy) = (alone.attach("a").await, alone.attach("b").await, alone.attach("busy").await);
    let started = AnswerStarted {
        group: session("busy").home(),
        answer: AnswerId::from("a1"),
        message: MessageId::from("m1"),
        start: AnswerStart { model: "test".into(), cache: CacheStatus::Miss },
    };
    alone.registry.answer_started(started).await.expect("told");
    alone.registry.drain(Duration::from_secs(10)).await.expect("draining");
    let refused = alone.registry.open(session("new")).await.expect("answered");
    assert!(matches!(refused, Err(Close { code: CloseCode::Draining, .. })));
    sleep(Duration::from_secs(9)).await;
    assert_eq!([&a, &b].map(|it| it.handle.closing()), [Some(CloseCode::Draining); 2]);
    assert_eq!(busy.handle.closing(), None, "its answer is under way");
    sleep(Duration::from_secs(2)).await;
    assert_eq!(busy.handle.closing(), Some(CloseCode::Draining));
}

#[actix::test]
async fn a_registry_without_a_factory_opens_nothing() {
    let alone = Alone::start().await;
    let refused = alone.registry.open(session("s")).await.expect("answered");
    assert!(matches!(refused, Err(Close { code: CloseCode::Overloaded, .. })));
}

#[actix::test]
async fn the_fourth_failure_within_a_minute_ends_the_session_until_the_minute_is_over() {
    let world = World::start().await;
    let client = world.connect("s").await;
    for life in 2..=4 {
        world.fail(&client, &life.to_string()).await;
    }
    assert_eq!(client.handle.closing(), None);
    assert_eq!(client.say("last", "boom").await["code"], "internal");
    assert_eq!(client.closed().await, CloseCode::KeptFailing);
    assert_eq!(world.open("s").await.expect_err("refused").code, CloseCode::KeptFailing);
    assert_eq!(world.node.roster.count().sessions, 0);
    world.open("t").await.expect("others are not concerned");
    sleep(Duration::from_secs(61)).await;
    let client = world.connect("s").await;
    assert_eq!(client.say("1", "hello").await["type"], "ack");
}

#[actix::test]
async fn failures_that_are_a_minute_apart_do_not_add_up() {
    let world = World::start().await;
    let client = world.connect("s").await;
    for life in 2..=8 {
        world.fail(&client, &life.to_string()).await;
        sleep(Duration::from_secs(25)).await;
    }
    assert_eq!(client.handle.closing(), None);
}

#[actix::test]
async fn a_connect_in_the_moment_of_a_failure_does_not_hide_it() {
    let world = World::start().await;
    let client = world.connect("s").await;
    world.faults.set("append", Fault::Hang);
    client.send(json!({"type": "message.send", "id": "1", "text": "boom", "assistant": false}));
    sleep(Duration::from_secs(1)).await;
    world.faults.set("append", Fault::Panic("boom"));
    world.faults.wake();
    // Stands in the registry's mailbox before the news of the failure, and is handled after the failure.
    world.open("s").await.expect("the one that has failed");
    assert_eq!(client.reply("1").await["code"], "internal");
    until("the session is rebuilt", || world.lives() == 2).await;
    assert_eq!(client.ask("2", json!({"type": "ping"})).await["type"], "pong", "the socket was handed on");
}

#[actix::test]
async fn a_stop_is_no_failure() {
    let world = World::start_where(|options| options.session.idle_seconds = 1).await;
    for life in 1..=6 {
        let client = world.connect("s").await;
        assert_eq!(world.lives(), life);
        client.leave();
        until("the session ends", || world.node.roster.count().sessions == 0).await;
    }
}
