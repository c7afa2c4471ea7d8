//! The rate limiter as everybody else knows it: one method a question, each with the time-out and the one line in the log.

use actix::prelude::*;

use super::actor::{Look, Restore};
use super::buckets::Subject;
use super::guard::Admitted;
use super::messages::{Admit, AdmitConnect, Correct, NotAdmitted, Raise, SlotOf, Spend};
use super::refused::Asker;
use super::{RateLimiter, Remaining};
use crate::actor::{Unanswered, ask};
use crate::in_force::InForce;
use crate::options::LimitOptions;
use crate::protocol::Quota;
use crate::store::StoreResult;
use crate::store::limits::{Bucket, Limit};

/// The rate limiter.
#[derive(Debug, Clone)]
pub struct LimiterHandle {
    actor: Addr<RateLimiter>,
    options: InForce<LimitOptions>,
}

impl LimiterHandle {
    /// Of an actor that goes by these options.
    pub fn of(actor: Addr<RateLimiter>, options: &InForce<LimitOptions>) -> Self {
        Self { actor, options: options.clone() }
    }

    /// Whether there is nothing to ask it but for slots.
    pub fn is_off(&self) -> bool {
        !self.options.get().enabled
    }

    async fn ask<M>(&self, what: &'static str, message: M) -> Result<M::Result, Unanswered>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        RateLimiter: Handler<M>,
    {
        ask(&self.actor, "rate limiter", what, message).await
    }

    /// Whether a message or a request is admitted, and a slot free for its answer: all of it, in one step, or nothing.
    ///
    /// # Errors
    /// It is not, or the limiter did not answer.
    pub async fn admit(&self, admit: Admit) -> Result<Admitted, NotAdmitted> {
        if self.is_off() && admit.slot.is_none() {
            return Ok(Admitted::new(self.clone(), None, None, Remaining::default()));
        }
        let asker = Asker::from(&admit);
        self.ask("admit", admit).await?.inspect_err(|refused| asker.tell(refused))
    }

    /// Whether a connection is admitted.
    ///
    /// # Errors
    /// As for [`Self::admit`].
    pub async fn connect(&self, connect: AdmitConnect) -> Result<(), NotAdmitted> {
        if self.is_off() {
            return Ok(());
        }
        let asker = Asker::from(&connect);
        self.ask("connect", connect).await?.inspect_err(|refused| asker.tell(refused))
    }

    /// Takes what a command costs that is no message.
    ///
    /// # Errors
    /// As for [`Self::admit`].
    pub async fn spend(&self, spend: Spend) -> Result<(), NotAdmitted> {
        if self.is_off() {
            return Ok(());
        }
        let asker = Asker::from(&spend);
        self.ask("spend", spend).await?.inspect_err(|refused| asker.tell(refused))
    }

    /// See [`Admitted::raise`].
    pub(super) async fn raise(
        &self,
        taken: Vec<Bucket>,
        prompt_tokens: u64,
        slot: SlotOf,
    ) -> Result<Admitted, NotAdmitted> {
        self.ask("raise", Raise { taken, prompt_tokens, slot })
            .await?
            .inspect_err(|refused| Asker::unknown().tell(refused))
    }

    /// Corrects what was taken. What gets lost comes back by itself, in time.
    pub(super) async fn corrected(&self, correct: Correct) {
        _ = self.ask("correct", correct).await;
    }

    /// Corrects what was taken, for who cannot wait.
    pub(super) fn correct(&self, correct: Correct) {
        #[allow(clippy::disallowed_methods, reason = "a guard must not get lost, and there is one per admission")]
        self.actor.do_send(correct);
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
