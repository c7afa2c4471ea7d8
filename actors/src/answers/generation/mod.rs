//! One generation: an append-only list of chunks that any number of followers read at their own pace. Cache hits,
//! coalesced questions and resumed readers are all followers of the same list.

mod end;
mod follower;
mod origin;
mod telling;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytestring::ByteString;
use tokio::sync::Notify;

pub use end::End;
pub use follower::{Follower, Next};
pub use origin::GenerationOrigin;

use super::Reuse;
use crate::ledger::{Account, Asker};
use crate::openai::halves::Seam;
use crate::openai::{Chunk, estimate_tokens};
use crate::protocol::Usage;
use crate::spans::{Begun, Span};

#[derive(Debug, Default)]
struct State {
    origin: Option<GenerationOrigin>,
    /// Shared, as each is read by every follower.
    chunks: Vec<Arc<Chunk>>,
    /// Puts characters together that were cut in two.
    seam: Seam,
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

/// The list and its state.
#[derive(Debug, Default)]
pub struct Generation {
    state: Mutex<State>,
    grew: Notify,
    left: Notify,
    /// Tells of it, for whom it was begun and for whom it was not.
    span: Begun,
}

impl Generation {
    /// An empty one, which a span tells of.
    pub fn within(span: Begun) -> Self {
        Self { span, ..Self::default() }
    }

    /// The span that tells of it.
    pub fn span(&self) -> &Span {
        &self.span
    }

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
            Some(GenerationOrigin::Cache { age_seconds }) => reuse.admits(age_seconds),
            _ => true,
        }
    }

    /// Decides where the chunks come from; the first decision stands.
    pub fn begin(&self, origin: GenerationOrigin) {
        self.state().origin.get_or_insert(origin);
        self.span.set("sophie.origin", origin.as_str());
        self.grew.notify_waiters();
    }

    /// Adds a chunk.
    pub fn push(&self, mut chunk: Chunk) {
        let mut state = self.state();
        chunk.text = state.seam.close(std::mem::take(&mut chunk.text), chunk.halves);
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
            (false, Some(GenerationOrigin::Cache { .. })) => Account::Hit,
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
