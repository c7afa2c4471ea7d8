//! What a session may join. The newest good token (or answer of the application) that any of its sockets showed says so
//! for all of them, so these rights lie in the session's record and are asked there, wherever its sockets are.

use serde::{Deserialize, Serialize};

use crate::ids::{GroupName, SessionId};
use crate::patterns::Pattern;

/// What a pattern begins with that is meant for home groups.
const HOMES: &str = "chat_";

/// The groups that may be joined beside one's own home group, by patterns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rights(Vec<Pattern>);

impl Rights {
    /// Rights by patterns; without any, nothing but the home group.
    pub fn to(patterns: &[String]) -> Self {
        Self(patterns.iter().map(|text| Pattern::from(text.as_str())).collect())
    }

    /// Whether a session with these rights may be in a group. Other sessions' home groups are opened by patterns that name
    /// them (`chat_…`), never by a `*` that was meant for the groups of a site.
    pub fn allow(&self, group: &GroupName, own: &SessionId) -> bool {
        let is_home = match group.home_of() {
            Some(session) if session == *own => return true,
            home => home.is_some(),
        };
        let meant = |pattern: &&Pattern| !is_home || pattern.as_str().starts_with(HOMES);
        self.0.iter().filter(meant).any(|pattern| pattern.matches(group.as_str()))
    }

    /// Whether nothing but a pattern that is not meant for home groups matches this one.
    pub fn match_unmeant(&self, group: &GroupName) -> bool {
        group.home_of().is_some() && self.0.iter().any(|pattern| pattern.matches(group.as_str()))
    }
}

/// By what rights are older or newer than others. In Unix seconds, as tokens count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issued {
    /// By the time at which a token was issued (`iat`). Of two from one second the later to arrive counts.
    At(u64),
    /// By their arrival: newer than everything that is known. Holds this node's time, which serves only when they are
    /// told again.
    Now(u64),
    /// Known since then and told again, by a cache or after a loss: they take the place of nothing that is as new.
    Again(u64),
}

impl Issued {
    /// Since when rights count that are shown at the time `now`, beside some of the time `known`; `None` if those are
    /// newer. A clock that was set back, or an issuer's that is ahead, makes nothing newer than now.
    pub fn beside(self, known: Option<u64>, now: u64) -> Option<u64> {
        let known = known.map(|at| at.min(now));
        match self {
            Self::Now(_) => Some(now),
            Self::At(at) => Some(at.min(now)).filter(|at| known.is_none_or(|known| *at >= known)),
            Self::Again(at) => Some(at.min(now)).filter(|at| known.is_none_or(|known| *at > known)),
        }
    }

    fn again(self) -> Self {
        let (Self::At(at) | Self::Now(at) | Self::Again(at)) = self;
        Self::Again(at)
    }
}

/// What a socket's client has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// What it may join by that.
    pub rights: Rights,
    /// How new it is.
    pub issued: Issued,
    /// When it is no longer good, in Unix seconds; `None` without an end.
    pub until: Option<u64>,
}

impl Shown {
    /// The same, told once more.
    pub fn again(&self) -> Self {
        Self { issued: self.issued.again(), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str) -> GroupName {
        GroupName::parse(name).expect("legal")
    }

    fn rights(patterns: &[&str]) -> Rights {
        Rights::to(&patterns.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn home_groups_are_opened_by_name_alone() {
        let own = SessionId::parse("s1").expect("legal");
        for open in ["*", "c*", "?hat_*", "chat*", "*_s2"] {
            assert!(!rights(&[open]).allow(&group("chat_s2"), &own), "{open}");
            assert!(rights(&[open]).match_unmeant(&group("chat_s2")), "{open}");
        }
        for named in ["chat_*", "chat_s2", "chat_s?"] {
            assert!(rights(&["x", named]).allow(&group("chat_s2"), &own), "{named}");
        }
        assert!(rights(&["*"]).allow(&group("team"), &own));
        assert!(rights(&["*"]).allow(&group("chat_no.session"), &own), "no session has such a name");
        assert!(rights(&[]).allow(&own.home(), &own));
        assert!(!rights(&[]).allow(&group("team"), &own));
    }

    #[test]
    fn the_newest_count_and_of_equal_ones_the_later() {
        assert_eq!(Issued::At(5).beside(None, 10), Some(5));
        assert_eq!(Issued::At(5).beside(Some(5), 10), Some(5));
        assert_eq!(Issued::At(4).beside(Some(5), 10), None);
        assert_eq!(Issued::Now(3).beside(Some(10), 10), Some(10));
        assert_eq!(Issued::Again(5).beside(Some(5), 10), None);
        assert_eq!(Issued::Again(6).beside(Some(5), 10), Some(6));
        // An issuer's clock that is ahead, and ours set back.
        assert_eq!(Issued::At(99).beside(None, 10), Some(10));
        assert_eq!(Issued::Now(3).beside(Some(99), 10), Some(10));
        assert_eq!(Issued::At(10).beside(Some(99), 10), Some(10));
    }
}
