//! An answer from its begin to its one end, or to whoever ends it for a writer that is gone.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::*;
use crate::ids::{AnswerId, GroupName, MessageId, NodeId};
use crate::protocol::CacheStatus;

pub(in crate::store) fn running(group: &GroupName) -> AnswerRecord {
    AnswerRecord {
        answer: AnswerId::random(),
        group: group.clone(),
        message: MessageId::random(group),
        node: NodeId::random(),
        text: String::new(),
        reasoning: String::new(),
        start: None,
    }
}

/// The record, once it is being written.
fn begun(record: &AnswerRecord) -> AnswerRecord {
    let start = AnswerStart { model: "m".into(), cache: CacheStatus::Coalesced };
    AnswerRecord { start: Some(start), ..record.clone() }
}

pub(super) async fn renew(stores: &Stores, record: &AnswerRecord, more: &str) {
    assert_eq!(stores.answers.renew(&record.answer, more).await.expect("renewed"), Renewed::Held);
}

pub(in crate::store) async fn an_answer_is_known_to_others_from_its_start_to_its_end(stores: Stores) {
    let (team, other) = (group("team"), group("other"));
    let (record, silent, foreign) = (running(&team), running(&team), running(&other));
    for record in [&record, &silent, &foreign] {
        assert!(stores.answers.begin(record, None).await.expect("begun"));
    }
    stores.answers.start(&begun(&record)).await.expect("started");
    stores.answers.start(&begun(&foreign)).await.expect("started");
    renew(&stores, &record, "héllo").await;
    let shown = AnswerRecord { text: "héllo".into(), ..begun(&record) };
    let of_team = std::slice::from_ref(&team);
    assert_eq!(
        stores.answers.running(of_team).await.expect("read"),
        std::slice::from_ref(&shown),
        "what has not started is not shown"
    );
    assert_eq!(stores.answers.running(&[other, team.clone()]).await.expect("read").len(), 2);
    assert_eq!(stores.answers.find(&record.answer).await.expect("read"), Some(shown));
    assert_eq!(stores.answers.find(&silent.answer).await.expect("read"), Some(silent));
    assert_eq!(stores.answers.find(&AnswerId::random()).await.expect("read"), None);
    stores.answers.end(&record.answer, &team, "{}".into()).await.expect("ended");
    assert_eq!(stores.answers.running(of_team).await.expect("read"), []);
    assert_eq!(stores.answers.find(&record.answer).await.expect("read"), None);
    stores.answers.start(&begun(&record)).await.expect("told");
    assert_eq!(stores.answers.running(of_team).await.expect("read"), [], "it does not begin anew");
}

pub(in crate::store) async fn an_answer_is_begun_once_for_a_message(stores: Stores) {
    let team = group("team");
    let key = once("c1", "f");
    let sent = Append { once: Some(key.clone()), ..event(&team, "hello") };
    stores.logs.append(sent).await.expect("stored");
    let (first, second) = (running(&team), running(&team));
    assert!(stores.answers.begin(&first, Some(&key)).await.expect("begun"));
    assert!(!stores.answers.begin(&second, Some(&key)).await.expect("asked"));
    assert!(stores.answers.begin(&first, Some(&key)).await.expect("begun"), "the same one may say so again");
    let elsewhere = AnswerRecord { node: NodeId::random(), ..first };
    assert!(!stores.answers.begin(&elsewhere, Some(&key)).await.expect("asked"), "another node may not");
    assert!(stores.answers.begin(&second, None).await.expect("begun"), "without an id nothing is once-only");
    assert!(stores.answers.begin(&running(&team), Some(&once("unknown", "f"))).await.expect("begun"));
}

/// The orphan that is found next, with when it was asked for.
pub(super) async fn orphaned(stores: &Stores, alive: &AnswerRecord) -> (AnswerRecord, Instant) {
    let start = Instant::now();
    loop {
        renew(stores, alive, "").await;
        let asked = Instant::now();
        if let Some(orphan) = stores.answers.orphan().await.expect("asked") {
            return (orphan, asked);
        }
        assert!(start.elapsed() < Duration::from_secs(30), "no orphan in time");
        sleep(Duration::from_millis(500)).await;
    }
}

pub(in crate::store) async fn an_answer_ends_once_however_many_try(stores: Stores) {
    let team = group("team");
    let record = running(&team);
    assert!(stores.answers.begin(&record, None).await.expect("begun"));
    append(&stores, &team, "before").await;
    let mut tasks = JoinSet::new();
    for n in 0..20 {
        let (stores, record) = (stores.clone(), record.clone());
        tasks.spawn(async move {
            stores.answers.end(&record.answer, &record.group, format!("{{\"end\":{n}}}").into()).await.expect("ended")
        });
    }
    let results = tasks.join_all().await;
    assert_eq!(results.iter().filter(|ended| matches!(ended, Ended::Now { seq: 2, .. })).count(), 1, "{results:?}");
    assert_eq!(results.iter().filter(|ended| **ended == Ended::Before { seq: 2 }).count(), 19, "{results:?}");
    assert_eq!(stores.logs.read_after(&team, 0, EVERYTHING).await.expect("read").events.len(), 2);
}

pub(in crate::store) async fn an_answer_that_ended_is_not_renewed(stores: Stores) {
    let record = running(&group("team"));
    assert!(stores.answers.begin(&record, None).await.expect("begun"));
    renew(&stores, &record, "some ").await;
    stores.answers.end(&record.answer, &record.group, "{}".into()).await.expect("ended");
    assert_ne!(stores.answers.renew(&record.answer, "more").await.expect("asked"), Renewed::Held);
    assert!(!stores.answers.begin(&record, None).await.expect("asked"));
}

