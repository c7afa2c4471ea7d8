//! How a generation ended.

use serde::{Deserialize, Serialize};

use crate::backend::BackendError;
use crate::dialects::AnswerEnd;
use crate::protocol::{ErrorCode, Usage};

/// How a generation ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum End {
    /// Complete, with proof.
    Complete {
        /// The backend's word.
        finish_reason: String,
        /// Tokens, if the backend counted them.
        usage: Option<Usage>,
    },
    /// Not complete.
    Failed(BackendError),
}

impl End {
    /// The same for people, who see no finish reason: that the backend broke an answer off is an error.
    pub fn for_people(self) -> Self {
        match self {
            Self::Complete { finish_reason, .. } if finish_reason == "error" => Self::Failed(BackendError::new(
                ErrorCode::AiUnavailable,
                "the AI service had trouble in the middle of the answer; try again",
                "finish_reason=error",
            )),
            end => end,
        }
    }
}

impl From<&End> for AnswerEnd {
    fn from(end: &End) -> Self {
        match end {
            End::Complete { finish_reason, usage } => {
                Self::Complete { finish_reason: finish_reason.clone(), usage: *usage }
            }
            End::Failed(error) => Self::Failed { code: error.code, reason: error.reason.clone() },
        }
    }
}
