//! Which answer a run is: whoever asks for a run first, at whichever node, claims it, and all others join what came of that.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sophie_actors::dialects::UserMessage;
use sophie_actors::ids::{AnswerId, SessionId, digest, random_text};
use sophie_actors::store::{Claims, StoreResult};

/// How long a claim stands of which nothing came: its node may be gone.
pub(super) const PENDING: Duration = Duration::from_secs(30);

/// What stands under a run's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    /// A digest of the question.
    pub(super) asked: String,
    /// Tells one claim from another.
    by: String,
    /// The answer, once it was asked for.
    pub(super) answer: Option<AnswerId>,
}

impl Claim {
    /// That of a run with this question.
    pub(super) fn of(question: &UserMessage) -> Self {
        let asked = serde_json::to_vec(&(&question.id, &question.parts)).unwrap_or_default();
        Self { asked: digest(asked), by: random_text(12), answer: None }
    }

    fn word(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The runs of a thread.
pub(super) struct Runs<'a> {
    pub(super) claims: &'a dyn Claims,
    pub(super) thread: &'a SessionId,
    /// Seconds for which a run is known after it was asked for: as long as its answer can be read.
    pub(super) keep_seconds: u64,
}

impl Runs<'_> {
    fn name(&self, run: &str) -> String {
        format!("ag-ui run {} {run}", self.thread)
    }

    fn answer_name(&self, answer: &AnswerId) -> String {
        format!("ag-ui answer {} {answer}", self.thread)
    }

    /// Claims a run, unless somebody has: then what they have claimed.
    pub(super) async fn claim(&self, run: &str, claim: &Claim) -> StoreResult<Option<Claim>> {
        let before = self.claims.claim(&self.name(run), &claim.word(), PENDING.as_secs()).await?;
        Ok(before.and_then(|word| serde_json::from_str(&word).ok()))
    }

    /// What was claimed of a run.
    pub(super) async fn find(&self, run: &str) -> StoreResult<Option<Claim>> {
        let word = self.claims.find(&self.name(run)).await?;
        Ok(word.and_then(|word| serde_json::from_str(&word).ok()))
    }

    /// The answer to a run was asked for.
    pub(super) async fn asked(&self, run: &str, claim: &Claim, answer: &AnswerId) -> StoreResult<()> {
        let claim = Claim { answer: Some(answer.clone()), ..claim.clone() };
        self.claims.note(&self.answer_name(answer), run, self.keep_seconds).await?;
        self.claims.note(&self.name(run), &claim.word(), self.keep_seconds).await
    }

    /// Nothing was asked.
    pub(super) async fn give_back(&self, run: &str, claim: &Claim) -> StoreResult<()> {
        self.claims.release(&self.name(run), &claim.word()).await
    }

    /// The run that an answer is, if it was asked for as one.
    pub(super) async fn run_of(&self, answer: &AnswerId) -> StoreResult<Option<String>> {
        self.claims.find(&self.answer_name(answer)).await
    }
}
