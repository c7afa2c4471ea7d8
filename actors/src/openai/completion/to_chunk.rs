//! An answer that came as one JSON body, turned into the one chunk that says the same. Pure.

use serde_json::{Map, Value, json};

use crate::openai::error::{ReportedError, beginning};
use crate::openai::{Chunk, Parsed, halves};

/// A body that is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCompletion {
    /// Not JSON.
    #[error("the body is not JSON")]
    Json,
    /// Nothing is answered in it.
    #[error("the body has no choices")]
    NoChoices,
    /// Its fields are not those of an answer.
    #[error("the body is not an answer")]
    NoAnswer,
    /// An error.
    #[error("the body is an error: {}", .0.message)]
    Reported(ReportedError),
}

/// Reads a whole body. Messages become deltas; every other field stays as it came.
///
/// # Errors
/// It is no answer.
pub fn to_chunk(bytes: &[u8]) -> Result<Chunk, BadCompletion> {
    let mut body = read(bytes).ok_or(BadCompletion::Json)?;
    if let Some(error) = ReportedError::in_stream(&body) {
        return Err(BadCompletion::Reported(ReportedError { beginning: beginning(bytes).into(), ..error }));
    }
    match body.get_mut("choices").and_then(Value::as_array_mut) {
        Some(choices) if !choices.iter().all(Value::is_object) => return Err(BadCompletion::NoAnswer),
        Some(choices) if !choices.is_empty() => {
            (0_u64..)
                .zip(choices.iter_mut().filter_map(Value::as_object_mut))
                .for_each(|(place, choice)| message_to_delta(place, choice));
        }
        _ => return Err(BadCompletion::NoChoices),
    }
    body["object"] = "chat.completion.chunk".into();
    match Chunk::parse(body.to_string().into()) {
        Ok(Parsed::Chunk(chunk)) => Ok(chunk),
        _ => Err(BadCompletion::NoAnswer),
    }
}

fn read(bytes: &[u8]) -> Option<Value> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Ok(body) = serde_json::from_slice(bytes) {
        return Some(body);
    }
    // Half a character without its other half, as a model may end with, is no JSON to serde, however it is written.
    let text = String::from_utf8_lossy(bytes);
    let mut body = serde_json::from_str(&halves::mend(&text).unwrap_or(text.into_owned())).ok()?;
    halves::join_all(&mut body);
    Some(body)
}

fn message_to_delta(place: u64, choice: &mut Map<String, Value>) {
    choice.entry("index").or_insert(place.into());
    if let Some(mut message) = choice.remove("message") {
        let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
        // Only in streams are tool calls numbered.
        for (number, call) in (0_u64..).zip(calls.into_iter().flatten().filter_map(Value::as_object_mut)) {
            call.entry("index").or_insert(number.into());
        }
        choice.insert("delta".into(), message);
    }
    // A whole body is its own proof that the answer is complete.
    let reason = choice.entry("finish_reason").or_insert(Value::Null);
    if reason.is_null() {
        *reason = json!("stop");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_body_becomes_one_finished_chunk_that_keeps_everything() {
        let body = json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 7, "model": "m", "x_new": 1,
            "choices": [{
                "index": 0, "finish_reason": "tool_calls", "logprobs": { "content": [] },
                "message": { "role": "assistant", "content": "hi", "tool_calls": [{ "id": "a" }, { "id": "b" }] },
            }],
            "usage": { "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3 },
        });
        let chunk = to_chunk(body.to_string().as_bytes()).expect("an answer");
        assert_eq!(chunk.text, "hi");
        assert_eq!(chunk.finished, [(0, "tool_calls".to_owned())]);
        assert_eq!(chunk.usage.map(|usage| usage.total_tokens), Some(3));
        let raw: Value = serde_json::from_str(&chunk.raw).expect("JSON");
        assert_eq!(raw["object"], "chat.completion.chunk");
        assert_eq!(raw["x_new"], 1);
        assert_eq!(
            raw["choices"][0]["delta"]["tool_calls"],
            json!([{ "id": "a", "index": 0 }, { "id": "b", "index": 1 }])
        );
        assert!(raw["choices"][0].get("message").is_none());
    }

    #[test]
    fn a_whole_body_proves_itself_complete() {
        let chunk =
            to_chunk(br#"{"choices":[{"message":{"content":"a"}},{"message":{"content":"b"}}]}"#).expect("an answer");
        assert_eq!(chunk.finished, [(0, "stop".to_owned()), (1, "stop".to_owned())]);
    }

    #[test]
    fn a_body_without_an_answer_is_none() {
        for body in [
            "",
            "[]",
            "7",
            "{}",
            r#"{"choices":[]}"#,
            r#"{"choices":[5]}"#,
            r#"{"message":{"content":"of another protocol"}}"#,
        ] {
            assert!(
                matches!(to_chunk(body.as_bytes()), Err(bad) if !matches!(bad, BadCompletion::Reported(_))),
                "{body}"
            );
        }
        for body in [r#"{"error":{"message":"no"}}"#, r#"{"detail":"no"}"#, r#"[{"error":{"message":"no"}}]"#] {
            let Err(BadCompletion::Reported(error)) = to_chunk(body.as_bytes()) else { panic!("an answer: {body}") };
            assert_eq!((&*error.message, &*error.beginning), ("no", body));
        }
    }

    #[test]
    fn half_a_character_at_the_end_does_not_spoil_an_answer() {
        let bodies: [&[u8]; 2] = [
            br#"{"choices":[{"message":{"content":"a\ud83d"}}]}"#,
            b"{\"choices\":[{\"message\":{\"content\":\"a\xf0\x9f\"}}]}",
        ];
        for body in bodies {
            assert_eq!(to_chunk(body).expect("an answer").text, "a\u{fffd}");
        }
    }
}
