//! The text alone, in the pieces in which it comes.

use super::{AnswerEnd, Fold};
use crate::openai::halves::Seam;
use crate::openai::{Chunk, Piece};

/// An answer as pieces of its text, of which none is empty.
#[derive(Debug, Default)]
pub struct TextFold {
    seam: Seam,
}

impl Fold for TextFold {
    type Event = String;

    fn begin(&mut self) -> Vec<String> {
        Vec::new()
    }

    fn chunk(&mut self, chunk: &Chunk) -> Vec<String> {
        let texts = chunk.pieces().into_iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(self.seam.join(text)),
            _ => None,
        });
        texts.filter(|text| !text.is_empty()).collect()
    }

    fn end(&mut self, _end: &AnswerEnd) -> Vec<String> {
        Vec::new()
    }
}
