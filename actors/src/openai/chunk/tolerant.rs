//! A chunk out of any JSON object: what is missing, null or of another type than expected counts as absent.

use bytestring::ByteString;
use serde_json::Value;

use super::Chunk;
use super::halves;
use crate::openai::RESPONSE_ITEM;
use crate::protocol::Usage;

/// The chunk that this object says. `raw` is its text.
pub fn read(raw: ByteString, body: &Value) -> Chunk {
    let mut chunk = Chunk::bare(raw, usage_of(body));
    let mut text = String::new();
    let choices = body.get("choices").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for (place, choice) in (0_u64..).zip(choices) {
        let index = choice.get("index").and_then(Value::as_u64).unwrap_or(place);
        chunk.choices.push(index);
        let delta = choice.get("delta").unwrap_or(&Value::Null);
        match &delta["content"] {
            Value::String(content) if index == 0 => text.push_str(content),
            Value::String(content) if content.trim().is_empty() => {}
            Value::String(_) => chunk.filled.push(index),
            Value::Array(parts) => {
                if index == 0 {
                    parts.iter().filter_map(text_of_part).for_each(|part| text.push_str(part));
                }
                if parts.iter().any(says_something) {
                    chunk.filled.push(index);
                }
            }
            _ => {}
        }
        if ["tool_calls", "function_call", RESPONSE_ITEM].iter().any(|name| calls(&delta[name])) {
            chunk.filled.push(index);
        }
        chunk.flawed |= choice.get("error").is_some_and(|error| !error.is_null());
        // Some servers send "" where others send null.
        if let Some(reason) = choice.get("finish_reason").and_then(Value::as_str).filter(|it| !it.is_empty()) {
            chunk.finished.push((index, reason.to_owned()));
        }
    }
    (chunk.text, chunk.halves) = halves::split(text);
    chunk
}

/// The text of a part, where content is a list of such: `{"type": "text", "text": …}`. Others, of thinking too, are not shown.
fn text_of_part(part: &Value) -> Option<&str> {
    part.get("text").filter(|_| part["type"] == "text").and_then(Value::as_str)
}

/// Whether a part is of the answer: an image is, thinking and nothing are not.
fn says_something(part: &Value) -> bool {
    match part["type"].as_str() {
        Some("text") => text_of_part(part).is_some_and(|text| !text.trim().is_empty()),
        Some("thinking" | "reasoning") => false,
        _ => true,
    }
}

fn calls(value: &Value) -> bool {
    match value {
        Value::Array(calls) => calls.iter().any(Value::is_object),
        value => value.is_object(),
    }
}

/// Counts of tokens, whatever numbers they are written as.
pub(super) fn usage_of(body: &Value) -> Option<Usage> {
    let usage = body.get("usage")?;
    let count = |name: &str| usage.get(name).and_then(whole);
    let (prompt, completion, total) = (count("prompt_tokens"), count("completion_tokens"), count("total_tokens"));
    if prompt.is_none() && completion.is_none() && total.is_none() {
        return None;
    }
    let (prompt_tokens, completion_tokens) = (prompt.unwrap_or(0), completion.unwrap_or(0));
    let total_tokens = total.unwrap_or_else(|| prompt_tokens.saturating_add(completion_tokens));
    Some(Usage { prompt_tokens, completion_tokens, total_tokens })
}

/// A number as a count: whole, and not below zero.
fn whole(number: &Value) -> Option<u64> {
    // A float becomes the nearest number that fits.
    number.as_u64().or_else(|| number.as_f64().map(|float| float.ceil() as u64))
}
