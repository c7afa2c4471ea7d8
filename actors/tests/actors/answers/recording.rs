//! What is kept of an answer for those who read it again, or join it late, at any node.

use std::time::Duration;

use serde_json::json;
use sophie_actors::answers::{Recorded, RecordingReader};
use sophie_actors::dialects::AnswerEnd;
use sophie_actors::ids::AnswerId;
use sophie_actors::openai::ChunkWriter;
use sophie_actors::protocol::ErrorCode;
use sophie_actors::store::{AnswerOwner, RecordingHead, RecordingState};
use sophie_kit::faults::Fault;
use tokio::time::timeout;

use super::*;

async fn read(world: &World, answer: &AnswerId) -> RecordingReader {
    world.node.answers.read(answer.clone()).await.expect("the store is there").expect("the answer is known")
}

/// The text that a reader finds, and the end.
async fn rest(reader: &mut RecordingReader) -> (String, AnswerEnd) {
    let mut text = String::new();
    loop {
        match timeout(SOON, reader.next()).await.expect("something comes") {
            Recorded::Chunks(chunks) => text.extend(chunks.iter().map(|chunk| chunk.text.as_str())),
            Recorded::End(end) => return (text, end),
            Recorded::Gone => panic!("it is gone"),
        }
    }
}

async fn piece(reader: &mut RecordingReader) -> String {
    match timeout(SOON, reader.next()).await.expect("something comes") {
        Recorded::Chunks(chunks) => chunks.iter().map(|chunk| chunk.text.as_str()).collect(),
        other => panic!("no chunks: {other:?}"),
    }
}

fn complete() -> AnswerEnd {
    AnswerEnd::Complete { finish_reason: "stop".into(), usage: None }
}

fn id(start: &serde_json::Value) -> AnswerId {
    AnswerId::from(start["answer"].as_str().expect("an id"))
}

#[actix::test]
async fn an_answer_is_read_while_it_grows_and_again_after_its_end_at_each_node() {
    let world = World::start().await;
    let other = world.beside().await;
    let (client, feed, start) = world.half_answered("a").await;
    let (mut here, mut there) = (read(&world, &id(&start)).await, read(&other, &id(&start)).await);
    for reader in [&mut here, &mut there] {
        assert_eq!(piece(reader).await, "half");
        assert_eq!(reader.head().owner, AnswerOwner::Group(session("a").home()));
    }
    feed.answer(" and half");
    client.event_of("answer.end").await;
    let mut late = read(&other, &id(&start)).await;
    for reader in [&mut here, &mut there] {
        assert_eq!(rest(reader).await, (" and half".to_owned(), complete()));
    }
    drop((here, there));
    for world in [&world, &other] {
        assert_eq!(rest(&mut read(world, &id(&start)).await).await, ("half and half".to_owned(), complete()));
    }
    assert_eq!(rest(&mut late).await.0, "half and half");
    let unknown = world.node.answers.read(AnswerId::random()).await.expect("the store is there");
    assert!(unknown.is_none());
}

#[actix::test]
async fn nothing_is_shown_to_readers_that_the_store_has_not_got_and_chats_do_not_wait_for_it() {
    let world = World::start().await;
    let (client, feed, start) = world.half_answered("a").await;
    let mut reader = read(&world, &id(&start)).await;
    assert_eq!(piece(&mut reader).await, "half");
    world.faults.set("recording_add", Fault::ReplyLate);
    feed.text(" more");
    assert_eq!(client.event_of("answer.delta").await["text"], " more");
    assert!(timeout(Duration::from_secs(2), reader.next()).await.is_err(), "the store has not said that it has it");
    world.faults.lift("recording_add");
    assert_eq!(piece(&mut reader).await, " more");
}

