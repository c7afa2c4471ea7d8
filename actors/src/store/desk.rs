//! Who answers in a group, the assistant or a person, and the groups that wait for a person.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreResult;
use crate::ids::{Epoch, GroupName, SessionId, UserId, digest};
use crate::protocol::PersonState;

/// Groups that may wait for a person at a time.
pub const MOST_WAITING: usize = 1_000;

/// How long the id of a wish for a person is known, and that of a rating, in seconds: as long as that of a message.
pub(crate) const REMARK_ONCE_SECONDS: u64 = super::ONCE_SECONDS;

/// Who answers in a group. A group that nobody knows has its assistant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendance {
    /// The life of the group's log in which this holds; none if the group is not known.
    pub epoch: Option<Epoch>,
    /// How many changes there were: of two of one epoch, what has fewer is older.
    pub changes: u64,
    /// Whether the assistant answers.
    pub assistant: bool,
    /// Whether somebody asked for a person, and what came of it, until the assistant is turned on again.
    pub person: Option<PersonState>,
}

impl Default for Attendance {
    fn default() -> Self {
        Self { epoch: None, changes: 0, assistant: true, person: None }
    }
}

impl Attendance {
    /// Whether this is what holds, and not something older than `known`.
    pub(crate) fn follows(&self, known: &Self) -> bool {
        self.epoch != known.epoch || self.changes >= known.changes
    }
}

/// Who asked for a person, and what for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    /// The session.
    pub session: SessionId,
    /// Its user.
    pub user: UserId,
    /// What for, in words.
    pub text: Option<String>,
}

impl Asker {
    /// Tells this wish, for this group, from others under the same id.
    pub(crate) fn fingerprint(&self, group: &GroupName) -> String {
        digest(format!("{group} {}", self.text.as_deref().unwrap_or_default()))
    }
}

/// A group that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The group.
    pub group: GroupName,
    /// Since when, in Unix milliseconds.
    pub since_ms: u64,
    /// Who asked last.
    pub asker: Asker,
    /// Whether the assistant answers there.
    pub assistant: bool,
}

/// What happened between a group and the people behind the assistant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonNews {
    /// Somebody asked for one.
    Asked,
    /// One took over.
    Taken,
    /// The group waits no more, and nobody took over.
    Dismissed,
    /// The assistant answers again.
    HandedBack,
}

/// The same, as the application is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonTold {
    /// The group.
    pub group: GroupName,
    /// What happened.
    pub state: PersonNews,
    /// Whether the assistant answers now.
    pub on: bool,
    /// Who had asked, if somebody had.
    pub asker: Option<Asker>,
    /// When, in Unix milliseconds.
    pub at_ms: u64,
}

/// What a call changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// How it is now.
    pub attendance: Attendance,
    /// What is told of it; nothing where it was so before.
    pub told: Option<PersonTold>,
    /// How many groups wait now.
    pub waiting: usize,
}

/// What became of a wish for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It is noted. `first`: the group did not wait before.
    Noted {
        /// How it is now.
        change: Change,
        /// Whether it did not wait.
        first: bool,
    },
    /// It was noted before, under this id.
    Again,
    /// The id is known for something else.
    Conflict,
    /// As many groups wait as may.
    Full,
}

/// What an operator does with a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Takes over: the assistant answers no more, and the group waits no more.
    TakeOver,
    /// Hands back: the assistant answers. A group that waits goes on waiting.
    HandBack,
    /// Takes it out of those that wait.
    Dismiss,
}

/// Who answers in groups. Each change is told to all nodes, this one too, by the step that makes it.
#[async_trait]
pub trait Desk: Send + Sync {
    /// Lets a group wait for a person. One that waits keeps its place, and its words are those of the last call. `id`, if there is
    /// one, names the wish of this session: it counts once.
    async fn ask(&self, group: &GroupName, asker: &Asker, id: Option<&str>) -> StoreResult<Asked>;
    /// Carries out what an operator does. `None`: the group that is to be dismissed does not wait.
    async fn settle(&self, group: &GroupName, act: Act) -> StoreResult<Option<Change>>;
    /// Who answers in groups, in their order.
    async fn attendance(&self, groups: &[GroupName]) -> StoreResult<Vec<Attendance>>;
    /// At most `limit` groups that wait and whose names begin with `prefix`, those first that wait for the longest time; after the one
    /// that has waited since that millisecond and has that name.
    async fn waiting(&self, prefix: &str, after: Option<(u64, &str)>, limit: usize) -> StoreResult<Vec<Waiting>>;
    /// The one that came last.
    async fn newest(&self) -> StoreResult<Option<Waiting>>;
    /// One of them.
    async fn waits(&self, group: &GroupName) -> StoreResult<Option<Waiting>>;
    /// How many there are.
    async fn count(&self) -> StoreResult<usize>;
}
