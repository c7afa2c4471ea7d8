//! Who is in which group on this node: the registry writes it, everybody may look. It is the one table of membership,
//! so what the mirror writes, what operators see and where events go cannot disagree.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::ids::{GroupName, NodeId, NodeKey, SessionId, SocketId, UserId};
use crate::protocol::{timestamp, unix_ms};
use crate::socket::{Access, Attached, SocketHandle};
use crate::store;

#[derive(Debug)]
struct Row {
    user: UserId,
    groups: BTreeSet<GroupName>,
    sockets: Vec<Attached>,
}

#[derive(Debug, Default)]
struct Tables {
    sessions: BTreeMap<SessionId, Row>,
    /// Members with the Unix milliseconds at which they came.
    groups: BTreeMap<GroupName, BTreeMap<SessionId, u64>>,
    /// Groups that this node has entered or left since the mirror looked.
    changed: BTreeSet<GroupName>,
    /// Sessions of which something has changed since then.
    changed_sessions: BTreeSet<SessionId>,
}

/// Figures for the metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Open sockets.
    pub sockets: usize,
    /// Sessions with an actor.
    pub sessions: usize,
    /// Groups with a member.
    pub groups: usize,
}

/// The table.
#[derive(Debug)]
pub struct Roster {
    node: Mutex<NodeId>,
    /// What this node's channels in Django's layer begin with.
    channels: Option<NodeKey>,
    since: String,
    tables: Mutex<Tables>,
    changed: Notify,
}

impl Roster {
    /// An empty table.
    pub fn new(node: NodeId, channels: Option<NodeKey>) -> Self {
        Self { node: Mutex::new(node), channels, since: timestamp(), tables: Mutex::default(), changed: Notify::new() }
    }

