//! What a generation does for those who follow it.

use super::*;
use crate::backend::BackendError;
use crate::openai::Halves;
use crate::protocol::ErrorCode;

fn chunk(text: &str) -> Chunk {
    Chunk {
        raw: "{}".into(),
        text: text.into(),
        halves: Halves::default(),
        finished: Vec::new(),
        choices: vec![0],
        filled: Vec::new(),
        flawed: false,
        usage: None,
    }
}

fn chunks(texts: &[&str]) -> Next {
    Next::Chunks(texts.iter().map(|text| Arc::new(chunk(text))).collect())
}

fn complete() -> End {
    End::Complete { finish_reason: "stop".into(), usage: None }
}

#[tokio::test]
async fn a_late_follower_reads_from_the_first_chunk() {
    let generation = Arc::new(Generation::default());
    let mut early = generation.follow().expect("running");
    generation.push(chunk("a"));
    assert_eq!(early.next().await, chunks(&["a"]));
    generation.push(chunk("b"));
    let mut late = generation.follow().expect("running");
    assert_eq!(late.next().await, chunks(&["a", "b"]));
    generation.finish(complete());
    assert_eq!(early.next().await, chunks(&["b"]));
    assert_eq!(early.next().await, Next::End(complete()));
    assert_eq!(late.next().await, Next::End(complete()));
}

#[tokio::test]
async fn a_generation_is_abandoned_when_its_last_follower_leaves_and_not_before() {
    let generation = Arc::new(Generation::default());
    let (one, two) = (generation.follow().expect("running"), generation.follow().expect("running"));
    drop(one);
    assert!(generation.follow().is_some(), "the other still listens");
    drop(two);
    generation.abandoned().await;
    assert!(generation.follow().is_none());
}

#[test]
fn the_first_who_asked_pays_and_the_others_save_unless_it_was_cut_short() {
    let asker = |user: &str| Asker { user: user.into(), group: None };
    let make = |paid: bool, origin: GenerationOrigin, end: Option<End>| {
        let generation = Arc::new(Generation::default());
        for user in ["a", "b"] {
            generation.follow().expect("running").wants(Reuse::FREE, asker(user));
            generation.state().abandoned = false;
        }
        generation.begin(origin);
        if paid {
            generation.pay();
        }
        generation.push(chunk("12345678"));
        end.into_iter().for_each(|end| generation.finish(end));
        let (accounts, usage) = generation.accounts(10);
        assert_eq!(usage.total_tokens, 12);
        accounts.into_iter().map(|(asker, account)| (asker.user, account)).collect::<Vec<_>>()
    };
    let of = |one: Account, other: Account| vec![("a".to_owned(), one), ("b".to_owned(), other)];
    assert_eq!(make(true, GenerationOrigin::Backend, Some(complete())), of(Account::Spent, Account::Coalesced));
    assert_eq!(make(true, GenerationOrigin::OtherNode, Some(complete())), of(Account::Spent, Account::Coalesced));
    assert_eq!(make(false, GenerationOrigin::OtherNode, Some(complete())), of(Account::Coalesced, Account::Coalesced));
    assert_eq!(
        make(false, GenerationOrigin::Cache { age_seconds: 1 }, Some(complete())),
        of(Account::Hit, Account::Hit)
    );
    assert_eq!(make(true, GenerationOrigin::Backend, None), [("a".to_owned(), Account::Cancelled)]);
    assert_eq!(make(false, GenerationOrigin::OtherNode, None), []);
}

#[test]
fn a_character_that_was_cut_in_two_is_put_together() {
    let generation = Generation::default();
    let half = |begins, text: &str, ends| Chunk { halves: Halves { begins, ends }, ..chunk(text) };
    generation.push(half(None, "a", Some(0xd83d)));
    // A role, or another choice.
    generation.push(chunk(""));
    generation.push(half(Some(0xde00), "b", Some(0xd83d)));
    generation.push(chunk("c"));
    let texts: Vec<String> = generation.chunks().iter().map(|chunk| chunk.text.clone()).collect();
    assert_eq!(texts, ["a", "", "😀b", "\u{fffd}c"]);
}

#[tokio::test]
async fn one_that_other_nodes_may_follow_is_abandoned_when_that_is_decided() {
    let generation = Arc::new(Generation::default());
    generation.share(true);
    drop(generation.follow().expect("running"));
    generation.unfollowed().await;
    let back = generation.follow().expect("not abandoned yet");
    assert!(!generation.abandon(), "somebody came back");
    drop(back);
    assert!(generation.abandon());
    assert!(generation.follow().is_none());
}

#[tokio::test]
async fn a_failed_generation_is_followed_by_nobody_else_and_a_complete_one_is() {
    let (failed, whole) = (Arc::new(Generation::default()), Arc::new(Generation::default()));
    let mut early = failed.follow().expect("running");
    let error = BackendError::new(ErrorCode::AiUnavailable, "r", "d");
    failed.finish(End::Failed(error.clone()));
    assert!(failed.follow().is_none());
    assert_eq!(early.next().await, Next::End(End::Failed(error)));
    whole.finish(complete());
    assert!(whole.follow().is_some());
}
