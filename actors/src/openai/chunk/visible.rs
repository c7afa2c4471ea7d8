//! Whether anything of a chunk can be seen. Until something was, another backend can take over and nobody would know.

use serde_json::Value;

use super::Chunk;
use crate::openai::error::ReportedError;

impl Chunk {
    /// Whether a client sees anything of this chunk: text, a tool call, reasoning, a refusal, an end. Not the role, and not a frame without
    /// choices (Azure's first one, the usage). What we do not know counts as seen, unless it is empty.
    pub fn is_visible(&self) -> bool {
        if !self.text.is_empty() || !self.finished.is_empty() {
            return true;
        }
        let Ok(Value::Object(body)) = serde_json::from_str(&self.raw) else { return true };
        let choices = body.get("choices").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        choices.iter().any(|choice| match choice.get("delta") {
            Some(Value::Object(delta)) => delta.iter().any(|(name, value)| name != "role" && !is_empty(value)),
            _ => choice.get("text").is_some_and(|text| !is_empty(text)),
        })
    }

    /// The error that a chunk's choice bears or ends with, as OpenRouter tells that a model failed.
    pub fn failure(&self) -> Option<ReportedError> {
        if !self.flawed && !self.finished.iter().any(|(_, reason)| reason == "error") {
            return None;
        }
        let body: Value = serde_json::from_str(&self.raw).unwrap_or_default();
        let choices = body.get("choices").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let bare = || ReportedError { message: "a choice ended with an error".to_owned(), ..ReportedError::default() };
        Some(choices.iter().find_map(ReportedError::find).unwrap_or_else(bare))
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Parsed;
    use super::*;

    fn is_visible(raw: &'static str) -> bool {
        match Chunk::parse(raw.into()) {
            Ok(Parsed::Chunk(chunk)) => chunk.is_visible(),
            other => panic!("not a chunk: {other:?}"),
        }
    }

    #[test]
    fn a_role_and_frames_without_content_are_not_visible() {
        for raw in [
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":"","tool_calls":[],"refusal":null}}]}"#,
            r#"{"choices":[],"prompt_filter_results":[{"x":1}]}"#,
            r#"{"choices":null,"usage":{"total_tokens":3}}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":null}]}"#,
            r#"{"choices":[{"index":0}]}"#,
        ] {
            assert!(!is_visible(raw), "{raw}");
        }
    }

    #[test]
    fn whatever_a_caller_could_see_is_visible() {
        for raw in [
            r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#,
            r#"{"choices":[{"index":1,"delta":{"content":"b"}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"x_new":0}}]}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        ] {
            assert!(is_visible(raw), "{raw}");
        }
    }
}
