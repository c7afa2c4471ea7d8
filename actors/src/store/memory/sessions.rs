//! Session records of a single node.

use async_trait::async_trait;
use tokio::time::Instant;

use super::state::{MemoryStore, Session};
use crate::ids::{GroupName, SessionId, UserId};
use crate::protocol::unix_ms;
use crate::rights::Shown;
use crate::store::{SessionRecord, SessionRecords, StoreResult};

impl Session {
    /// Whether what its rights were shown by has not ended.
    fn is_good(&self) -> bool {
        self.until.is_none_or(|until| until > unix_ms() / 1_000)
    }

    fn seen(&self) -> SessionRecord {
        let rights = self.record.rights.clone().filter(|_| self.is_good());
        SessionRecord { rights, ..self.record.clone() }
    }
}

impl MemoryStore {
    /// Changes a record, which is made if there is none, and renews its life.
    pub(super) fn change<T>(&self, session: &SessionId, change: impl FnOnce(&mut Session) -> T) -> T {
        let mut state = self.lock();
        let now = Instant::now();
        let until = now + state.record_life();
        if let Some(known) = state.sessions.renew(session, Some(until), now) {
            return change(known);
        }
        let mut made = Session::default();
        let result = change(&mut made);
        if made != Session::default() {
            state.sessions.put(session.clone(), made, until, now);
        }
        result
    }
}

#[async_trait]
impl SessionRecords for MemoryStore {
    async fn claim(&self, session: &SessionId, user: &UserId) -> StoreResult<UserId> {
        Ok(self.change(session, |known| known.record.owner.get_or_insert_with(|| user.clone()).clone()))
    }

    async fn load(&self, session: &SessionId) -> StoreResult<SessionRecord> {
        Ok(self.change(session, |known| known.seen()))
    }

    async fn grant(&self, session: &SessionId, shown: &Shown) -> StoreResult<SessionRecord> {
        Ok(self.change(session, |known| {
            let beside = known.granted.filter(|_| known.is_good());
            if let Some(since) = shown.issued.beside(beside, unix_ms() / 1_000) {
                (known.granted, known.until) = (Some(since), shown.until);
                known.record.rights = Some(shown.rights.clone());
            }
            known.seen()
        }))
    }

    async fn add_group(&self, session: &SessionId, group: &GroupName) -> StoreResult<()> {
        self.change(session, |Session { record, .. }| {
            if !record.groups.contains(group) {
                record.groups.push(group.clone());
            }
        });
        Ok(())
    }

    async fn remove_group(&self, session: &SessionId, group: &GroupName) -> StoreResult<()> {
        self.change(session, |known| known.record.groups.retain(|joined| joined != group));
        Ok(())
    }
}