    /// What this node is called.
    pub fn node(&self) -> NodeId {
        self.node.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// This node is called otherwise from now on.
    pub fn rename(&self, name: NodeId) {
        if self.node() != name {
            *self.node.lock().unwrap_or_else(PoisonError::into_inner) = name;
            self.mark_all_sessions();
        }
    }

    /// When it began; RFC 3339.
    pub fn since(&self) -> &str {
        &self.since
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Nothing that can panic runs between two writes that belong together.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // What the registry writes.

    pub(super) fn enter(&self, session: &SessionId, user: &UserId, group: &GroupName) -> bool {
        let mut tables = self.tables();
        let row = tables.sessions.entry(session.clone()).or_insert_with(|| Row {
            user: user.clone(),
            groups: BTreeSet::new(),
            sockets: Vec::new(),
        });
        if !row.groups.insert(group.clone()) {
            return false;
        }
        let members = tables.groups.entry(group.clone()).or_default();
        let first = members.is_empty();
        members.insert(session.clone(), unix_ms());
        if first {
            tables.changed.insert(group.clone());
        }
        tables.changed_sessions.insert(session.clone());
        self.changed.notify_one();
        true
    }

    pub(super) fn leave(&self, session: &SessionId, group: &GroupName) -> bool {
        let mut tables = self.tables();
        let was_in = tables.sessions.get_mut(session).is_some_and(|row| row.groups.remove(group));
        if was_in {
            remove_member(&mut tables, group, session);
            tables.changed_sessions.insert(session.clone());
            self.changed.notify_one();
        }
        was_in
    }

    pub(super) fn attach(&self, session: &SessionId, socket: Attached) {
        let mut tables = self.tables();
        if let Some(row) = tables.sessions.get_mut(session) {
            row.user = socket.access.user().clone();
            row.sockets.push(socket);
            tables.changed_sessions.insert(session.clone());
            self.changed.notify_one();
        }
    }

    pub(super) fn refresh(&self, session: &SessionId, socket: SocketId, access: Arc<dyn Access>) {
        let mut tables = self.tables();
        let sockets = tables.sessions.get_mut(session).map_or(&mut [][..], |row| &mut row.sockets);
        if let Some(attached) = sockets.iter_mut().find(|attached| attached.handle.id() == socket) {
            attached.access = access;
        }
    }

    pub(super) fn detach(&self, session: &SessionId, socket: SocketId) {
        let mut tables = self.tables();
        if let Some(row) = tables.sessions.get_mut(session) {
            row.sockets.retain(|attached| attached.handle.id() != socket);
            tables.changed_sessions.insert(session.clone());
            self.changed.notify_one();
        }
    }

    /// Takes a session out altogether; returns its sockets and groups.
    pub(super) fn remove(&self, session: &SessionId) -> (Vec<Attached>, Vec<GroupName>) {
        let mut tables = self.tables();
        let Some(row) = tables.sessions.remove(session) else { return (Vec::new(), Vec::new()) };
        for group in &row.groups {
            remove_member(&mut tables, group, session);
        }
        tables.changed_sessions.insert(session.clone());
        self.changed.notify_one();
        (row.sockets, row.groups.into_iter().collect())
    }

    // What everybody may ask.

    /// The sockets of a session.
    pub fn sockets(&self, session: &SessionId) -> Vec<Attached> {
        self.tables().sessions.get(session).map(|row| row.sockets.clone()).unwrap_or_default()
    }

    /// The groups of a session.
    pub fn groups_of(&self, session: &SessionId) -> Vec<GroupName> {
        let tables = self.tables();
        tables.sessions.get(session).map(|row| row.groups.iter().cloned().collect()).unwrap_or_default()
    }

    /// Whether a session is in a group.
    pub fn is_member(&self, session: &SessionId, group: &GroupName) -> bool {
        self.tables().groups.get(group).is_some_and(|members| members.contains_key(session))
    }

    /// Whether the group has a member here beside this session.
    pub(super) fn has_others(&self, group: &GroupName, session: &SessionId) -> bool {
        let tables = self.tables();
        let Some(members) = tables.groups.get(group) else { return false };
        members.len() > usize::from(members.contains_key(session))
    }

    /// Whether the group has a member here.
    pub fn has_members(&self, group: &GroupName) -> bool {
        self.tables().groups.contains_key(group)
    }

    /// Open sockets in a group.
    pub fn listeners(&self, group: &GroupName) -> usize {
        let tables = self.tables();
        let Some(members) = tables.groups.get(group) else { return 0 };
        members.keys().filter_map(|session| tables.sessions.get(session)).map(|row| row.sockets.len()).sum()
    }

    /// Calls `each` for every socket in a group, but for those of `except`.
    pub fn for_each_socket(&self, group: &GroupName, except: Option<&SessionId>, mut each: impl FnMut(&SocketHandle)) {
        let tables = self.tables();
        let Some(members) = tables.groups.get(group) else { return };
        for session in members.keys().filter(|session| Some(*session) != except) {
            let sockets = tables.sessions.get(session).map_or(&[][..], |row| &row.sockets);
            sockets.iter().for_each(|attached| each(&attached.handle));
        }
    }

    /// Every socket of this node, with its session.
    pub fn all_sockets(&self) -> Vec<(SessionId, SocketHandle)> {
        let tables = self.tables();
        let rows = tables.sessions.iter();
        rows.flat_map(|(session, row)| row.sockets.iter().map(|socket| (session.clone(), socket.handle.clone())))
            .collect()
    }

    /// Every session in a group, with or without a socket, its user, and the Unix milliseconds at which it came.
    pub(super) fn everyone(&self, group: &GroupName) -> Vec<(SessionId, UserId, u64)> {
        let tables = self.tables();
        let members = tables.groups.get(group).into_iter().flatten();
        let row = |(session, since): (&SessionId, &u64)| {
            Some((session.clone(), tables.sessions.get(session)?.user.clone(), *since))
        };
        members.filter_map(row).collect()
    }

    /// Members of a group that have a socket.
    pub fn member_count(&self, group: &GroupName) -> usize {
        self.rows_in(group, 0).1
    }

    /// Whether a session has an actor here, and its user.
    pub fn user_of(&self, session: &SessionId) -> Option<UserId> {
        self.tables().sessions.get(session).map(|row| row.user.clone())
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
        matching.filter(|(_, row)| !row.sockets.is_empty()).map(|(session, _)| session.clone()).take(limit).collect()
    }

    /// Every session with an actor here, with its groups.
    pub fn memberships(&self) -> Vec<(SessionId, Vec<GroupName>)> {
        let tables = self.tables();
        let groups = |row: &Row| row.groups.iter().cloned().collect();
        tables.sessions.iter().map(|(session, row)| (session.clone(), groups(row))).collect()
    }

    /// Figures.
    pub fn count(&self) -> Count {
        let tables = self.tables();
        Count {
            sockets: tables.sessions.values().map(|row| row.sockets.len()).sum(),
            sessions: tables.sessions.len(),
            groups: tables.groups.len(),
        }
    }

    // What the mirror asks.

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
    pub fn take_changed_sessions(&self) -> Vec<(SessionId, Option<store::Row>)> {
        let mut tables = self.tables();
        let changed = std::mem::take(&mut tables.changed_sessions);
        let row = |session: SessionId| {
            let row = tables.sessions.get(&session).filter(|row| !row.sockets.is_empty());
            let row = row.map(|row| self.row(&tables, &session, row));
            (session, row)
        };
        changed.into_iter().map(row).collect()
    }

    fn row(&self, tables: &Tables, session: &SessionId, row: &Row) -> store::Row {
        let since = |group: &GroupName| tables.groups.get(group).and_then(|members| members.get(session)).copied();
        let sockets = row.sockets.iter().map(|socket| store::RowSocket {
            since_ms: socket.since_ms,
            address: socket.address,
            queued_bytes: socket.handle.queued_bytes(),
        });
        store::Row {
            node: self.node(),
            channel: self.channels.as_ref().map(|channels| channels.session_channel(session)),
            user: row.user.clone(),
            groups: row.groups.iter().map(|group| (group.clone(), since(group).unwrap_or_default())).collect(),
            sockets: sockets.collect(),
        }
    }

    /// A session's row, if it has a socket here.
    pub fn row_of(&self, session: &SessionId) -> Option<store::Row> {
        let tables = self.tables();
        let row = tables.sessions.get(session).filter(|row| !row.sockets.is_empty())?;
        Some(self.row(&tables, session, row))
    }

    /// The rows of a group's sessions that have a socket here: at most `limit`, and how many there are.
    pub fn rows_in(&self, group: &GroupName, limit: usize) -> (Vec<(SessionId, store::Row)>, usize) {
        let tables = self.tables();
        let Some(members) = tables.groups.get(group) else { return (Vec::new(), 0) };
        let live = |session: &SessionId| tables.sessions.get(session).filter(|row| !row.sockets.is_empty());
        let total = members.keys().filter(|session| live(session).is_some()).count();
        let rows =
            members.keys().filter_map(|session| Some((session.clone(), self.row(&tables, session, live(session)?))));
        (rows.take(limit).collect(), total)
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

fn remove_member(tables: &mut Tables, group: &GroupName, session: &SessionId) {
    if let Some(members) = tables.groups.get_mut(group) {
        members.remove(session);
        if members.is_empty() {
            tables.groups.remove(group);
            tables.changed.insert(group.clone());
        }
    }
}
