//! One caller's reading of an answer: it follows at its own pace, pays, and is ended when the node goes.

use sophie_actors::answers::{End, Follower, GenerationOrigin, Next, Reuse};
use sophie_actors::backend::BackendError;
use sophie_actors::protocol::{CacheStatus, ErrorCode};

use super::bill::Bill;
use super::running::Visit;

/// How the answer was asked for.
#[derive(Debug, Clone, Copy)]
pub struct How {
    /// Others had asked for it before.
    pub coalesced: bool,
    /// What the caller wished.
    pub reuse: Reuse,
    /// `cache.enabled`
    pub cache_enabled: bool,
}

/// What is held until the answer is through. Dropping it lets go of the answer, which ends it if nobody else follows, and settles.
pub struct Reading {
    follower: Follower,
    bill: Bill,
    visit: Visit,
    how: How,
    is_begun: bool,
}

impl Reading {
    /// Reads from the first chunk.
    pub fn new(follower: Follower, bill: Bill, visit: Visit, how: How) -> Self {
        Self { follower, bill, visit, how, is_begun: false }
    }

    /// What comes next; `interrupted` when the node cannot wait any longer.
    pub async fn next(&mut self) -> Next {
        let next = tokio::select! {
            biased;
            next = self.follower.next() => next,
            () = self.visit.interrupted() => Next::End(End::Failed(interrupted())),
        };
        self.begin();
        self.bill.note(&next);
        next
    }

    /// How the answer came about; known once something was read.
    pub fn origin(&self) -> (CacheStatus, GenerationOrigin) {
        let How { coalesced, reuse, cache_enabled } = self.how;
        let origin = self.follower.known_origin().unwrap_or(GenerationOrigin::Backend);
        (origin.came_about(coalesced, !reuse.read || !cache_enabled), origin)
    }

    /// Tells the bill how the answer comes about, as soon as that is known: who goes before it pays nothing.
    fn begin(&mut self) {
        if !self.is_begun && self.follower.known_origin().is_some() {
            self.is_begun = true;
            let (status, _) = self.origin();
            self.bill.begin(status);
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.begin();
    }
}

/// The node goes before the answer is through.
pub fn interrupted() -> BackendError {
    let reason = "the server was stopped before the answer was through; try again";
    let error = BackendError::new(ErrorCode::Interrupted, reason, "the drain time was over");
    BackendError { retry_after_ms: Some(1_000), ..error }
}
