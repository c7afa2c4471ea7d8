//! Names and identities, as newtypes that are parsed at the edge and trusted inside.

mod digest;
mod node_key;

use std::fmt;
use std::sync::Arc;

use rand::RngExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use digest::{digest, hex};
pub use node_key::{NAME_LIMIT, NodeKey, SESSION_CHANNEL, local_name};

/// Why a name was refused; the text says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadName(pub &'static str);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

macro_rules! parsed_id {
    ($name:ident) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                $name::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

macro_rules! free_id {
    ($name:ident) => {
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Ok(Self(String::deserialize(from)?.into()))
            }
        }
    };
}

macro_rules! given_id {
    ($name:ident) => {
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                match text.len() <= LONGEST_ID {
                    true => Ok(Self(text.into())),
                    false => Err(serde::de::Error::custom("an id of this service is shorter")),
                }
            }
        }
    };
}

text_id!(
    /// One conversation: 1 to 64 of `A-Z a-z 0-9 _ -`.
    SessionId
);
text_id!(
    /// A group that sessions join: 1 to 99 of `A-Z a-z 0-9 _ - .` (the channel layer's own rule).
    GroupName
);
text_id!(
    /// Who speaks: a token's `sub`, or `guest:{session}`. 1 to 256 characters, none of control.
    UserId
);
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
text_id!(
    /// The `id` that a client chose for a command: 1 to 64 characters.
    CommandId
);

parsed_id!(SessionId);
parsed_id!(GroupName);
parsed_id!(CommandId);
free_id!(UserId);
free_id!(NodeId);
given_id!(MessageId);
given_id!(AnswerId);
given_id!(Epoch);

/// Bytes of the longest id of this service: clients send them back, and they become part of keys.
const LONGEST_ID: usize = 128;

/// Characters of the longest user.
const LONGEST_USER: usize = 256;

/// What home groups begin with.
const HOME_PREFIX: &str = "chat_";

impl SessionId {
    /// Checks a session's name.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let legal =
            (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if legal { Ok(Self(text.into())) } else { Err(BadName("a session name is 1 to 64 of A-Z a-z 0-9 _ -")) }
    }

    /// The group that this session is always a member of.
    pub fn home(&self) -> GroupName {
        GroupName(format!("{HOME_PREFIX}{}", self.0).into())
    }
}

impl GroupName {
    /// Checks a group's name.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let legal = (1..=99).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        if legal { Ok(Self(text.into())) } else { Err(BadName("a group name is 1 to 99 of A-Z a-z 0-9 _ - .")) }
    }

    /// The session whose home group this is, if it is one.
    pub fn home_of(&self) -> Option<SessionId> {
        self.0.strip_prefix(HOME_PREFIX).and_then(|session| SessionId::parse(session).ok())
    }

    /// Six characters that stand for the group in the ids of its messages.
    fn tag(&self) -> String {
        hex(&Sha256::digest(self.0.as_bytes())[..3])
    }
}

impl UserId {
    /// Checks the name of a user: it becomes part of keys and of log lines.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let is_short = !text.trim().is_empty() && text.chars().count() <= LONGEST_USER;
        let legal = is_short && !text.chars().any(char::is_control);
        if legal { Ok(Self(text.into())) } else { Err(BadName("a user is 1 to 256 characters, none of control")) }
    }

    /// The user of a session when nobody has to say who they are.
    pub fn guest(session: &SessionId) -> Self {
        Self(format!("guest:{session}").into())
    }
}

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

impl AnswerId {
    /// A fresh answer id.
    pub fn random() -> Self {
        Self(format!("a{}", random_text(16)).into())
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

impl CommandId {
    /// Checks a client's command id.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        if (1..=64).contains(&text.chars().count()) {
            Ok(Self(text.into()))
        } else {
            Err(BadName("`id` is a string of 1 to 64 characters"))
        }
    }
}

/// `length` random characters of `a-z 0-9`.
pub fn random_text(length: usize) -> String {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut rng = rand::rng();
    (0..length).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect()
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

/// A text cut to at most so many bytes, between two characters.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    end.map_or("", |end| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_at_their_bounds() {
        assert!(SessionId::parse(&"s".repeat(64)).is_ok());
        assert!(SessionId::parse(&"s".repeat(65)).is_err());
        assert!(SessionId::parse("").is_err());
        assert!(SessionId::parse("a.b").is_err());
        assert!(SessionId::parse("é").is_err());
        assert!(GroupName::parse(&"g".repeat(99)).is_ok());
        assert!(GroupName::parse(&"g".repeat(100)).is_err());
        assert!(GroupName::parse("team.7_a-b").is_ok());
        assert!(GroupName::parse("chat:42").is_err());
        assert!(GroupName::parse("abc\n").is_err());
        assert!(UserId::parse(&"é".repeat(256)).is_ok());
        for bad in ["é".repeat(257).as_str(), "", "  ", "a\nb", "a\u{85}"] {
            assert!(UserId::parse(bad).is_err(), "{bad}");
        }
        assert!(CommandId::parse(&"é".repeat(64)).is_ok());
        assert!(CommandId::parse(&"é".repeat(65)).is_err());
    }

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
        for made_up in ["", "m", "é", "m-", "m-x", "m1-2-3"] {
            assert_eq!(MessageId::from(made_up).seq(), None, "{made_up}");
        }
    }

    #[test]
    fn a_home_group_names_its_session() {
        let session = SessionId::parse("s1").expect("legal");
        assert_eq!(session.home().as_str(), "chat_s1");
        assert_eq!(session.home().home_of(), Some(session));
        assert_eq!(GroupName::parse("team").expect("legal").home_of(), None);
    }
}
