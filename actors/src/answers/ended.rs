//! A group answer's end is told to the answers, also when its task fails.

use super::AnswersHandle;
use crate::ids::AnswerId;
use crate::spans::Begun;

/// Tells it when it is dropped.
pub(super) struct EndedOnDrop {
    answers: AnswersHandle,
    answer: Option<AnswerId>,
    #[allow(dead_code, reason = "held for its drop")]
    span: Begun,
}

impl EndedOnDrop {
    /// Of this answer, which `span` tells of.
    pub(super) fn new(answers: AnswersHandle, answer: AnswerId, span: Begun) -> Self {
        Self { answers, answer: Some(answer), span }
    }
}

impl Drop for EndedOnDrop {
    fn drop(&mut self) {
        if let Some(answer) = self.answer.take() {
            self.answers.ended(answer);
        }
    }
}
