//! The rate limiter as everybody else knows it: one method a question, each with the time-out and the one line in the log.

use actix::prelude::*;

use super::RateLimiter;
use super::actor::{Look, Restore};
use super::buckets::Subject;
use super::guard::Admitted;
use super::messages::{Admit, AdmitConnect, Correct, NotAdmitted, Raise, SlotOf, Spend};
use crate::actor::{Unanswered, ask};
use crate::protocol::Quota;
use crate::store::StoreResult;
use crate::store::limits::{Bucket, Limit};

/// The rate limiter.
#[derive(Debug, Clone)]
pub struct LimiterHandle(Addr<RateLimiter>);

impl From<Addr<RateLimiter>> for LimiterHandle {
    fn from(actor: Addr<RateLimiter>) -> Self {
        Self(actor)
    }
}

impl LimiterHandle {
    async fn ask<M>(&self, what: &'static str, message: M) -> Result<M::Result, Unanswered>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        RateLimiter: Handler<M>,
    {
        ask(&self.0, "rate limiter", what, message).await
    }

    /// Whether a message or a request is admitted, and a slot free for its answer: all of it, in one step, or nothing.
    ///
    /// # Errors
    /// It is not, or the limiter did not answer.
    pub async fn admit(&self, admit: Admit) -> Result<Admitted, NotAdmitted> {
        self.ask("admit", admit).await?
    }

    /// Whether a connection is admitted.
    ///
    /// # Errors
    /// As for [`Self::admit`].
    pub async fn connect(&self, connect: AdmitConnect) -> Result<(), NotAdmitted> {
        self.ask("connect", connect).await?
    }

    /// Takes what a command costs that is no message.
    ///
    /// # Errors
    /// As for [`Self::admit`].
    pub async fn spend(&self, spend: Spend) -> Result<(), NotAdmitted> {
        self.ask("spend", spend).await?
    }

    /// See [`Admitted::raise`].
    pub(super) async fn raise(
        &self,
        taken: Vec<Bucket>,
        prompt_tokens: u64,
        slot: SlotOf,
    ) -> Result<Admitted, NotAdmitted> {
        self.ask("raise", Raise { taken, prompt_tokens, slot }).await?
    }

    /// Corrects what was taken. What gets lost comes back by itself, in time.
    pub(super) async fn corrected(&self, correct: Correct) {
        _ = self.ask("correct", correct).await;
    }

    /// Corrects what was taken, for who cannot wait.
    pub(super) fn correct(&self, correct: Correct) {
        #[allow(clippy::disallowed_methods, reason = "a guard must not get lost, and there is one per admission")]
        self.0.do_send(correct);
    }

    /// What somebody has left, of each limit that applies to them.
    ///
    /// # Errors
    /// No answer.
    pub async fn look(&self, subject: Subject) -> Result<StoreResult<Vec<(Limit, Quota)>>, Unanswered> {
        self.ask("look", Look(subject)).await
    }

    /// Gives somebody back whatever they have taken. An error within: not on all nodes.
    ///
    /// # Errors
    /// No answer.
    pub async fn restore(&self, subject: Subject) -> Result<StoreResult<()>, Unanswered> {
        self.ask("restore", Restore(subject)).await
    }
}
