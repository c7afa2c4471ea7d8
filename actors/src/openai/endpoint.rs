//! What of OpenAI's API a backend is asked for, and how its answer is read back wherever it was kept. Pure.

use bytestring::ByteString;
use serde::Deserialize;

use super::{Chunk, Parsed, embeddings};

/// What a backend is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Endpoint {
    /// `POST …/chat/completions`
    #[default]
    ChatCompletions,
    /// `POST …/embeddings`
    Embeddings,
}

impl Endpoint {
    /// Its path below the base address of an API.
    pub fn path(self) -> &'static [&'static str] {
        match self {
            Self::ChatCompletions => &["chat", "completions"],
            Self::Embeddings => &["embeddings"],
        }
    }

    /// A piece of an answer that was kept, or came from another node, as its text; `None` for what is none.
    pub fn read(self, raw: ByteString) -> Option<Chunk> {
        match self {
            Self::ChatCompletions => match Chunk::parse(raw) {
                Ok(Parsed::Chunk(chunk)) => Some(chunk),
                _ => None,
            },
            Self::Embeddings => embeddings::to_chunk(raw.into_bytes()).ok(),
        }
    }
}

/// Which of OpenAI's APIs a backend is asked by for what it is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    /// `POST …/chat/completions`
    #[default]
    ChatCompletions,
    /// `POST …/responses`
    Responses,
}

impl Api {
    /// Its path below the base address of an API.
    pub fn path(self) -> &'static [&'static str] {
        match self {
            Self::ChatCompletions => Endpoint::ChatCompletions.path(),
            Self::Responses => &["responses"],
        }
    }
}
