//! A text that grows by pieces, each with its place. Pure.

/// What is known of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Written {
    text: String,
    chars: usize,
}

/// What a piece turned out to be.
#[derive(Debug, PartialEq)]
pub(super) enum Piece {
    /// New: it belongs at this offset.
    New(usize, String),
    /// Known already.
    Known,
    /// Something before it is missing.
    Early,
}

impl Written {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// A piece at an offset in Unicode scalar values.
    pub(super) fn grow(&mut self, offset: usize, text: String) -> Piece {
        let Some(known) = self.chars.checked_sub(offset) else { return Piece::Early };
        let new: String = if known == 0 { text } else { text.chars().skip(known).collect() };
        if new.is_empty() {
            return Piece::Known;
        }
        let at = self.chars;
        self.chars += new.chars().count();
        self.text.push_str(&new);
        Piece::New(at, new)
    }
}
