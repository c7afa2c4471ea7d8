//! One data line of a chat completion stream: read with tolerance, kept as it came.

mod quick;
#[cfg(test)]
mod tests;
mod tolerant;
mod visible;
mod writer;

use bytestring::ByteString;
use serde_json::Value;

pub use writer::ChunkWriter;

use super::error::ReportedError;
use super::halves::{self, Halves};
use crate::protocol::Usage;

/// Whether the quick way reads this line, if it reads it at all, as the tolerant one does.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn is_read_alike(raw: &ByteString) -> bool {
    let read = |text: &str| serde_json::from_str::<Value>(text).ok();
    // In a field that the quick way passes over there may be half a character, or a number that is none here (`9E9999`).
    let body = || read(raw).or_else(|| read(&halves::mend(raw)?)).map(|body| tolerant::read(raw.clone(), &body));
    quick::read(raw).is_none_or(|quick| body().is_none_or(|tolerant| tolerant == quick))
}

/// The data line that ends a stream well.
pub const DONE: &str = "[DONE]";

/// One `data:` line of a chat completion stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// The JSON text as it came.
    pub raw: ByteString,
    /// What it adds to the answer's text (choice 0), but for halves of characters at its ends.
    pub text: String,
    /// Halves of characters at the ends of its text, whose other halves are in the chunks before and after.
    pub halves: Halves,
    /// The choices that it ends, with their reason, as (index, finish_reason).
    pub finished: Vec<(u64, String)>,
    /// The choices that it speaks of.
    pub choices: Vec<u64>,
    /// The choices that it gives something other than text of choice 0: text, or a tool call.
    pub filled: Vec<u64>,
    /// A choice of it bears an error.
    pub flawed: bool,
    /// Tokens, if it tells.
    pub usage: Option<Usage>,
}

/// What a data line turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Parsed {
    /// `[DONE]`
    Done,
    /// A piece of the answer.
    Chunk(Chunk),
    /// An error that came in place of a chunk, inside a stream that had begun well.
    Error(ReportedError),
}

/// The data line is neither `[DONE]` nor a JSON object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a data line of {bytes} bytes is not a JSON object")]
pub struct BadChunk {
    /// How long it is. Its content may be a user's and is not repeated.
    pub bytes: usize,
}

impl Chunk {
    /// Reads one data line. Its text is kept untouched; what is missing, null or of another type than expected counts as absent.
    pub fn parse(raw: ByteString) -> Result<Parsed, BadChunk> {
        if raw.trim() == DONE {
            return Ok(Parsed::Done);
        }
        if let Some(chunk) = quick::read(&raw) {
            return Ok(Parsed::Chunk(chunk));
        }
        let bad = || BadChunk { bytes: raw.len() };
        let read = |text: &str| serde_json::from_str::<Value>(text).ok();
        // A character whose halves are in two chunks is no JSON to serde.
        let body = read(&raw).or_else(|| read(&halves::mend(&raw)?)).ok_or_else(bad)?;
        match ReportedError::in_stream(&body) {
            Some(error) => Ok(Parsed::Error(error)),
            None if !body.is_object() => Err(bad()),
            None => Ok(Parsed::Chunk(tolerant::read(raw, &body))),
        }
    }

    /// A whole answer of so many parts, none of which is text. `usage` is what it says of its tokens.
    pub(super) fn of_parts(raw: ByteString, parts: u64, usage: Value) -> Self {
        let usage = tolerant::usage_of(&Value::from_iter([("usage", usage)]));
        let finished = (0..parts).map(|part| (part, "stop".to_owned())).collect();
        Self { finished, filled: (0..parts).collect(), ..Self::bare(raw, usage) }
    }

    /// One that says nothing yet.
    fn bare(raw: ByteString, usage: Option<Usage>) -> Self {
        Self {
            raw,
            text: String::new(),
            halves: Halves::default(),
            finished: vec![],
            choices: vec![],
            filled: vec![],
            flawed: false,
            usage,
        }
    }
}
