//! What waits for a socket: frames, and pieces of answers that may still be merged.

use std::sync::Arc;

use bytestring::ByteString;

use crate::ids::GroupName;
use crate::protocol::{AnswerText, Event, Strand};

/// A piece of an answer on its way to sockets, encoded once for all of them.
#[derive(Debug)]
pub struct Delta {
    /// The group.
    pub group: GroupName,
    /// The text that it is a piece of.
    pub of: AnswerText,
    /// Unicode scalar values before it.
    pub offset: usize,
    /// The text.
    pub text: String,
    pub(super) frame: ByteString,
}

impl Delta {
    /// Encodes the piece.
    pub fn new(group: GroupName, of: AnswerText, offset: usize, text: String) -> Self {
        let (group_name, answer, piece) = (&group, &of.answer, text.as_str());
        let event = match of.strand {
            Strand::Reasoning => Event::AnswerReasoning { group: group_name, answer, offset, text: piece },
            Strand::Text => Event::AnswerDelta { group: group_name, answer, offset, text: piece },
        };
        let frame = event.encode();
        Self { group, of, offset, text, frame }
    }
}

pub(super) enum Waiting {
    Text(ByteString),
    Delta(Arc<Delta>),
    /// Boxed, since it is much larger than the others, and rare.
    Merged(Box<Delta>),
}

impl Waiting {
    /// The text that it is a piece of.
    pub(super) fn of(&self) -> Option<&AnswerText> {
        match self {
            Self::Text(_) => None,
            Self::Delta(delta) => Some(&delta.of),
            Self::Merged(delta) => Some(&delta.of),
        }
    }

    pub(super) fn into_frame(self) -> ByteString {
        match self {
            Self::Text(frame) => frame,
            Self::Delta(delta) => delta.frame.clone(),
            Self::Merged(delta) => {
                let Delta { group, of, offset, text, .. } = *delta;
                Delta::new(group, of, offset, text).frame
            }
        }
    }
}
