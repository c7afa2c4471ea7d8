//! Names that others give: parsed at the edge and trusted inside.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::hex;

/// Why a name was refused; the text says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadName(pub &'static str);

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
    /// The `id` that a client chose for a command: 1 to 64 characters.
    CommandId
);

parsed_id!(SessionId);
parsed_id!(GroupName);
parsed_id!(CommandId);
free_id!(UserId);

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
    pub(super) fn tag(&self) -> String {
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
    fn a_home_group_names_its_session() {
        let session = SessionId::parse("s1").expect("legal");
        assert_eq!(session.home().as_str(), "chat_s1");
        assert_eq!(session.home().home_of(), Some(session));
        assert_eq!(GroupName::parse("team").expect("legal").home_of(), None);
    }
}
