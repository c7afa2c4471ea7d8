//! Who is in which group on this node: the registry writes it, everybody may look. It is the one table of membership,
//! so what the mirror writes, what operators see and where events go cannot disagree.

mod changes;
mod looks;
mod rows;
mod short_names;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use self::short_names::ShortNames;
use crate::ids::{GroupName, NodeId, NodeKey, SessionId, SocketId, UserId};
use crate::protocol::{timestamp, unix_ms};
use crate::socket::{Access, Attached};

#[derive(Debug)]
struct Entry {
    user: UserId,
    groups: BTreeSet<GroupName>,
    sockets: Vec<Attached>,
}

#[derive(Debug, Default)]
struct Tables {
    sessions: BTreeMap<SessionId, Entry>,
    /// Members with the Unix milliseconds at which they came.
    groups: BTreeMap<GroupName, BTreeMap<SessionId, u64>>,
    /// What stands for them in Django's layer where that is not their name.
    short: ShortNames,
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

    pub(super) fn enter(&self, session: &SessionId, user: &UserId, group: &GroupName) -> bool {
        let mut tables = self.tables();
        if let Some(channels) = self.channels.as_ref().filter(|_| !tables.sessions.contains_key(session)) {
            tables.short.session_came(channels, session);
        }
        let entry = tables.sessions.entry(session.clone()).or_insert_with(|| Entry {
            user: user.clone(),
            groups: BTreeSet::new(),
            sockets: Vec::new(),
        });
        if !entry.groups.insert(group.clone()) {
            return false;
        }
        let members = tables.groups.entry(group.clone()).or_default();
        let first = members.is_empty();
        members.insert(session.clone(), unix_ms());
        if first {
            tables.short.group_came(group);
            tables.changed.insert(group.clone());
        }
        tables.changed_sessions.insert(session.clone());
        self.changed.notify_one();
        true
    }

    pub(super) fn leave(&self, session: &SessionId, group: &GroupName) -> bool {
        let mut tables = self.tables();
        let was_in = tables.sessions.get_mut(session).is_some_and(|entry| entry.groups.remove(group));
        if was_in {
            remove_member(&mut tables, group, session);
            tables.changed_sessions.insert(session.clone());
            self.changed.notify_one();
        }
        was_in
    }

    pub(super) fn attach(&self, session: &SessionId, socket: Attached) {
        let mut tables = self.tables();
        if let Some(entry) = tables.sessions.get_mut(session) {
            entry.user = socket.access.user().clone();
            entry.sockets.push(socket);
            tables.changed_sessions.insert(session.clone());
            self.changed.notify_one();
        }
    }

    pub(super) fn refresh(&self, session: &SessionId, socket: SocketId, access: Arc<dyn Access>) {
        let mut tables = self.tables();
        let sockets = tables.sessions.get_mut(session).map_or(&mut [][..], |entry| &mut entry.sockets);
        if let Some(attached) = sockets.iter_mut().find(|attached| attached.handle.id() == socket) {
            attached.access = access;
        }
    }

    pub(super) fn detach(&self, session: &SessionId, socket: SocketId) {
        let mut tables = self.tables();
        if let Some(entry) = tables.sessions.get_mut(session) {
            entry.sockets.retain(|attached| attached.handle.id() != socket);
            tables.changed_sessions.insert(session.clone());
            self.changed.notify_one();
        }
    }

    /// Takes a session out altogether; returns its sockets and groups.
    pub(super) fn remove(&self, session: &SessionId) -> (Vec<Attached>, Vec<GroupName>) {
        let mut tables = self.tables();
        let Some(entry) = tables.sessions.remove(session) else { return (Vec::new(), Vec::new()) };
        for group in &entry.groups {
            remove_member(&mut tables, group, session);
        }
        if let Some(channels) = &self.channels {
            tables.short.session_went(channels, session);
        }
        tables.changed_sessions.insert(session.clone());
        self.changed.notify_one();
        (entry.sockets, entry.groups.into_iter().collect())
    }
}

fn remove_member(tables: &mut Tables, group: &GroupName, session: &SessionId) {
    if let Some(members) = tables.groups.get_mut(group) {
        members.remove(session);
        if members.is_empty() {
            tables.groups.remove(group);
            tables.short.group_went(group);
            tables.changed.insert(group.clone());
        }
    }
}