#[actix::test]
async fn while_the_store_is_away_readers_here_go_on_and_it_is_given_all_when_it_is_back() {
    let world = World::start().await;
    let (client, feed, start) = world.half_answered("a").await;
    let mut reader = read(&world, &id(&start)).await;
    assert_eq!(piece(&mut reader).await, "half");
    for call in ["recording_add", "recording_end"] {
        world.faults.set(call, Fault::Away);
    }
    feed.text(" more");
    assert_eq!(piece(&mut reader).await, " more");
    feed.answer(" and all");
    client.event_of("answer.end").await;
    assert_eq!(rest(&mut reader).await, (" and all".to_owned(), complete()));
    drop(reader);
    for call in ["recording_add", "recording_end"] {
        world.faults.lift(call);
    }
    let ended = async || match world.stores.recordings.read(&id(&start), 0).await.expect("read") {
        Some((_, RecordingState::Ended(_))) => Some(()),
        _ => None,
    };
    sophie_kit::eventually("the end is stored", SOON, ended).await;
    assert_eq!(rest(&mut read(&world, &id(&start)).await).await, ("half more and all".to_owned(), complete()));
}

#[actix::test]
async fn a_store_that_has_lost_an_answer_is_given_it_anew() {
    let world = World::start().await;
    let other = world.beside().await;
    let (client, feed, start) = world.half_answered("a").await;
    assert!(world.stores.recordings.forget(&id(&start)).await.expect("forgotten"));
    feed.answer(" more");
    client.event_of("answer.end").await;
    assert_eq!(rest(&mut read(&other, &id(&start)).await).await, ("half more".to_owned(), complete()));
}

#[actix::test]
async fn what_was_stopped_or_failed_is_kept_as_far_as_its_members_saw_it() {
    let world = World::start().await;
    let (client, feed, start) = world.half_answered("a").await;
    let mut reader = read(&world, &id(&start)).await;
    let stop = json!({"type": "answer.cancel", "answer": start["answer"]});
    assert_eq!(client.ask("2", stop).await["type"], "ack");
    let end = client.event_of("answer.end").await;
    feed.text(" never shown");
    assert_eq!(rest(&mut reader).await, ("half".to_owned(), AnswerEnd::Cancelled));
    assert_eq!(end["text"], "half");
    let (client, feed, start) = world.half_answered("b").await;
    feed.fail();
    let error = client.event_of("answer.error").await;
    let reason = error["reason"].as_str().unwrap_or_default().to_owned();
    let failed = AnswerEnd::Failed { code: ErrorCode::AiUnavailable, reason };
    assert_eq!(rest(&mut read(&world, &id(&start)).await).await, ("half".to_owned(), failed));
}

#[actix::test]
async fn an_answer_whose_node_is_gone_ends_as_interrupted_once_at_every_node() {
    let world = World::start().await;
    let other = world.beside().await;
    let answer = AnswerId::random();
    let head = RecordingHead {
        owner: AnswerOwner::Key("digest".into()),
        model: "m".into(),
        cache: None,
        began_ms: 0,
        keep_seconds: 3_600,
    };
    world.stores.recordings.begin(&answer, &head, "{}").await.expect("begun");
    let raw = ChunkWriter::new("test").text("half").raw;
    world.stores.recordings.add(&answer, 0, &[vec![raw]]).await.expect("added");
    let (mut here, mut there) = (read(&world, &answer).await, read(&other, &answer).await);
    let (text, end) = rest(&mut here).await;
    assert_eq!(text, "half");
    assert!(matches!(end, AnswerEnd::Failed { code: ErrorCode::Interrupted, .. }), "{end:?}");
    assert_eq!(rest(&mut there).await, (text, end.clone()));
    assert_eq!(rest(&mut read(&world, &answer).await).await.1, end);
}

#[actix::test]
async fn an_answer_goes_on_while_it_is_read_though_nobody_is_in_the_chat() {
    let world = World::start().await;
    let other = world.beside().await;
    let (client, feed, start) = world.half_answered("a").await;
    let mut reader = read(&other, &id(&start)).await;
    client.leave();
    tokio::time::sleep(Duration::from_secs(120)).await;
    feed.answer(" more");
    assert_eq!(rest(&mut reader).await, ("half more".to_owned(), complete()));
}