pub(in crate::store) async fn an_unknown_answer_is_neither_renewed_nor_ended(stores: Stores) {
    let record = running(&group("team"));
    assert_eq!(stores.answers.renew(&record.answer, "some").await.expect("asked"), Renewed::Unknown);
    assert_eq!(stores.answers.end(&record.answer, &record.group, "{}".into()).await.expect("asked"), Ended::Unknown);
    assert_eq!(stores.logs.read_after(&record.group, 0, EVERYTHING).await.expect("read").events, []);
    // One that is owed is not yet anybody's to renew.
    let (_, owed) = ask(&stores, &record.group, "c1").await;
    assert_eq!(stores.answers.renew(&owed.answer, "some").await.expect("asked"), Renewed::Unknown);
    let whole = AnswerRecord { text: "some".into(), ..owed };
    assert!(stores.answers.begin(&whole, None).await.expect("begun"));
    renew(&stores, &whole, " more").await;
    let found = stores.answers.find(&whole.answer).await.expect("read").expect("being written");
    assert_eq!(found.text, "some more");
}

pub(super) async fn think(stores: &Stores, record: &AnswerRecord, more: &str) {
    assert_eq!(stores.answers.think(&record.answer, more).await.expect("renewed"), Renewed::Held);
}

pub(in crate::store) async fn what_the_model_thinks_is_saved_beside_the_text_until_the_end(stores: Stores) {
    let (team, record) = (group("team"), running(&group("team")));
    assert_eq!(stores.answers.think(&record.answer, "hm").await.expect("asked"), Renewed::Unknown);
    assert!(stores.answers.begin(&record, None).await.expect("begun"));
    stores.answers.start(&begun(&record)).await.expect("started");
    think(&stores, &record, "wär ").await;
    renew(&stores, &record, "so").await;
    think(&stores, &record, "es so?").await;
    let shown = AnswerRecord { text: "so".into(), reasoning: "wär es so?".into(), ..begun(&record) };
    assert_eq!(stores.answers.find(&record.answer).await.expect("read"), Some(shown.clone()));
    assert_eq!(stores.answers.running(std::slice::from_ref(&team)).await.expect("read"), [shown]);
    assert!(stores.answers.begin(&record, None).await.expect("begun"), "its writer begins anew");
    let again = stores.answers.find(&record.answer).await.expect("read").expect("known");
    assert_eq!((again.text.as_str(), again.reasoning.as_str()), ("", ""));
    think(&stores, &record, "hm").await;
    stores.answers.end(&record.answer, &team, "{}".into()).await.expect("ended");
    assert_ne!(stores.answers.think(&record.answer, "!").await.expect("asked"), Renewed::Held);
    assert_eq!(stores.answers.find(&record.answer).await.expect("read"), None);
}

pub(in crate::store) async fn an_answer_whose_writer_is_gone_is_an_orphan(stores: Stores) {
    let (gone, alive, ended) = (running(&group("a")), running(&group("b")), running(&group("c")));
    let began = Instant::now();
    for record in [&gone, &alive, &ended] {
        assert!(stores.answers.begin(record, None).await.expect("begun"));
        renew(&stores, record, "grüße ").await;
        renew(&stores, record, "an alle").await;
        think(&stores, record, "wen ").await;
        think(&stores, record, "grüße ich?").await;
    }
    stores.answers.end(&ended.answer, &ended.group, "{}".into()).await.expect("ended");
    let (orphan, _) = orphaned(&stores, &alive).await;
    assert!(began.elapsed() > Duration::from_secs(ANSWER_LEASE_SECONDS - 2), "too early: {:?}", began.elapsed());
    let (text, reasoning) = ("grüße an alle".into(), "wen grüße ich?".into());
    assert_eq!(orphan, AnswerRecord { text, reasoning, ..gone });
    assert_eq!(orphaned(&stores, &alive).await.0, orphan, "it stays one until it is ended");
    stores.answers.end(&orphan.answer, &orphan.group, "{}".into()).await.expect("ended");
    sleep(Duration::from_secs(CLAIM_SECONDS + 1)).await;
    renew(&stores, &alive, "").await;
    assert_eq!(stores.answers.orphan().await.expect("asked"), None);
}

pub(in crate::store) async fn a_long_text_is_read_whole_and_each_orphan_by_one_alone(stores: Stores) {
    let (team, alive) = (group("team"), running(&group("other")));
    assert!(stores.answers.begin(&alive, None).await.expect("begun"));
    // Longer than any reply, and cut within a character wherever it is cut at an even place.
    let text = format!("x{}", "é".repeat(400_000));
    for _ in 0..3 {
        let record = running(&team);
        assert!(stores.answers.begin(&record, None).await.expect("begun"));
        stores.answers.start(&begun(&record)).await.expect("started");
        renew(&stores, &record, &text).await;
        assert_eq!(stores.answers.find(&record.answer).await.expect("read").expect("known").text, text);
    }
    let running = stores.answers.running(std::slice::from_ref(&team)).await.expect("read");
    assert!(running.len() == 3 && running.iter().all(|record| record.text == text), "all of all");
    let mut given: Vec<(Instant, AnswerRecord)> = Vec::new();
    while given.len() < 3 {
        let (orphan, asked) = orphaned(&stores, &alive).await;
        assert_eq!(orphan.text, text);
        let before = given.iter().rfind(|(_, other)| other.answer == orphan.answer);
        let alone = Duration::from_secs(CLAIM_SECONDS - 1);
        assert!(before.is_none_or(|(at, _)| at.elapsed() >= alone), "two were given the same");
        given.push((asked, orphan));
    }
}
