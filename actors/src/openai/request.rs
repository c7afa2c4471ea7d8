//! A request for a chat completion.

use super::Body;

/// A chat completion request: the OpenAI body, fields that we do not know included.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatRequest {
    /// `model`, `messages` and whatever else.
    pub body: Body,
}

impl ChatRequest {
    /// How many choices are asked for (`n`).
    pub fn choices(&self) -> u64 {
        self.body.get("n").and_then(|count| count.parse().ok()).unwrap_or(1).max(1)
    }
}
