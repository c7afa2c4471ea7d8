//! The rows of this node's sessions, as they are written to the store and shown.

use super::{Entry, Roster, Tables};
use crate::ids::{GroupName, SessionId};
use crate::store::{Row, RowSocket};

impl Roster {
    pub(super) fn row(&self, tables: &Tables, session: &SessionId, entry: &Entry) -> Row {
        let since =
            |group: &GroupName| tables.groups.get(group).and_then(|members| members.since.get(session)).copied();
        let sockets = entry.sockets.iter().map(|socket| RowSocket {
            since_ms: socket.since_ms,
            address: socket.address,
            queued_bytes: socket.handle.queued_bytes(),
        });
        Row {
            node: self.node(),
            channel: self.channels.as_ref().map(|channels| channels.session_channel(session)),
            user: entry.user.clone(),
            groups: entry.groups.keys().map(|group| (group.clone(), since(group).unwrap_or_default())).collect(),
            sockets: sockets.collect(),
        }
    }

    /// A session's row, if it has a socket here.
    pub fn row_of(&self, session: &SessionId) -> Option<Row> {
        let tables = self.tables();
        let entry = tables.sessions.get(session).filter(|entry| !entry.sockets.is_empty())?;
        Some(self.row(&tables, session, entry))
    }

    /// The rows of a group's sessions that have a socket here: at most `limit`, and how many there are.
    pub fn rows_in(&self, group: &GroupName, limit: usize) -> (Vec<(SessionId, Row)>, usize) {
        let tables = self.tables();
        let Some(members) = tables.groups.get(group) else { return (Vec::new(), 0) };
        let live = |session: &SessionId| tables.sessions.get(session).filter(|entry| !entry.sockets.is_empty());
        let total = members.since.keys().filter(|session| live(session).is_some()).count();
        let rows = members
            .since
            .keys()
            .filter_map(|session| Some((session.clone(), self.row(&tables, session, live(session)?))));
        (rows.take(limit).collect(), total)
    }
}
