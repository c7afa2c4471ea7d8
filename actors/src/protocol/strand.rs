//! The two texts of an answer, and what is kept of the one that is not its text.

use serde::{Deserialize, Serialize};

use crate::ids::AnswerId;

/// How much of what a model thinks is told and kept, in bytes. Models were seen to think for 4 to 40 KiB; a log of 1,000 events holds
/// this for each answer.
pub const REASONING_BYTES: usize = 64 * 1024;

/// Which text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strand {
    /// What the model thinks: no part of the answer.
    Reasoning,
    /// The answer.
    Text,
}

/// One of an answer's texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnswerText {
    /// Whose.
    pub answer: AnswerId,
    /// Which.
    pub strand: Strand,
}

impl AnswerText {
    /// The answer's own.
    pub fn of(answer: &AnswerId) -> Self {
        Self { answer: answer.clone(), strand: Strand::Text }
    }

    /// What the model thinks of it.
    pub fn reasoning(answer: &AnswerId) -> Self {
        Self { answer: answer.clone(), strand: Strand::Reasoning }
    }

    /// Both, in the order in which they are told.
    pub fn both(answer: &AnswerId) -> [Self; 2] {
        [Self::reasoning(answer), Self::of(answer)]
    }
}

/// What a model thought, as the end of its answer keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reasoning {
    /// The first [`REASONING_BYTES`] of it.
    pub text: String,
    /// From its first piece to its last; `None` where nobody waited for it (it came from the cache), or nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
    /// There was more of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}
