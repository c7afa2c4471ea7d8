//! An answer that is owed before anybody writes it.

use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::ids::{AnswerId, GroupName, MessageId, NodeId};

/// A question with an id, and the record of the answer that it is owed.
pub(super) async fn ask(stores: &Stores, team: &GroupName, id: &str) -> (Append, AnswerRecord) {
    let message = MessageId::random(team);
    let node = NodeId::random();
    let asked = Append {
        message: Some(message.clone()),
        once: Some(once(id, "f")),
        owes: Some(node.clone()),
        ..event(team, "hello")
    };
    let Appended::New { seq, owed: true, .. } = stores.logs.append(asked.clone()).await.expect("stored") else {
        panic!("a question is owed an answer");
    };
    let record = AnswerRecord { answer: AnswerId::owed_to(&message), message: message.at(seq), node, ..running(team) };
    (asked, record)
}

pub(super) async fn is_owed(stores: &Stores, asked: &Append) -> bool {
    let once = asked.once.clone().expect("an id");
    match stores.logs.recall(&once).await.expect("asked") {
        Some(Appended::Again { owed, .. }) => owed,
        other => panic!("not known: {other:?}"),
    }
}

pub(in crate::store) async fn a_question_is_owed_its_answer_until_somebody_begins_it(stores: Stores) {
    let team = group("team");
    let (asked, record) = ask(&stores, &team, "c1").await;
    assert!(is_owed(&stores, &asked).await);
    assert_eq!(stores.answers.find(&record.answer).await.expect("read"), None, "nobody writes it");
    assert!(stores.answers.begin(&record, asked.once.as_ref()).await.expect("begun"));
    assert!(!is_owed(&stores, &asked).await);
    let elsewhere = AnswerRecord { node: NodeId::random(), ..record.clone() };
    assert!(!stores.answers.begin(&elsewhere, asked.once.as_ref()).await.expect("asked"), "it is begun once");
    stores.answers.end(&record.answer, &team, "{}".into()).await.expect("ended");
    assert!(!is_owed(&stores, &asked).await);
    assert!(!stores.answers.begin(&record, asked.once.as_ref()).await.expect("asked"), "and ends once");
    let said = Append { owes: None, message: Some(MessageId::random(&team)), once: Some(once("c2", "f")), ..asked };
    let new = stores.logs.append(said.clone()).await.expect("stored");
    assert!(matches!(new, Appended::New { owed: false, .. }), "{new:?}");
    assert!(!is_owed(&stores, &said).await);
}

pub(in crate::store) async fn what_nobody_begins_is_an_orphan_too(stores: Stores) {
    let alive = running(&group("other"));
    assert!(stores.answers.begin(&alive, None).await.expect("begun"));
    let began = Instant::now();
    let (asked, record) = ask(&stores, &group("team"), "c1").await;
    let (orphan, _) = orphaned(&stores, &alive).await;
    assert!(began.elapsed() > Duration::from_secs(ANSWER_LEASE_SECONDS - 2), "too early: {:?}", began.elapsed());
    assert_eq!(orphan, record);
    let ended = stores.answers.end(&orphan.answer, &orphan.group, "{}".into()).await.expect("ended");
    assert!(matches!(ended, Ended::Now { seq: 2, .. }), "{ended:?}");
    assert!(!is_owed(&stores, &asked).await);
    assert!(!stores.answers.begin(&record, asked.once.as_ref()).await.expect("asked"), "too late");
}

pub(in crate::store) async fn an_answer_of_which_nothing_is_known_is_owed_until_it_is_begun_or_ends(stores: Stores) {
    let alive = running(&group("other"));
    assert!(stores.answers.begin(&alive, None).await.expect("begun"));
    let lost = AnswerRecord { text: "so far".into(), ..running(&group("team")) };
    let began = Instant::now();
    assert!(stores.answers.owe(&lost).await.expect("noted"));
    assert!(stores.answers.owe(&AnswerRecord { text: "so".into(), ..lost.clone() }).await.expect("noted"), "already");
    let (orphan, _) = orphaned(&stores, &alive).await;
    assert!(began.elapsed() > Duration::from_secs(ANSWER_LEASE_SECONDS - 2), "too early: {:?}", began.elapsed());
    assert_eq!(orphan, AnswerRecord { start: None, ..lost.clone() });
    assert!(stores.answers.begin(&lost, None).await.expect("begun"), "its writer lives");
    assert!(stores.answers.owe(&lost).await.expect("noted"));
    renew(&stores, &lost, "").await;
    stores.answers.end(&lost.answer, &lost.group, "{}".into()).await.expect("ended");
    assert!(!stores.answers.owe(&lost).await.expect("asked"), "it has ended");
}

pub(in crate::store) async fn nothing_is_owed_where_the_assistant_is_off(stores: Stores) {
    let team = group("team");
    stores.desk.settle(&team, Act::TakeOver).await.expect("switched");
    let (message, node) = (MessageId::random(&team), NodeId::random());
    let asked =
        Append { message: Some(message), once: Some(once("c1", "f")), owes: Some(node), ..event(&team, "hello") };
    let new = stores.logs.append(asked.clone()).await.expect("stored");
    assert!(matches!(new, Appended::New { owed: false, .. }), "{new:?}");
    stores.desk.settle(&team, Act::HandBack).await.expect("switched");
    assert!(!is_owed(&stores, &asked).await);
}
