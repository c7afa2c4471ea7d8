//! Where groups stand in the store, as whoever enters them must know it.

use futures_util::future::try_join;

use super::RegistryHandle;
use crate::ids::GroupName;
use crate::store::{AnswerRecord, Attendance, LogState, StoreResult, Stores};

/// Where the logs of some groups stand, and which answers are being written there.
#[derive(Debug, Clone, Default)]
pub struct GroupStates {
    /// Each group's log.
    pub logs: Vec<(GroupName, LogState)>,
    /// The answers.
    pub answers: Vec<AnswerRecord>,
    /// Who answers there.
    pub attended: Vec<(GroupName, Attendance)>,
}

impl GroupStates {
    /// Reads it. The logs' lives are renewed, and missing ones made.
    ///
    /// # Errors
    /// The store is away, or what it holds of one of them is not what it should be.
    pub async fn read(stores: &Stores, groups: &[GroupName]) -> StoreResult<Self> {
        let states = stores.logs.open(groups).await?;
        // After the logs: an answer that is under way now has its end beyond where they stand.
        let (answers, attended) = try_join(stores.answers.running(groups), stores.desk.attendance(groups)).await?;
        let named = || groups.iter().cloned();
        Ok(Self { logs: named().zip(states).collect(), answers, attended: named().zip(attended).collect() })
    }
}

impl RegistryHandle {
    /// Reads where groups stand that are about to be entered. From before the look the registry keeps what it hears of them, so
    /// that nothing is missing in between.
    ///
    /// # Errors
    /// As for [`GroupStates::read`].
    pub async fn look_at(&self, stores: &Stores, groups: &[GroupName]) -> StoreResult<GroupStates> {
        // Whoever does not hear of it does not take the entry either.
        _ = self.prepare(groups.to_vec()).await;
        let mut states = GroupStates::read(stores, groups).await?;
        _ = self.attended(std::mem::take(&mut states.attended)).await;
        Ok(states)
    }
}
