//! The sessions' records: what a session is beyond its actor's life.

use async_trait::async_trait;

use super::StoreResult;
use crate::ids::{GroupName, SessionId, UserId};
use crate::rights::{Rights, Shown};

/// What a session is, beyond its actor's life; kept for 24 h after its last use, and as long as its home group is: whoever
/// comes after the owner must not find the owner's log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionRecord {
    /// The user who had it first, where users are known.
    pub owner: Option<UserId>,
    /// The groups it joined, its home group not among them, in the order of joining.
    pub groups: Vec<GroupName>,
    /// What it may join, where users are known: the newest that was shown, while that is good.
    pub rights: Option<Rights>,
}

/// The sessions' records.
#[async_trait]
pub trait SessionRecords: Send + Sync {
    /// Makes `user` the owner if there is none, atomically; returns the owner.
    async fn claim(&self, session: &SessionId, user: &UserId) -> StoreResult<UserId>;
    /// The record (empty if there is none), its life renewed.
    async fn load(&self, session: &SessionId) -> StoreResult<SessionRecord>;
    /// Notes what a user may join if it is newer than what is known, or that is no longer good, atomically; returns the record
    /// as it is then.
    async fn grant(&self, session: &SessionId, shown: &Shown) -> StoreResult<SessionRecord>;
    /// Adds a group.
    async fn add_group(&self, session: &SessionId, group: &GroupName) -> StoreResult<()>;
    /// Adds groups to records, after the store has lost its data.
    async fn restore(&self, records: &[(SessionId, Vec<GroupName>)]) -> StoreResult<()> {
        for (session, groups) in records {
            for group in groups {
                self.add_group(session, group).await?;
            }
        }
        Ok(())
    }
    /// Takes a group away.
    async fn remove_group(&self, session: &SessionId, group: &GroupName) -> StoreResult<()>;
}
