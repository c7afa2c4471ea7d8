//! What waits for a socket: frames, and pieces of answers that may still be merged.

use std::sync::Arc;

use bytestring::ByteString;

use crate::ids::{AnswerId, GroupName};
use crate::protocol::Event;

/// A piece of an answer on its way to sockets, encoded once for all of them.
#[derive(Debug)]
pub struct Delta {
    /// The group.
    pub group: GroupName,
    /// The answer.
    pub answer: AnswerId,
    /// Unicode scalar values before it.
    pub offset: usize,
    /// The text.
    pub text: String,
    pub(super) frame: ByteString,
}

impl Delta {
    /// Encodes the piece.
    pub fn new(group: GroupName, answer: AnswerId, offset: usize, text: String) -> Self {
        let frame = Event::AnswerDelta { group: &group, answer: &answer, offset, text: &text }.encode();
        Self { group, answer, offset, text, frame }
    }
}

pub(super) enum Waiting {
    Text(ByteString),
    Delta(Arc<Delta>),
    /// Boxed, since it is much larger than the others, and rare.
    Merged(Box<Delta>),
}

impl Waiting {
    /// The answer that it is a piece of.
    pub(super) fn answer(&self) -> Option<&AnswerId> {
        match self {
            Self::Text(_) => None,
            Self::Delta(delta) => Some(&delta.answer),
            Self::Merged(delta) => Some(&delta.answer),
        }
    }

    pub(super) fn into_frame(self) -> ByteString {
        match self {
            Self::Text(frame) => frame,
            Self::Delta(delta) => delta.frame.clone(),
            Self::Merged(delta) => {
                let Delta { group, answer, offset, text, .. } = *delta;
                Delta::new(group, answer, offset, text).frame
            }
        }
    }
}
