use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::Expiring;
use crate::ids::{GroupName, SessionId, UserId};
use crate::store::{RECORD_SECONDS, SessionRecord, SessionRecords, StoreResult};

/// Session records in memory.
pub struct MemorySessions {
    records: Mutex<Expiring<SessionId, SessionRecord>>,
}

impl MemorySessions {
    pub(super) fn new() -> Self {
        Self { records: Mutex::new(Expiring::new()) }
    }

    /// Changes a record, which is made if there is none, and renews its life.
    fn change<T>(&self, session: &SessionId, change: impl FnOnce(&mut SessionRecord) -> T) -> T {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let until = now + Duration::from_secs(RECORD_SECONDS);
        if let Some(record) = records.renew(session, Some(until), now) {
            return change(record);
        }
        let mut record = SessionRecord::default();
        let result = change(&mut record);
        if record != SessionRecord::default() {
            records.put(session.clone(), record, until, now);
        }
        result
    }
}

#[async_trait]
impl SessionRecords for MemorySessions {
    async fn claim(&self, session: &SessionId, user: &UserId) -> StoreResult<UserId> {
        Ok(self.change(session, |record| record.owner.get_or_insert_with(|| user.clone()).clone()))
    }

    async fn load(&self, session: &SessionId) -> StoreResult<SessionRecord> {
        Ok(self.change(session, |record| record.clone()))
    }

    async fn add_group(&self, session: &SessionId, group: &GroupName) -> StoreResult<()> {
        self.change(session, |record| {
            if !record.groups.contains(group) {
                record.groups.push(group.clone());
            }
        });
        Ok(())
    }

    async fn remove_group(&self, session: &SessionId, group: &GroupName) -> StoreResult<()> {
        self.change(session, |record| record.groups.retain(|known| known != group));
        Ok(())
    }
}
