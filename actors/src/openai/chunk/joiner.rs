//! Characters that a backend has cut in two between the chunks of one answer.

use super::Chunk;
use crate::openai::halves::{self, Halves};

/// Goes along the chunks of one answer, in their order.
#[derive(Debug, Default)]
pub struct Joiner {
    /// The first half of a character of the text whose other half has not come yet.
    half: Option<u16>,
}

impl Joiner {
    /// Gives a chunk's text the whole of a character that was cut in two, where its second half is.
    pub fn join(&mut self, chunk: &mut Chunk) {
        let Halves { begins, ends } = chunk.halves;
        if begins.is_some() || !chunk.text.is_empty() && self.half.is_some() {
            chunk.text = halves::join(self.half.take(), begins, &chunk.text);
        }
        self.half = ends.or(self.half.take());
    }
}
