//! What nodes hear of each other.

use std::sync::Arc;

use sophie_kit::TestServer;
use tokio::time::timeout;

use super::*;
use crate::ids::AnswerId;
use crate::protocol::CacheStatus;
use crate::store::contract::{event, group, running};
use crate::store::{AnswerRecord, AnswerStart, Heard, Told};

async fn hear(stores: &Stores, most: usize) -> Vec<Heard> {
    let mut all = Vec::new();
    while all.len() < most {
        all.extend(timeout(DEADLINE, stores.feed.hear()).await.expect("in time"));
    }
    all
}

#[tokio::test]
async fn every_append_is_heard_by_every_node_in_order() {
    let redis = in_redis().await;
    let other = beside(&redis).await;
    for node in [&redis.stores, &other] {
        assert_eq!(hear(node, 1).await, [Heard::Resumed]);
    }
    let team = group("team");
    for n in 0..20 {
        redis.stores.logs.append(event(&team, &format!("{n} ü"))).await.expect("stored");
    }
    let record = running(&team);
    redis.stores.answers.begin(&record, None).await.expect("begun");
    redis.stores.answers.end(&record.answer, &team, "{\"end\":1}".into()).await.expect("ended");
    for (heard, number) in hear(&redis.stores, 21).await.into_iter().zip(1..) {
        assert!(matches!(heard, Heard::LoggedHere { group, seq, .. } if (&group, seq) == (&team, number)));
    }
    for (heard, number) in hear(&other, 21).await.into_iter().zip(1..) {
        let Heard::Logged { group, event, .. } = heard else { panic!("{heard:?}") };
        assert_eq!((event.seq, &group), (number, &team));
        let body = if number == 21 { "{\"end\":1}".to_owned() } else { format!("{{\"text\":\"{} ü\"}}", number - 1) };
        assert_eq!(&*event.body, body);
    }
}

#[tokio::test]
async fn an_answer_is_told_to_the_other_nodes_as_it_is_saved() {
    let redis = in_redis().await;
    let other = beside(&redis).await;
    assert_eq!(hear(&other, 1).await, [Heard::Resumed]);
    let record = running(&group("team"));
    let (answer, answers) = (&record.answer, &redis.stores.answers);
    let start = AnswerStart { model: "m".into(), cache: CacheStatus::Miss };
    answers.begin(&record, None).await.expect("begun");
    answers.start(&AnswerRecord { start: Some(start.clone()), ..record.clone() }).await.expect("started");
    for more in ["hé", "llo"] {
        answers.renew(answer, more).await.expect("renewed");
    }
    let grew = |offset, text: &str| {
        Heard::Told(Told::Grew { group: record.group.clone(), answer: answer.clone(), offset, text: text.into() })
    };
    let (group, message) = (record.group.clone(), record.message.clone());
    let started = Heard::Told(Told::Started { group, answer: answer.clone(), message, start });
    assert_eq!(hear(&other, 3).await, [started, grew(0, "hé"), grew(2, "llo")]);
}

#[tokio::test]
async fn a_node_that_was_cut_off_hears_so_when_it_is_back() {
    // Not the one that tests share: it cuts whoever listens there.
    let redis = in_redis_of(Arc::new(TestServer::start())).await;
    let other = beside(&redis).await;
    assert_eq!(hear(&other, 1).await, [Heard::Resumed]);
    let mut connection = redis.server.connection(0);
    let cut: u64 = redis::cmd("CLIENT").arg(&["KILL", "TYPE", "pubsub"]).query(&mut connection).expect("cut");
    assert!(cut > 0);
    assert_eq!(hear(&other, 1).await, [Heard::Resumed]);
    redis.stores.feed.tell(&Told::Cancelled { answer: AnswerId::from("a"), steered: false }).await.expect("told");
    assert_eq!(hear(&other, 1).await, [Heard::Told(Told::Cancelled { answer: AnswerId::from("a"), steered: false })]);
}
