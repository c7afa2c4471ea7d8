//! One generation: an append-only list of chunks that any number of followers read at their own pace. Cache hits,
//! coalesced questions and resumed readers are all followers of the same list.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytestring::ByteString;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::Reuse;
use crate::backend::BackendError;
use crate::ledger::{Account, Asker};
use crate::openai::{Chunk, Halves, estimate_tokens, halves};
use crate::protocol::{CacheStatus, ErrorCode, Usage};

/// Where a generation comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The cache.
    Cache {
        /// Seconds since it was written there.
        age_seconds: u64,
    },
    /// The backend, by way of another node.
    OtherNode,
    /// The backend.
    Backend,
}

impl Origin {
    /// How an answer from there came about: `coalesced`: others had asked for it before; `bypass`: it was not to come from the cache.
    pub fn came_about(self, coalesced: bool, bypass: bool) -> CacheStatus {
        match self {
            Self::Cache { .. } => CacheStatus::Hit,
            Self::OtherNode => CacheStatus::Coalesced,
            Self::Backend if coalesced => CacheStatus::Coalesced,
            Self::Backend if bypass => CacheStatus::Bypass,
            Self::Backend => CacheStatus::Miss,
        }
    }
}

/// How a generation ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum End {
    /// Complete, with proof.
    Complete {
        /// The backend's word.
        finish_reason: String,
        /// Tokens, if the backend counted them.
        usage: Option<Usage>,
    },
    /// Not complete.
    Failed(BackendError),
}

impl End {
    /// The same for people, who see no finish reason: that the backend broke an answer off is an error.
    pub fn for_people(self) -> Self {
        match self {
            Self::Complete { finish_reason, .. } if finish_reason == "error" => Self::Failed(BackendError::new(
                ErrorCode::AiUnavailable,
                "the AI service had trouble in the middle of the answer; try again",
                "finish_reason=error",
            )),
            end => end,
        }
    }
}

/// What a follower finds.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Chunks that it has not seen.
    Chunks(Vec<Arc<Chunk>>),
    /// The end, after all chunks.
    End(End),
}

#[derive(Debug, Default)]
struct State {
    origin: Option<Origin>,
    /// Shared, as each is read by every follower.
    chunks: Vec<Arc<Chunk>>,
    /// The first half of a character of the text whose other half has not come yet.
    half: Option<u16>,
    end: Option<End>,
    followers: usize,
    /// Who may still read at other nodes: it is not abandoned before somebody has asked them.
    shared: bool,
    abandoned: bool,
    /// Who asked for it here, the first one first.
    askers: Vec<Asker>,
    /// The backend was asked from here.
    paid: bool,
    /// How long the answer is to be kept in the cache, in seconds (`None`: as long as usual), if anybody wants it kept.
    keep: Option<Option<u64>>,
}

impl State {
    /// Gives a chunk's text the whole of a character that was cut in two, where its second half is.
    fn put_together(&mut self, chunk: &mut Chunk) {
        let Halves { begins, ends } = chunk.halves;
        if begins.is_some() || !chunk.text.is_empty() && self.half.is_some() {
            chunk.text = halves::join(self.half.take(), begins, &chunk.text);
        }
        self.half = ends.or(self.half.take());
    }
}

/// The list and its state.
#[derive(Debug, Default)]
pub struct Generation {
    state: Mutex<State>,
    grew: Notify,
    left: Notify,
}

impl Generation {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is one step; a panic elsewhere leaves the list as it is.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reader from the first chunk; `None` if everybody had left, so that the generation is being dropped, or if it
    /// has failed: who asks after a failure gets a try of its own.
    pub fn follow(self: &Arc<Self>) -> Option<Follower> {
        let mut state = self.state();
        if state.abandoned || matches!(state.end, Some(End::Failed(_))) {
            return None;
        }
        state.followers += 1;
        Some(Follower { generation: self.clone(), seen: 0 })
    }

    /// Whether it is new enough, as far as it is known where it comes from.
    pub fn suits(&self, reuse: Reuse) -> bool {
        match self.state().origin {
            Some(Origin::Cache { age_seconds }) => reuse.admits(age_seconds),
            _ => true,
        }
    }

    /// Decides where the chunks come from; the first decision stands.
    pub fn begin(&self, origin: Origin) {
        self.state().origin.get_or_insert(origin);
        self.grew.notify_waiters();
    }

    /// Adds a chunk.
    pub fn push(&self, mut chunk: Chunk) {
        let mut state = self.state();
        state.put_together(&mut chunk);
        state.chunks.push(Arc::new(chunk));
        drop(state);
        self.grew.notify_waiters();
    }

    /// Ends it; the first end stands.
    pub fn finish(&self, end: End) {
        self.state().end.get_or_insert(end);
        self.grew.notify_waiters();
    }

    /// The backend is asked from here.
    pub fn pay(&self) {
        self.state().paid = true;
    }

