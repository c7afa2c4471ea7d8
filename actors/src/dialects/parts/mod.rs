//! The parts of an answer: which of them begins, grows or closes with each chunk. The dialects tell this, each in its own words. Pure.

mod calls;
#[cfg(test)]
mod tests;

use calls::Calls;

use crate::openai::halves::Seam;
use crate::openai::{Chunk, Piece, TokenCounts};
use crate::protocol::Usage;

/// What a part is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartKind {
    /// What the model thinks.
    Reasoning,
    /// Text of the answer.
    Text,
    /// Why it does not answer.
    Refusal,
    /// A tool call.
    Call {
        /// The call's id, which no other call of this answer has.
        id: String,
        /// The tool.
        name: String,
    },
    /// An item of a response that other dialects have no words for; its text is the item as JSON.
    Item,
}

/// A part that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// All of it so far; of a call, its arguments.
    pub text: String,
    /// More of it may come, or might have when the answer ended.
    pub is_open: bool,
}

/// What happens to a part, which is named by its number: they are counted from 0 in the order in which they begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It begins.
    Opened(usize),
    /// It grows by a text that is not empty.
    Grew(usize, String),
    /// It is whole, or as much of it as there will be.
    Closed(usize),
}

/// The parts of one answer.
///
/// Of reasoning, text and refusal only one is open: where another one or a call begins, it is closed, and what follows later is a new
/// part. Calls are open until the end, since servers write several at once and tell of none when it is whole.
#[derive(Debug)]
pub struct Parts {
    all: Vec<Part>,
    /// The open part that is no call.
    open: Option<usize>,
    /// Halves of characters of reasoning, text and refusal; they may wait for the next part.
    seams: [Seam; 3],
    calls: Calls,
    is_flawed: bool,
    counts: Option<TokenCounts>,
}

impl Parts {
    /// Those of an answer of which nothing has come. Calls to which the backend gives no id get one out of the answer's.
    pub fn new(answer: &str) -> Self {
        let calls = Calls::new(answer);
        Self { all: Vec::new(), open: None, seams: Default::default(), calls, is_flawed: false, counts: None }
    }

    /// What a chunk changes.
    pub fn chunk(&mut self, chunk: &Chunk) -> Vec<Change> {
        self.is_flawed |= chunk.flawed;
        self.counts = TokenCounts::of(chunk).or(self.counts);
        let mut changes = Vec::new();
        for piece in chunk.pieces() {
            match piece {
                Piece::Reasoning(text) => self.grow(PartKind::Reasoning, text, &mut changes),
                Piece::Text(text) => self.grow(PartKind::Text, text, &mut changes),
                Piece::Refusal(text) => self.grow(PartKind::Refusal, text, &mut changes),
                Piece::Item(item) => {
                    let number = self.begin(PartKind::Item, item.to_string(), &mut changes);
                    self.all[number].is_open = false;
                    changes.push(Change::Closed(number));
                }
                Piece::Call(piece) => {
                    let at = self.calls.add(piece);
                    self.tell_call(at, false, &mut changes);
                }
            }
        }
        changes
    }

    /// Closes what is open, after the last chunk: once.
    pub fn close(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        (0..self.calls.len()).for_each(|at| self.tell_call(at, true, &mut changes));
        let open = self.all.iter().enumerate().filter(|(_, part)| part.is_open);
        changes.extend(open.map(|(number, _)| Change::Closed(number)));
        changes
    }

    /// A part that has begun.
    pub fn get(&self, number: usize) -> &Part {
        &self.all[number]
    }

    /// All that have begun, in their order.
    pub fn all(&self) -> &[Part] {
        &self.all
    }

    /// Whether a choice bore an error.
    pub fn is_flawed(&self) -> bool {
        self.is_flawed
    }

    /// The tokens: `usage`, if it is known, with the kinds that the chunks told; else what they counted.
    pub fn counts(&self, usage: Option<Usage>) -> Option<TokenCounts> {
        match (usage, self.counts) {
            (Some(usage), counts) => Some(TokenCounts { usage, ..counts.unwrap_or_default() }),
            (None, counts) => counts,
        }
    }

    fn grow(&mut self, kind: PartKind, piece: String, changes: &mut Vec<Change>) {
        let seam = match kind {
            PartKind::Reasoning => 0,
            PartKind::Text => 1,
            _ => 2,
        };
        let text = self.seams[seam].join(piece);
        if text.is_empty() {
            return;
        }
        let number = match self.open.filter(|open| self.all[*open].kind == kind) {
            Some(open) => open,
            None => {
                let number = self.begin(kind, String::new(), changes);
                self.open = Some(number);
                number
            }
        };
        self.add(number, text, changes);
    }

    /// Tells what there is of a call as soon as its tool is known, or at the end.
    fn tell_call(&mut self, at: usize, is_end: bool, changes: &mut Vec<Change>) {
        let Some(known) = self.calls.ready(at, is_end) else { return };
        let number = match known.part {
            Some(number) => number,
            None => {
                let number = self.begin(PartKind::Call { id: known.id, name: known.name }, String::new(), changes);
                self.calls.begun(at, number);
                number
            }
        };
        if !known.arguments.is_empty() {
            self.add(number, known.arguments, changes);
        }
    }

    fn begin(&mut self, kind: PartKind, text: String, changes: &mut Vec<Change>) -> usize {
        if let Some(open) = self.open.take() {
            self.all[open].is_open = false;
            changes.push(Change::Closed(open));
        }
        let number = self.all.len();
        self.all.push(Part { kind, text, is_open: true });
        changes.push(Change::Opened(number));
        number
    }

    fn add(&mut self, number: usize, text: String, changes: &mut Vec<Change>) {
        self.all[number].text.push_str(&text);
        changes.push(Change::Grew(number, text));
    }
}
