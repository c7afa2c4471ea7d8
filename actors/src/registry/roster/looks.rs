//! What everybody may ask of the roster.

use std::ops::Bound;

use super::{Count, Entry, Roster};
use crate::ids::{GroupName, SessionId, UserId};
use crate::socket::{Attached, Burst, SocketHandle};

impl Roster {
    /// The sockets of a session.
    pub fn sockets(&self, session: &SessionId) -> Vec<Attached> {
        self.tables().sessions.get(session).map(|entry| entry.sockets.clone()).unwrap_or_default()
    }

    /// The groups of a session.
    pub fn groups_of(&self, session: &SessionId) -> Vec<GroupName> {
        let tables = self.tables();
        tables.sessions.get(session).map(|entry| entry.groups.keys().cloned().collect()).unwrap_or_default()
    }

    /// Whether a session is in a group.
    pub fn is_member(&self, session: &SessionId, group: &GroupName) -> bool {
        self.tables().groups.get(group).is_some_and(|members| members.since.contains_key(session))
    }

    /// Whether the group has a member here beside this session.
    pub(in crate::registry) fn has_others(&self, group: &GroupName, session: &SessionId) -> bool {
        let tables = self.tables();
        let Some(members) = tables.groups.get(group) else { return false };
        members.since.len() > usize::from(members.since.contains_key(session))
    }

    /// Whether the group has a member here.
    pub fn has_members(&self, group: &GroupName) -> bool {
        self.tables().groups.contains_key(group)
    }

    /// Open sockets in a group.
    pub fn listeners(&self, group: &GroupName) -> usize {
        self.tables().groups.get(group).map_or(0, |members| members.listeners.count())
    }

    /// Calls `each` for every socket in a group, but for those of `except`. The threads that carry them are woken at the end, once.
    pub fn for_each_socket(&self, group: &GroupName, except: Option<&SessionId>, mut each: impl FnMut(&SocketHandle)) {
        let _burst = Burst::begin();
        let tables = self.tables();
        let Some(members) = tables.groups.get(group) else { return };
        let own = except.and_then(|session| tables.sessions.get(session)).map_or(&[][..], |entry| &entry.sockets);
        let is_own = |id| own.iter().any(|attached| attached.handle.id() == id);
        members.listeners.iter().filter(|(id, _)| !is_own(*id)).for_each(|(_, socket)| each(socket));
    }

    /// Every socket of this node, with its session.
    pub fn all_sockets(&self) -> Vec<(SessionId, SocketHandle)> {
        let tables = self.tables();
        let rows = tables.sessions.iter();
        rows.flat_map(|(session, entry)| entry.sockets.iter().map(|socket| (session.clone(), socket.handle.clone())))
            .collect()
    }

    /// Every session in a group, with or without a socket, its user, and the Unix milliseconds at which it came.
    pub(in crate::registry) fn everyone(&self, group: &GroupName) -> Vec<(SessionId, UserId, u64)> {
        let tables = self.tables();
        let members = tables.groups.get(group).into_iter().flat_map(|members| members.since.iter());
        let entry = |(session, since): (&SessionId, &u64)| {
            Some((session.clone(), tables.sessions.get(session)?.user.clone(), *since))
        };
        members.filter_map(entry).collect()
    }

    /// Members of a group that have a socket.
    pub fn member_count(&self, group: &GroupName) -> usize {
        self.rows_in(group, 0).1
    }

    /// Whether a session has an actor here, and its user.
    pub fn user_of(&self, session: &SessionId) -> Option<UserId> {
        self.tables().sessions.get(session).map(|entry| entry.user.clone())
    }

    /// At most `limit` sessions with a socket here, after `cursor`, whose names begin with `prefix`, by name.
    pub fn live_sessions(&self, prefix: &str, cursor: Option<&str>, limit: usize) -> Vec<SessionId> {
        let from = match cursor.filter(|cursor| *cursor >= prefix) {
            Some(cursor) => Bound::Excluded(cursor),
            None => Bound::Included(prefix),
        };
        let tables = self.tables();
        let range = tables.sessions.range::<str, _>((from, Bound::Unbounded));
        let matching = range.take_while(|(session, _)| session.as_str().starts_with(prefix));
        matching
            .filter(|(_, entry)| !entry.sockets.is_empty())
            .map(|(session, _)| session.clone())
            .take(limit)
            .collect()
    }

    /// Every session with an actor here, with its groups.
    pub fn memberships(&self) -> Vec<(SessionId, Vec<GroupName>)> {
        let tables = self.tables();
        let groups = |entry: &Entry| entry.groups.keys().cloned().collect();
        tables.sessions.iter().map(|(session, entry)| (session.clone(), groups(entry))).collect()
    }

    /// Figures.
    pub fn count(&self) -> Count {
        let tables = self.tables();
        Count { sockets: tables.sockets, sessions: tables.sessions.len(), groups: tables.groups.len() }
    }
}
