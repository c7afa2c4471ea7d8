//! What people say of answers and chats.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreResult;
use crate::ids::{AnswerId, GroupName, SessionId, UserId, digest};

/// Ratings that are kept of all sessions, the newest of them, and for how long, in seconds: 90 days.
pub const FEEDBACK_KEPT: usize = 10_000;
/// See [`FEEDBACK_KEPT`].
pub const FEEDBACK_SECONDS: u64 = 90 * 86_400;
/// Ratings that are kept with a session, the newest of them.
pub const SESSION_RATINGS: usize = 200;

/// A rating of an answer, or of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// Who rates: the session.
    pub session: SessionId,
    /// Its user.
    pub user: UserId,
    /// The group of the answer, or the session's home group.
    pub group: GroupName,
    /// The answer; none: the chat.
    pub answer: Option<AnswerId>,
    /// Of an answer -1 or 1, of the chat 1 to 5.
    pub rating: i8,
    /// In words.
    pub text: Option<String>,
    /// When, in Unix milliseconds, as the store says it. Whoever gives a rating says nothing of it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub at_ms: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Feedback {
    /// What is rated, as a label.
    pub const fn kind(&self) -> &'static str {
        match self.answer {
            Some(_) => "answer",
            None => "session",
        }
    }

    /// Tells this rating from others under the same id.
    pub(crate) fn fingerprint(&self) -> String {
        digest(format!("{} {} {}", self.subject(), self.rating, self.text.as_deref().unwrap_or_default()))
    }

    /// What is rated, within its session.
    pub(crate) fn subject(&self) -> &str {
        self.answer.as_ref().map_or("", AnswerId::as_str)
    }
}

/// What became of a rating.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rated {
    /// It is kept, with its time.
    New(Feedback),
    /// It was kept before, under this id.
    Again,
    /// The id is known for something else.
    Conflict,
}

/// The ratings. A session's later rating of one thing takes the place of the one before.
#[async_trait]
pub trait FeedbackRecords: Send + Sync {
    /// Keeps a rating. `id`, if there is one, names it within its session: it counts once.
    async fn add(&self, feedback: &Feedback, id: Option<&str>) -> StoreResult<Rated>;
    /// Those of a session, newest first. They live as long as its record.
    async fn of_session(&self, session: &SessionId) -> StoreResult<Vec<Feedback>>;
    /// Those of all sessions with their names, newest first; those before the named one.
    async fn newest(&self, before: Option<&str>, limit: usize) -> StoreResult<Vec<(String, Feedback)>>;
}
