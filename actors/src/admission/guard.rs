//! What was admitted, as a guard: it is settled, or it gives itself back.

use std::fmt;

use super::messages::{Correct, NotAdmitted, SlotOf};
use super::slots::Slot;
use super::{LimiterHandle, Remaining};
use crate::store::limits::{Bucket, Unit};

/// What was taken of buckets, and where.
#[derive(Debug)]
pub(super) struct Reserved {
    pub(super) taken: Vec<Bucket>,
    /// Whether this node's own limits gave it.
    pub(super) local: bool,
}

/// A message or a request that was admitted: what the limits reserved for it, and its slot among the answers at once.
///
/// It holds both until it is settled. One that is dropped gives everything back, whatever ended whoever held it: a question
/// that nobody took, a task that failed, a client that went. Once it [stands](Self::stand), what was admitted has taken place:
/// then a drop gives back the tokens and the slot, and not the message.
#[must_use = "what was admitted is given back when this is dropped"]
#[derive(Default)]
pub struct Admitted {
    /// Who admitted it. `None`: of whom no limit counts anything.
    limiter: Option<LimiterHandle>,
    reserved: Option<Reserved>,
    slot: Option<Slot>,
    left: Remaining,
    stands: bool,
}

impl Admitted {
    /// Of whom no limit counts anything.
    pub fn without_limits() -> Self {
        Self::default()
    }

    pub(super) fn new(limiter: LimiterHandle, reserved: Option<Reserved>, slot: Option<Slot>, left: Remaining) -> Self {
        Self { limiter: Some(limiter), reserved, slot, left, stands: false }
    }

    /// What is left of the limits after it.
    pub fn left(&self) -> &Remaining {
        &self.left
    }

    /// What was admitted has taken place, whatever becomes of the answer to it.
    pub fn stand(&mut self) {
        self.stands = true;
    }

    /// Reserves as much as a request of so many tokens takes, and a slot, for what was admitted before it was known.
    ///
    /// # Errors
    /// A limit is used up, or no slot is free: then it gives itself back, as when it is dropped.
    pub async fn raise(mut self, prompt_tokens: u64, slot: SlotOf) -> Result<Self, NotAdmitted> {
        let Some(limiter) = &self.limiter else { return Ok(self) };
        let taken = self.reserved.as_ref().map(|reserved| reserved.taken.clone());
        let more = limiter.raise(taken.unwrap_or_default(), prompt_tokens, slot).await;
        let mut more = more.map_err(|mut refused| {
            refused.left.requests = self.left.requests;
            refused
        })?;
        self.slot = more.slot.take();
        self.left.tokens = more.left.tokens.or(self.left.tokens);
        // Of another keeper than the first part, it gives itself back: the end corrects what the first one gave.
        if let Some(reserved) = &mut self.reserved
            && let Some(added) = more.reserved.take_if(|added| added.local == reserved.local)
        {
            for added in added.taken {
                let known = reserved.taken.iter_mut().filter(|bucket| bucket.key == added.key);
                known.for_each(|bucket| bucket.cost += added.cost);
            }
        }
        Ok(self)
    }

    /// What was taken is spent, and never given back.
    pub(super) fn keep(&mut self) {
        self.reserved = None;
    }

    /// Gives the slot back before the rest, and waits a moment until it is free on all nodes.
    pub async fn free_slot(&mut self) {
        if let Some(slot) = self.slot.take() {
            slot.give_back().await;
        }
    }

    /// Corrects the reservation to the tokens that were used, and gives the slot back. What gets lost of it comes back by itself,
    /// in time.
    pub fn settle(mut self, tokens: u64) {
        self.correct(Some(tokens));
    }

    /// Gives it back as a drop does, and waits until that is done: who asks next finds it there.
    pub async fn give_back(mut self) {
        let correction = self.correction(self.stands.then_some(0));
        if let (Some(limiter), Some(correct)) = (&self.limiter, correction) {
            limiter.corrected(correct).await;
        }
    }

    fn correct(&mut self, used: Option<u64>) {
        let correction = self.correction(used);
        if let (Some(limiter), Some(correct)) = (&self.limiter, correction) {
            limiter.correct(correct);
        }
    }

    /// What makes of what was reserved what was used, if anything; `None` used: what was admitted did not take place.
    fn correction(&mut self, used: Option<u64>) -> Option<Correct> {
        let Reserved { taken, local } = self.reserved.take()?;
        let differs = used.is_none() || taken.iter().any(|bucket| bucket.limit.unit() == Unit::Tokens);
        differs.then_some(Correct { taken, local, used })
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.correct(self.stands.then_some(0));
    }
}

impl fmt::Debug for Admitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admitted")
            .field("taken", &self.reserved.as_ref().map(|reserved| &reserved.taken))
            .field("slot", &self.slot)
            .field("stands", &self.stands)
            .finish_non_exhaustive()
    }
}
