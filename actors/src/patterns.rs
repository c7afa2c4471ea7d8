//! Shell-style patterns of tokens: `*` is any run of characters, `?` any one, everything else itself. The whole name must match.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One pattern of a token's `groups` or `sessions`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(Box<str>);

impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl Pattern {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole name matches. Names are ASCII, so a byte is a character. Only the last `*` is ever tried anew: the time is at
    /// most the product of both lengths, whatever a token says.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut at, mut read) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while read < name.len() {
            match pattern.get(at) {
                Some(b'*') => {
                    star = Some((at, read));
                    at += 1;
                }
                Some(&byte) if byte == b'?' || byte == name[read] => {
                    at += 1;
                    read += 1;
                }
                _ => {
                    let Some((star_at, taken)) = star else { return false };
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    read = taken + 1;
                }
            }
        }
        pattern[at..].iter().all(|&byte| byte == b'*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::from(pattern).matches(name)
    }

    #[test]
    fn a_pattern_matches_whole_names() {
        for (pattern, name) in [
            ("team-*", "team-7"),
            ("team-*", "team-"),
            ("*", "anything"),
            ("*", ""),
            ("t?am", "team"),
            ("a*b*c", "aXbbYc"),
            ("*.*", "a.b"),
            ("team-7", "team-7"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("team-*", "my-team-7"),
            ("team", "team-7"),
            ("team-7", "team"),
            ("t?am", "tam"),
            ("a*b*c", "aXbY"),
            ("", "a"),
            ("a.b", "aXb"),
            ("[a-z]", "a"),
            ("Team", "team"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn a_nasty_pattern_costs_no_more_than_its_length() {
        let pattern = "*a".repeat(2000) + "b";
        assert!(!matches(&pattern, &"a".repeat(99)));
    }
}
