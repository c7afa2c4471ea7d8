//! Who is meant by a name of Django's channel layer: groups and sessions of this node whose own names are too long for it are
//! called by a digest there.

use std::collections::HashMap;

use super::Roster;
use crate::ids::{GroupName, NodeKey, SESSION_CHANNEL, SessionId, local_name};

/// The digests of those that are here.
#[derive(Debug, Default)]
pub(super) struct ShortNames {
    groups: HashMap<String, GroupName>,
    sessions: HashMap<String, SessionId>,
}

/// What stands for a session in its channel's name, if it is not its own name.
fn short_of(channels: &NodeKey, session: &SessionId) -> Option<String> {
    let channel = channels.session_channel(session);
    let name = channel.strip_prefix(channels.as_str())?.strip_prefix(SESSION_CHANNEL)?;
    (name != session.as_str()).then(|| name.to_owned())
}

impl ShortNames {
    pub(super) fn group_came(&mut self, group: &GroupName) {
        let name = local_name(group);
        if name != group.as_str() {
            self.groups.insert(name, group.clone());
        }
    }

    pub(super) fn group_went(&mut self, group: &GroupName) {
        self.groups.remove(&local_name(group));
    }

    pub(super) fn session_came(&mut self, channels: &NodeKey, session: &SessionId) {
        if let Some(name) = short_of(channels, session) {
            self.sessions.insert(name, session.clone());
        }
    }

    pub(super) fn session_went(&mut self, channels: &NodeKey, session: &SessionId) {
        if let Some(name) = short_of(channels, session) {
            self.sessions.remove(&name);
        }
    }
}

impl Roster {
    /// The group with a member here that a channel of this node stands for, by the part of its name behind the node's key.
    pub fn group_called(&self, local: &str) -> Option<GroupName> {
        let tables = self.tables();
        let named = GroupName::parse(local).ok().filter(|group| local_name(group) == local);
        let here = named.filter(|group| tables.groups.contains_key(group));
        here.or_else(|| tables.short.groups.get(local).cloned())
    }

    /// The session here that such a channel stands for, by its own name or a digest of it.
    pub fn session_called(&self, name: &str) -> Option<SessionId> {
        let tables = self.tables();
        let named = SessionId::parse(name).ok().filter(|session| tables.sessions.contains_key(session));
        named.or_else(|| {
            let session = tables.short.sessions.get(name)?;
            tables.sessions.get(session).filter(|entry| !entry.sockets.is_empty()).map(|_| session.clone())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{NodeId, UserId};

    #[test]
    fn a_group_is_found_by_what_the_layer_calls_it_as_long_as_it_is_here() {
        let channels = NodeKey::random();
        let roster = Roster::new(NodeId::from("n"), Some(channels.clone()));
        let session = SessionId::parse("s").expect("legal");
        let user = UserId::guest(&session);
        for name in ["g".to_owned(), "g".repeat(99)] {
            let group = GroupName::parse(&name).expect("legal");
            let member = channels.member(&group);
            let local = member.strip_prefix(channels.as_str()).expect("behind the node's key");
            assert_eq!(roster.group_called(local), None);
            roster.enter(&session, &user, &group);
            assert_eq!(roster.group_called(local), Some(group.clone()));
            if local != name {
                assert_eq!(roster.group_called(&name), None, "the layer does not call it so");
            }
            roster.leave(&session, &group);
            assert_eq!(roster.group_called(local), None);
        }
        assert_eq!(roster.session_called("s"), Some(session.clone()));
        roster.remove(&session);
        assert_eq!(roster.session_called("s"), None);
    }
}
