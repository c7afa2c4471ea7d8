//! One caller's reading of an answer: it follows at its own pace, pays, and is ended when the node goes.

use sophie_actors::answers::{End, Follower, Next};
use sophie_actors::backend::BackendError;
use sophie_actors::protocol::ErrorCode;

use super::bill::Bill;
use super::running::Visit;

/// What is held until the answer is through. Dropping it lets go of the answer, which ends it if nobody else follows, and settles.
pub struct Reading {
    follower: Follower,
    bill: Bill,
    visit: Visit,
}

impl Reading {
    /// Reads from the first chunk.
    pub fn new(follower: Follower, bill: Bill, visit: Visit) -> Self {
        Self { follower, bill, visit }
    }

    /// What comes next; `interrupted` when the node cannot wait any longer.
    pub async fn next(&mut self) -> Next {
        let next = tokio::select! {
            biased;
            next = self.follower.next() => next,
            () = self.visit.interrupted() => Next::End(End::Failed(interrupted())),
        };
        self.bill.note(&next);
        next
    }
}

/// The node goes before the answer is through.
pub fn interrupted() -> BackendError {
    BackendError {
        code: ErrorCode::Interrupted,
        reason: "the server was stopped before the answer was through; try again".into(),
        retry_after_ms: Some(1_000),
        detail: "the drain time was over".into(),
        refusal: None,
    }
}
