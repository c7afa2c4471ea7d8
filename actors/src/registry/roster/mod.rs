//! Who is in which group on this node: the registry writes it, everybody may look. It is the one table of membership,
//! so what the mirror writes, what operators see and where events go cannot disagree.

mod changes;
mod listeners;
mod looks;
mod rows;
mod short_names;
mod watches;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use self::listeners::Listeners;
use self::short_names::ShortNames;
pub use self::watches::Watch;
use self::watches::Watches;
use crate::ids::{GroupName, NodeId, NodeKey, SessionId, SocketId, UserId};
use crate::protocol::{timestamp, unix_ms};
use crate::small_map::SmallMap;
use crate::socket::{Access, Attached};

#[derive(Debug)]
struct Entry {
    user: UserId,
    groups: SmallMap<GroupName, ()>,
    sockets: Vec<Attached>,
}

#[derive(Debug, Default)]
struct Members {
    /// The Unix milliseconds at which each came.
    since: SmallMap<SessionId, u64>,
    listeners: Listeners,
}

#[derive(Debug, Default)]
struct Tables {
    /// Boxed: half of a tree's places are empty.
    sessions: BTreeMap<SessionId, Box<Entry>>,
    groups: BTreeMap<GroupName, Members>,
    /// Sockets of all sessions.
    sockets: usize,
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
    /// Set when the node is going.
    going: AtomicBool,
    tables: Mutex<Tables>,
    changed: Notify,
    watches: Arc<Watches>,
}

impl Roster {
    /// An empty table.
    pub fn new(node: NodeId, channels: Option<NodeKey>) -> Self {
        Self {
            node: Mutex::new(node),
            channels,
            since: timestamp(),
            going: AtomicBool::new(false),
            tables: Mutex::default(),
            changed: Notify::new(),
            watches: Arc::default(),
        }
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

    /// Whether this node sends its sockets away, and takes no more.
    pub fn is_going(&self) -> bool {
        self.going.load(Ordering::Relaxed)
    }

    /// It does so from now on.
    pub(super) fn goes(&self) {
        self.going.store(true, Ordering::Relaxed);
    }

    /// Waits for answers of a group, in which one need not be.
    pub fn watch(&self, group: &GroupName) -> Watch {
        self.watches.watch(group)
    }

    /// An answer has begun in a group.
    pub(super) fn answer_begun(&self, group: &GroupName) {
        self.watches.begun(group);
    }

    /// Word of beginnings may have been missed.
    pub(crate) fn answers_may_have_begun(&self) {
        self.watches.all_may_have_begun();
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Nothing that can panic runs between two writes that belong together.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self, session: &SessionId, user: &UserId, group: &GroupName) -> bool {
        let tables = &mut *self.tables();
        if let Some(channels) = self.channels.as_ref().filter(|_| !tables.sessions.contains_key(session)) {
            tables.short.session_came(channels, session);
        }
        let entry = tables.sessions.entry(session.clone()).or_insert_with(|| {
            Box::new(Entry {
                user: user.clone(),
                groups: SmallMap::default(),
                // Most have one for life.
                sockets: Vec::with_capacity(1),
            })
        });
        if entry.groups.insert(group.clone(), ()).is_some() {
            return false;
        }
        let members = tables.groups.entry(group.clone()).or_default();
        let first = members.since.is_empty();
        members.since.insert(session.clone(), unix_ms());
        entry.sockets.iter().for_each(|socket| members.listeners.add(&socket.handle));
        if first {
            tables.short.group_came(group);
            tables.changed.insert(group.clone());
        }
        tables.changed_sessions.insert(session.clone());
        self.changed.notify_one();
        true
    }

    pub(super) fn leave(&self, session: &SessionId, group: &GroupName) -> bool {
        let tables = &mut *self.tables();
        let entry = tables.sessions.get_mut(session);
        let Some(entry) = entry.filter(|entry| entry.groups.contains_key(group)) else { return false };
        entry.groups.remove(group);
        let sockets = ids(&entry.sockets);
        tables.remove_member(group, session, &sockets);
        tables.changed_sessions.insert(session.clone());
        self.changed.notify_one();
        true
    }

    pub(super) fn attach(&self, session: &SessionId, socket: Attached) {
        let tables = &mut *self.tables();
        if let Some(entry) = tables.sessions.get_mut(session) {
            for group in entry.groups.keys() {
                if let Some(members) = tables.groups.get_mut(group) {
                    members.listeners.add(&socket.handle);
                }
            }
            entry.user = socket.access.user().clone();
            entry.sockets.push(socket);
            tables.sockets += 1;
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
        let tables = &mut *self.tables();
        if let Some(entry) = tables.sessions.get_mut(session) {
            for group in entry.groups.keys() {
                if let Some(members) = tables.groups.get_mut(group) {
                    members.listeners.remove(socket);
                }
            }
            let before = entry.sockets.len();
            entry.sockets.retain(|attached| attached.handle.id() != socket);
            tables.sockets -= before - entry.sockets.len();
            tables.changed_sessions.insert(session.clone());
            self.changed.notify_one();
        }
    }

    /// Takes a session out altogether; returns its sockets and groups.
    pub(super) fn remove(&self, session: &SessionId) -> (Vec<Attached>, Vec<GroupName>) {
        let tables = &mut *self.tables();
        let Some(entry) = tables.sessions.remove(session) else { return (Vec::new(), Vec::new()) };
        let sockets = ids(&entry.sockets);
        entry.groups.keys().for_each(|group| tables.remove_member(group, session, &sockets));
        tables.sockets -= entry.sockets.len();
        if let Some(channels) = &self.channels {
            tables.short.session_went(channels, session);
        }
        tables.changed_sessions.insert(session.clone());
        self.changed.notify_one();
        let groups = entry.groups.keys().cloned().collect();
        (entry.sockets, groups)
    }
}

impl Tables {
    fn remove_member(&mut self, group: &GroupName, session: &SessionId, sockets: &[SocketId]) {
        if let Some(members) = self.groups.get_mut(group) {
            members.since.remove(session);
            sockets.iter().for_each(|socket| members.listeners.remove(*socket));
            if members.since.is_empty() {
                self.groups.remove(group);
                self.short.group_went(group);
                self.changed.insert(group.clone());
            }
        }
    }
}

fn ids(sockets: &[Attached]) -> Vec<SocketId> {
    sockets.iter().map(|attached| attached.handle.id()).collect()
}

#[cfg(test)]
mod tests;
