//! People beside the assistant: whether somebody asked for one, and what came of it.

use serde::{Deserialize, Serialize};

/// What came of it that somebody asked for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonState {
    /// The group waits for one.
    Asked,
    /// One has taken over.
    Taken,
    /// It waits no more, and nobody has taken over.
    Dismissed,
}

impl PersonState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Asked, Self::Taken, Self::Dismissed];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Taken => "taken",
            Self::Dismissed => "dismissed",
        }
    }

    /// Reads the word on the wire.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}
