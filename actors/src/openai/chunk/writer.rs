//! Chunks of our own, in OpenAI's shape.

use serde_json::{Value, json};

use super::{Chunk, tolerant};
use crate::ids::random_text;
use crate::protocol::{Usage, unix_ms};

/// Writes the chunks of one answer in OpenAI's shape, under one id.
#[derive(Debug, Clone)]
pub struct ChunkWriter {
    id: String,
    created: u64,
    model: String,
}

impl ChunkWriter {
    /// Begins an answer of `model`, now.
    pub fn new(model: &str) -> Self {
        Self { id: format!("chatcmpl-{}", random_text(24)), created: unix_ms() / 1_000, model: model.to_owned() }
    }

    /// The first chunk, which says who speaks.
    pub fn role(&self) -> Chunk {
        self.choice(json!({ "role": "assistant", "content": "" }), None)
    }

    /// A piece of text.
    pub fn text(&self, text: &str) -> Chunk {
        self.choice(json!({ "content": text }), None)
    }

    /// The end of the only choice.
    pub fn finish(&self, reason: &str) -> Chunk {
        self.choice(json!({}), Some(reason))
    }

    /// The chunk without choices that counts the tokens.
    pub fn usage(&self, usage: Usage) -> Chunk {
        self.counted(json!(usage))
    }

    /// The same in whatever words a `usage` has.
    pub fn counted(&self, usage: Value) -> Chunk {
        self.chunk(json!([]), usage)
    }

    /// What the only choice is given, in whatever words a `delta` has.
    pub fn delta(&self, delta: Value) -> Chunk {
        self.choice(delta, None)
    }

    fn choice(&self, delta: Value, reason: Option<&str>) -> Chunk {
        self.chunk(json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": reason }]), Value::Null)
    }

    fn chunk(&self, choices: Value, usage: Value) -> Chunk {
        let body = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
            "usage": usage,
        });
        tolerant::read(body.to_string().into(), &body)
    }
}

impl Chunk {
    /// A complete answer of one chunk: role, text and `finish_reason` at once. For an entry of which only the text is kept.
    pub fn whole(model: &str, text: &str, finish_reason: &str) -> Self {
        ChunkWriter::new(model).choice(json!({ "role": "assistant", "content": text }), Some(finish_reason))
    }
}
