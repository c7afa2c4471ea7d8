//! What the mirror asks of the roster: what has changed since it looked.

use super::Roster;
use crate::ids::{GroupName, SessionId};
use crate::store::Row;

impl Roster {
    /// Every group with a member here.
    pub fn groups(&self) -> Vec<GroupName> {
        self.tables().groups.keys().cloned().collect()
    }

    /// Waits for a change of what [`Self::take_changed`] gives.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The groups that changed since the last call, with whether this node is in them now: the newest state wins.
    pub fn take_changed(&self) -> Vec<(GroupName, bool)> {
        let mut tables = self.tables();
        let changed = std::mem::take(&mut tables.changed);
        changed.into_iter().map(|group| (group.clone(), tables.groups.contains_key(&group))).collect()
    }

    /// The sessions that changed since the last call, with their rows: none for one without a socket here.
    pub fn take_changed_sessions(&self) -> Vec<(SessionId, Option<Row>)> {
        let mut tables = self.tables();
        let changed = std::mem::take(&mut tables.changed_sessions);
        let row = |session: SessionId| {
            let entry = tables.sessions.get(&session).filter(|entry| !entry.sockets.is_empty());
            let row = entry.map(|entry| self.row(&tables, &session, entry));
            (session, row)
        };
        changed.into_iter().map(row).collect()
    }

    /// Every session of this node is to be written anew.
    pub fn mark_all_sessions(&self) {
        let mut tables = self.tables();
        let all: Vec<SessionId> = tables.sessions.keys().cloned().collect();
        tables.changed_sessions.extend(all);
        self.changed.notify_one();
    }

    /// Puts sessions back that could not be written.
    pub fn mark_sessions(&self, sessions: impl IntoIterator<Item = SessionId>) {
        self.tables().changed_sessions.extend(sessions);
        self.changed.notify_one();
    }

    /// Puts groups back that could not be written.
    pub fn mark_changed(&self, groups: impl IntoIterator<Item = GroupName>) {
        self.tables().changed.extend(groups);
        self.changed.notify_one();
    }
}
