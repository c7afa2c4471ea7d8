//! The index of groups, for operators.

use async_trait::async_trait;

use super::StoreResult;
use crate::ids::GroupName;

/// A group as the log side knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupInfo {
    /// Its name.
    pub name: GroupName,
    /// Unix milliseconds.
    pub created_at_ms: u64,
    /// Unix milliseconds at which the group is forgotten if nobody joins or writes.
    pub expires_at_ms: u64,
    /// The last event's `seq`.
    pub last_seq: u64,
    /// Whether the assistant may answer here.
    pub assistant: bool,
}

/// The index of groups, for operators. Every group that has a log is in it.
#[async_trait]
pub trait GroupIndex: Send + Sync {
    /// At most `limit` groups after `cursor` (exclusive) whose names begin with `prefix`, sorted by name bytewise.
    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: usize) -> StoreResult<Vec<GroupInfo>>;
    /// One group.
    async fn info(&self, group: &GroupName) -> StoreResult<Option<GroupInfo>>;
    /// Forgets a group: log, index entry, switch, its place among those that wait for a person. Returns whether it was there.
    async fn delete(&self, group: &GroupName) -> StoreResult<bool>;
}
