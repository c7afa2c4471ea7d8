//! Ids that this service gives. Some come back from clients.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{GroupName, random_text};

text_id!(
    /// One broker process, drawn at start or set by `server.node`.
    NodeId
);

text_id!(
    /// A message in a group's log. Begins with a digest of its group, so that a session can tell which of its groups to look in.
    MessageId
);

text_id!(
    /// One answer of one group.
    AnswerId
);

text_id!(
    /// Names one life of a group's log; a new one means that the log was lost and `seq` begins anew.
    Epoch
);

free_id!(NodeId);
given_id!(MessageId);
given_id!(AnswerId);
given_id!(Epoch);

/// Bytes of the longest id of this service: clients send them back, and they become part of keys.
const LONGEST_ID: usize = 128;

impl NodeId {
    /// A fresh node name.
    pub fn random() -> Self {
        Self(format!("n{}", random_text(8)).into())
    }
}

impl MessageId {
    /// A fresh id for a message of `group`.
    pub fn random(group: &GroupName) -> Self {
        Self(format!("m{}{}", group.tag(), random_text(14)).into())
    }

    /// The id once its place in the log is known: it tells it, so that the message is found without a search.
    pub fn at(&self, seq: u64) -> Self {
        Self(format!("{}-{seq}", self.0).into())
    }

    /// The place in the log that the id tells.
    pub fn seq(&self) -> Option<u64> {
        self.0.split_once('-').and_then(|(_, seq)| seq.parse().ok())
    }

    /// Whether this id can have been given by `group`'s log.
    pub fn may_belong_to(&self, group: &GroupName) -> bool {
        self.0.strip_prefix('m').is_some_and(|rest| rest.starts_with(&group.tag()))
    }
}

/// Bytes of an answer's id, at most: three times as many as any has.
const LONGEST: usize = 64;

impl AnswerId {
    /// A fresh answer id.
    pub fn random() -> Self {
        Self(format!("a{}", random_text(16)).into())
    }

    /// Whether this id can have been given to an answer: who names one may name anything, and keys of the store are made of it.
    pub fn can_be(&self) -> bool {
        self.0.len() <= LONGEST && self.0.starts_with('a') && self.0.bytes().all(|byte| byte.is_ascii_alphanumeric())
    }

    /// Whether this id can be that of the answer that a message of `group` was owed.
    pub fn may_belong_to(&self, group: &GroupName) -> bool {
        self.0.strip_prefix('a').is_some_and(|rest| rest.starts_with(&group.tag()))
    }

    /// The id of the answer that a message is owed: whoever finds the debt knows it from the message. `scripts/log.lua` says the
    /// same.
    pub fn owed_to(message: &MessageId) -> Self {
        let id = message.0.split('-').next().unwrap_or_default();
        Self(format!("a{}", id.get(1..).unwrap_or_default()).into())
    }
}

impl Epoch {
    /// A fresh epoch.
    pub fn random() -> Self {
        Self(random_text(8).into())
    }
}

/// One socket of this process; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(u64);

impl SocketId {
    /// The next unused socket id of this process.
    pub fn next() -> Self {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_tells_its_group() {
        let group = GroupName::parse("team-7").expect("legal");
        let other = GroupName::parse("team-8").expect("legal");
        let id = MessageId::random(&group);
        assert!(id.may_belong_to(&group));
        assert!(!id.may_belong_to(&other));
    }

    #[test]
    fn a_message_id_tells_its_place_once_it_has_one() {
        let id = MessageId::random(&GroupName::parse("team-7").expect("legal"));
        assert_eq!(id.seq(), None);
        assert_eq!(id.at(42).seq(), Some(42));
        assert_eq!(AnswerId::owed_to(&id), AnswerId::owed_to(&id.at(42)));
        assert_eq!(AnswerId::owed_to(&MessageId::from("m1a-7")), AnswerId::from("a1a"));
        assert!(AnswerId::random().can_be() && AnswerId::owed_to(&id).can_be());
        for made_up in ["", "b1", "a1:windows", "a 1", "a\u{1e}", "aé", &"a".repeat(65)] {
            assert!(!AnswerId::from(made_up).can_be(), "{made_up}");
        }
        for made_up in ["", "m", "é", "m-", "m-x", "m1-2-3"] {
            assert_eq!(MessageId::from(made_up).seq(), None, "{made_up}");
        }
    }
}
