//! The tokens of an answer with what is known of their kinds. Pure.

use serde_json::Value;

use super::Chunk;
use crate::protocol::Usage;

/// Tokens as a backend counted them, with their kinds where it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenCounts {
    /// Of the request, the answer, both.
    pub usage: Usage,
    /// Of the request's, those that the backend had in its cache.
    pub cached: u64,
    /// Of the request's, those that it put into its cache.
    pub cache_written: u64,
    /// Of the answer's, those that the model thought with.
    pub reasoning: u64,
}

impl TokenCounts {
    /// What a chunk counts, if it does.
    pub fn of(chunk: &Chunk) -> Option<Self> {
        let usage = chunk.usage?;
        let body: Value = serde_json::from_str(&chunk.raw).unwrap_or_default();
        let count = |path: &str| body.pointer(path).and_then(Value::as_u64);
        let cached = count("/usage/prompt_tokens_details/cached_tokens");
        Some(Self {
            usage,
            // DeepSeek has a word of its own.
            cached: cached.or_else(|| count("/usage/prompt_cache_hit_tokens")).unwrap_or(0),
            cache_written: count("/usage/prompt_tokens_details/cache_write_tokens").unwrap_or(0),
            reasoning: count("/usage/completion_tokens_details/reasoning_tokens").unwrap_or(0),
        })
    }
}

impl From<Usage> for TokenCounts {
    fn from(usage: Usage) -> Self {
        Self { usage, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::Parsed;

    fn counts(raw: &'static str) -> Option<TokenCounts> {
        match Chunk::parse(raw.into()) {
            Ok(Parsed::Chunk(chunk)) => TokenCounts::of(&chunk),
            other => panic!("not a chunk: {other:?}"),
        }
    }

    #[test]
    fn kinds_of_tokens_are_read_where_they_are_told() {
        let usage = Usage { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 };
        let told = counts(
            r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":3}}}"#,
        );
        assert_eq!(told, Some(TokenCounts { usage, cached: 4, cache_written: 0, reasoning: 3 }));
        let deepseek = counts(
            r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,"prompt_cache_hit_tokens":8}}"#,
        );
        assert_eq!(deepseek, Some(TokenCounts { cached: 8, ..usage.into() }));
        assert_eq!(counts(r#"{"choices":[],"usage":null}"#), None);
    }
}
