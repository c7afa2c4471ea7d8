//! Pieces of answers that come close together, as the sockets of a group see them.

use std::time::Duration;

use serde_json::Value;
use sophie_actors::ids::{AnswerId, Epoch, MessageId};
use sophie_actors::protocol::{AnswerFinished, AnswerText, CacheStatus, Logged};
use sophie_actors::registry::{AnswerGrew, AnswerStarted, Deliver};
use sophie_actors::store::{AnswerStart, StoredEvent};
use tokio::time::sleep;

use super::Alone;
use crate::support::*;

const WINDOW: Duration = Duration::from_millis(5);

impl Alone {
    async fn start_answer(&self) {
        let start = AnswerStart { model: "test".into(), cache: CacheStatus::Miss };
        let (answer, message) = (AnswerId::from("a1"), MessageId::from("m1"));
        let started = AnswerStarted { group: group("team"), answer, message, start };
        self.registry.answer_started(started).await.expect("told");
    }

    async fn grow(&self, offset: usize, text: &str) {
        let of = AnswerText::of(&AnswerId::from("a1"));
        let grew = AnswerGrew { group: group("team"), of, offset, text: text.into() };
        self.registry.answer_grew(grew).await.expect("told");
    }

    async fn end_answer(&self, seq: u64) {
        let end = AnswerFinished {
            answer: AnswerId::from("a1"),
            message: MessageId::from("m1"),
            text: "all".into(),
            reasoning: None,
            model: None,
            cache: None,
            finish_reason: "stop".into(),
            usage: None,
            latency_ms: 5,
        };
        let event = StoredEvent { seq, body: Logged::AnswerEnd { group: group("team"), end }.encode() };
        let deliver = Deliver { group: group("team"), epoch: Epoch::from("e"), event };
        self.registry.deliver(deliver).await.expect("delivered");
    }
}

/// What has come since the last look: texts of deltas with their offsets, and the kinds of other events.
fn seen(client: &Client) -> Vec<(String, Value)> {
    let seen = |event: Value| match event["type"].as_str() {
        Some("answer.delta") => (event["text"].as_str().unwrap_or_default().to_owned(), event["offset"].clone()),
        kind => (kind.unwrap_or_default().to_owned(), Value::Null),
    };
    client.waiting().into_iter().map(seen).collect()
}

fn delta(text: &str, offset: usize) -> (String, Value) {
    (text.into(), offset.into())
}

#[actix::test]
async fn the_first_piece_is_told_at_once_those_that_follow_soon_together_and_the_end_after_all() {
    let alone = Alone::start().await;
    alone.enter("s", &["team"], 7).await;
    let client = alone.attach("s").await;
    alone.start_answer().await;
    alone.grow(0, "a").await;
    assert_eq!(seen(&client).last(), Some(&delta("a", 0)), "the first");
    for (offset, text) in [(1, "b"), (2, "ç"), (3, "d")] {
        alone.grow(offset, text).await;
        assert_eq!(seen(&client), [], "the window is open");
    }
    sleep(WINDOW * 2).await;
    assert_eq!(seen(&client), [delta("bçd", 1)]);
    sleep(WINDOW * 2).await;
    alone.grow(4, "e").await;
    assert_eq!(seen(&client), [delta("e", 4)], "it was quiet before");
    alone.grow(5, "f").await;
    alone.end_answer(8).await;
    assert_eq!(seen(&client), [delta("f", 5), ("answer.end".into(), Value::Null)]);
    sleep(WINDOW * 2).await;
    assert_eq!(seen(&client), []);
}

#[actix::test]
async fn who_comes_while_pieces_wait_gets_neither_a_hole_nor_a_double() {
    let alone = Alone::start().await;
    alone.enter("early", &["team"], 7).await;
    let early = alone.attach("early").await;
    alone.start_answer().await;
    alone.grow(0, "a").await;
    alone.grow(1, "b").await;
    seen(&early);
    alone.enter("late", &[], 7).await;
    let late = alone.attach("late").await;
    late.event_of("session.ready").await;
    alone.enter("late", &["team"], 7).await;
    assert_eq!(seen(&early), [delta("b", 1)], "all are as far as who comes");
    assert_eq!(seen(&late), [("answer.start".into(), Value::Null), delta("ab", 0)]);
    alone.grow(2, "c").await;
    let tab = alone.attach("late").await;
    let ready = tab.event_of("session.ready").await;
    assert_eq!(ready["answers"][0]["text"], "abc");
    alone.grow(3, "d").await;
    sleep(WINDOW * 2).await;
    assert_eq!(seen(&early), [delta("cd", 2)], "the outbox merges what its client has not read");
    assert_eq!(seen(&late), [delta("cd", 2)]);
    assert_eq!(seen(&tab), [delta("d", 3)]);
}
