//! What this node is writing, as far as it is saved.

use crate::store::AnswerRecord;

/// One answer.
#[derive(Clone)]
pub(super) struct Own {
    /// Without its text.
    pub(super) record: AnswerRecord,
    /// Bytes of its text that are saved, and Unicode scalar values of them.
    pub(super) saved: usize,
    pub(super) chars: usize,
    /// The same of what the model thought.
    pub(super) thought: (usize, usize),
    /// The store, and so the other nodes, know of its start.
    pub(super) started: bool,
}

impl Own {
    pub(super) fn new(record: &AnswerRecord) -> Self {
        let (saved, chars) = (record.text.len(), record.text.chars().count());
        Self {
            record: AnswerRecord { text: String::new(), ..record.clone() },
            saved,
            chars,
            thought: (0, 0),
            started: false,
        }
    }
}
