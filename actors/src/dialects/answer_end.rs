//! How an answer ended, as far as its readers may know.

use serde::{Deserialize, Serialize};

use crate::openai::Finish;
use crate::protocol::{ErrorCode, Usage};

/// How an answer ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerEnd {
    /// Complete.
    Complete {
        /// The backend's word.
        finish_reason: String,
        /// Tokens, if they are known.
        usage: Option<Usage>,
    },
    /// Not complete.
    Failed {
        /// Why. [`ErrorCode::Interrupted`]: the node that wrote it is gone.
        code: ErrorCode,
        /// The same for clients, and nothing else.
        reason: String,
    },
    /// Somebody stopped it.
    Cancelled,
    /// Its asker's next message ended it: it is what was written until then.
    Steered,
}

/// The same as a dialect tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// It is what the model wrote until it stopped, for this reason.
    Finished(Finish),
    /// It broke off.
    Failed {
        /// Why.
        code: ErrorCode,
        /// The same for clients.
        reason: &'a str,
    },
    /// Somebody stopped it.
    Cancelled,
    /// Its asker's next message ended it.
    Steered,
}

impl AnswerEnd {
    /// Its tokens, if they are known.
    pub fn usage(&self) -> Option<Usage> {
        match self {
            Self::Complete { usage, .. } => *usage,
            _ => None,
        }
    }

    /// How readers are told of it. An answer of which a choice bore an error (`is_flawed`), or ended with one, did not finish, whatever
    /// else was said.
    pub fn outcome(&self, is_flawed: bool) -> Outcome<'_> {
        match self {
            Self::Complete { finish_reason, .. } => match Finish::read(finish_reason) {
                finish if finish != Finish::Error && !is_flawed => Outcome::Finished(finish),
                _ => Outcome::Failed {
                    code: ErrorCode::AiUnavailable,
                    reason: "the AI service had trouble in the middle of the answer; try again",
                },
            },
            Self::Failed { code, reason } => Outcome::Failed { code: *code, reason },
            Self::Cancelled => Outcome::Cancelled,
            Self::Steered => Outcome::Steered,
        }
    }
}
