//! The rate limiter as everybody else knows it: one method a question, each with the time-out and the one line in the log.

use actix::prelude::*;

use super::RateLimiter;
use super::actor::{Look, Restore};
use super::buckets::Subject;
use super::messages::{Admit, AdmitConnect, Permit, Raise, Refund, Refused, Settle, Spend};
use crate::actor::{Unanswered, ask};
use crate::protocol::{Quota, Refusal};
use crate::store::StoreResult;
use crate::store::limits::Limit;

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

    /// Whether a message or a request is admitted.
    ///
    /// # Errors
    /// No answer in time, or it has ended.
    pub async fn admit(&self, admit: Admit) -> Result<Result<Permit, Refused>, Unanswered> {
        self.ask("admit", admit).await
    }

    /// Whether a connection is admitted.
    ///
    /// # Errors
    /// No answer.
    pub async fn connect(&self, connect: AdmitConnect) -> Result<Result<(), Refusal>, Unanswered> {
        self.ask("connect", connect).await
    }

    /// Takes what a command costs that is no message.
    ///
    /// # Errors
    /// No answer.
    pub async fn spend(&self, spend: Spend) -> Result<Result<(), Refused>, Unanswered> {
        self.ask("spend", spend).await
    }

    /// Reserves as much as a request of so many tokens takes, for one that was admitted before it was known. The permit comes
    /// back, with what was added to it or as it was.
    ///
    /// # Errors
    /// No answer.
    pub async fn raise(
        &self,
        permit: Permit,
        prompt_tokens: u64,
    ) -> Result<Result<Permit, Box<(Permit, Refused)>>, Unanswered> {
        self.ask("raise", Raise { permit, prompt_tokens }).await
    }

    /// Corrects a reservation to the tokens that were used. What gets lost comes back by itself, in time.
    pub async fn settle(&self, permit: Permit, tokens: u64) {
        _ = self.ask("settle", Settle { permit, tokens }).await;
    }

    /// Gives everything back: what was admitted did not take place. What gets lost comes back by itself, in time.
    pub async fn refund(&self, permit: Permit) {
        _ = self.ask("refund", Refund(permit)).await;
    }

    /// As [`Self::settle`], for who cannot wait: sent at once where there is room, else as soon as there is.
    pub fn settle_soon(&self, permit: Permit, tokens: u64) {
        self.tell(Settle { permit, tokens });
    }

    /// As [`Self::refund`], for who cannot wait.
    pub fn refund_soon(&self, permit: Permit) {
        self.tell(Refund(permit));
    }

    fn tell<M>(&self, message: M)
    where
        M: Message<Result = ()> + Send + 'static,
        RateLimiter: Handler<M>,
    {
        if let Err(SendError::Full(message)) = self.0.try_send(message) {
            let limiter = self.clone();
            actix::spawn(async move { _ = limiter.ask("settle", message).await });
        }
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