    /// For whom it was, and how it came about for each of them, with the tokens; nobody if it brought nothing. `prompt_tokens`
    /// stands in where the backend did not count.
    pub fn accounts(&self, prompt_tokens: u64) -> (Vec<(Asker, Account)>, Usage) {
        let state = self.state();
        let text: u64 = state.chunks.iter().map(|chunk| estimate_tokens(&chunk.text)).sum();
        let estimate =
            Usage { prompt_tokens, completion_tokens: text, total_tokens: prompt_tokens.saturating_add(text) };
        let (usage, is_complete) = match &state.end {
            Some(End::Complete { usage, .. }) => (usage.unwrap_or(estimate), true),
            Some(End::Failed(_)) if text == 0 => return (Vec::new(), estimate),
            Some(End::Failed(_)) | None => (estimate, false),
        };
        let first = match (state.paid, state.origin) {
            (true, _) if state.end.is_some() => Account::Spent,
            (true, _) => Account::Cancelled,
            (false, Some(Origin::Cache { .. })) => Account::Hit,
            (false, _) => Account::Coalesced,
        };
        let others = if first == Account::Hit { Account::Hit } else { Account::Coalesced };
        let accounts = std::iter::once(first).chain(std::iter::repeat(others));
        // What did not come to its end saved nobody anything.
        let counts = |account: &Account| is_complete || matches!(account, Account::Spent | Account::Cancelled);
        let accounts = state.askers.iter().cloned().zip(accounts).filter(|(_, account)| counts(account)).collect();
        (accounts, usage)
    }

    /// Whether somebody wants the answer kept, and for how many seconds: the longest that anybody asked for, as long as usual
    /// if somebody had no wish.
    pub fn keep(&self) -> Option<Option<u64>> {
        self.state().keep
    }

    /// Everything that was written so far.
    pub fn chunks(&self) -> Vec<Arc<Chunk>> {
        self.state().chunks.clone()
    }

    /// The data lines after the first `seen` ones.
    pub fn raw_after(&self, seen: usize) -> Vec<ByteString> {
        self.state().chunks.iter().skip(seen).map(|chunk| chunk.raw.clone()).collect()
    }

    /// Other nodes may follow from now on (or no longer): when the last follower here has left, [`Self::abandon`] decides.
    pub fn share(&self, shared: bool) {
        let mut state = self.state();
        state.shared = shared;
        if !shared && state.followers == 0 && state.end.is_none() {
            state.abandoned = true;
            self.left.notify_waiters();
        }
    }

    /// Nobody follows at other nodes either. `false`: somebody does here, again.
    pub fn abandon(&self) -> bool {
        let mut state = self.state();
        if state.followers == 0 {
            state.abandoned = true;
            self.left.notify_waiters();
        }
        state.abandoned
    }

    /// Waits until nobody follows here.
    pub async fn unfollowed(&self) {
        self.left_so_far(|state| state.followers == 0).await;
    }

    /// Waits until nobody follows anywhere.
    pub async fn abandoned(&self) {
        self.left_so_far(|state| state.abandoned).await;
    }

    async fn left_so_far(&self, enough: impl Fn(&State) -> bool) {
        loop {
            let left = self.left.notified();
            if enough(&self.state()) {
                return;
            }
            left.await;
        }
    }
}

/// One reader of a generation; the generation is dropped when the last one is.
#[derive(Debug)]
pub struct Follower {
    generation: Arc<Generation>,
    seen: usize,
}

impl Follower {
    /// Says who follows, and what is to be done with the answer.
    pub(super) fn wants(&self, reuse: Reuse, asker: Asker) {
        let mut state = self.generation.state();
        state.askers.push(asker);
        if reuse.write {
            state.keep = Some(match state.keep {
                None => reuse.ttl_seconds,
                Some(kept) => kept.zip(reuse.ttl_seconds).map(|(kept, more)| kept.max(more)),
            });
        }
    }

    /// Waits until it is known where the chunks come from (or the generation has failed before that).
    pub async fn origin(&self) -> Origin {
        loop {
            let grew = self.generation.grew.notified();
            if let Some(origin) = self.known_origin() {
                return origin;
            }
            grew.await;
        }
    }

    /// Where the chunks come from, if that is known; it is as soon as there is something to read.
    pub fn known_origin(&self) -> Option<Origin> {
        let state = self.generation.state();
        state.origin.or_else(|| state.end.as_ref().map(|_| Origin::Backend))
    }

    /// Waits for what comes next. Cancelling the wait loses nothing.
    pub async fn next(&mut self) -> Next {
        loop {
            let grew = self.generation.grew.notified();
            {
                let state = self.generation.state();
                if state.chunks.len() > self.seen {
                    let chunks = state.chunks[self.seen..].to_vec();
                    self.seen = state.chunks.len();
                    return Next::Chunks(chunks);
                }
                if let Some(end) = &state.end {
                    return Next::End(end.clone());
                }
            }
            grew.await;
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut state = self.generation.state();
        state.followers -= 1;
        if state.followers == 0 && state.end.is_none() {
            state.abandoned = !state.shared;
            self.generation.left.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let make = |paid: bool, origin: Origin, end: Option<End>| {
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
        assert_eq!(make(true, Origin::Backend, Some(complete())), of(Account::Spent, Account::Coalesced));
        assert_eq!(make(true, Origin::OtherNode, Some(complete())), of(Account::Spent, Account::Coalesced));
        assert_eq!(make(false, Origin::OtherNode, Some(complete())), of(Account::Coalesced, Account::Coalesced));
        assert_eq!(make(false, Origin::Cache { age_seconds: 1 }, Some(complete())), of(Account::Hit, Account::Hit));
        assert_eq!(make(true, Origin::Backend, None), [("a".to_owned(), Account::Cancelled)]);
        assert_eq!(make(false, Origin::OtherNode, None), []);
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
}
