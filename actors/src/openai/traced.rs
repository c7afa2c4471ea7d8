//! Questions and answers as OpenTelemetry's conventions for generative AI write them into spans, bounded. Pure.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{BackendRequest, Chunk, each_element};

/// The messages of a request (`gen_ai.input.messages`), with `most` bytes of text at most: of the newest, if there are more.
pub fn input_messages(request: &BackendRequest, most: usize) -> String {
    let (mut messages, mut left) = (Vec::new(), most);
    let mut all = Vec::new();
    each_element(request.body.get("messages").unwrap_or_default(), |message| all.push(message));
    for message in all.into_iter().rev() {
        if left == 0 {
            break;
        }
        let Ok(message) = serde_json::from_str::<Value>(message) else { continue };
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
        let mut parts = Vec::new();
        match message.get("content") {
            Some(Value::String(text)) => parts.extend(part(text, &mut left)),
            Some(Value::Array(pieces)) => {
                // Pictures and files are no texts, and may be large.
                let texts = pieces.iter().filter_map(|piece| piece.get("text").and_then(Value::as_str));
                texts.for_each(|text| parts.extend(part(text, &mut left)));
            }
            _ => {}
        }
        messages.push(json!({"role": role, "parts": parts}));
    }
    messages.reverse();
    Value::from(messages).to_string()
}

/// An answer (`gen_ai.output.messages`), of which a caller has kept as much as it wants.
pub fn output_messages(text: &str, finish_reason: &str) -> String {
    let parts = [json!({"type": "text", "content": text})];
    json!([{"role": "assistant", "parts": parts, "finish_reason": finish_reason}]).to_string()
}

/// What a chunk says of the response that it belongs to: who has written it, and its id.
pub fn response_of(chunk: &Chunk) -> (Option<String>, Option<String>) {
    #[derive(Deserialize)]
    struct Said {
        model: Option<String>,
        id: Option<String>,
    }
    match serde_json::from_str::<Said>(&chunk.raw) {
        Ok(said) => (said.model.filter(|model| !model.is_empty()), said.id.filter(|id| !id.is_empty())),
        Err(_) => (None, None),
    }
}

fn part(text: &str, left: &mut usize) -> Option<Value> {
    let text = crate::spans::beginning(text, *left);
    *left -= text.len();
    (!text.is_empty()).then(|| json!({"type": "text", "content": text}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::ChunkWriter;
    use crate::openai::request::message;

    #[test]
    fn messages_are_written_as_the_conventions_have_them_and_the_newest_count() {
        let picture = r#"{"role":"user","content":[{"type":"text","text":"What is it?"},{"type":"image_url","image_url":{"url":"data:x"}}]}"#;
        let request = BackendRequest::new("m", &[message("system", "Be brief."), picture.to_owned()]);
        let all: Value = serde_json::from_str(&input_messages(&request, 1_000)).unwrap();
        assert_eq!(
            all,
            json!([
                {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
                {"role": "user", "parts": [{"type": "text", "content": "What is it?"}]},
            ])
        );
        let cut: Value = serde_json::from_str(&input_messages(&request, 13)).unwrap();
        assert_eq!(cut[0], json!({"role": "system", "parts": [{"type": "text", "content": "Be"}]}));
        let last: Value = serde_json::from_str(&input_messages(&request, 4)).unwrap();
        assert_eq!(last, json!([{"role": "user", "parts": [{"type": "text", "content": "What"}]}]));
        assert_eq!(input_messages(&BackendRequest::new("m", &[]), 10), "[]");
    }

    #[test]
    fn a_chunk_names_who_has_written_it() {
        let chunk = ChunkWriter::new("gpt-x").text("a");
        assert_eq!(response_of(&chunk).0.as_deref(), Some("gpt-x"));
        assert!(response_of(&chunk).1.is_some());
    }
}
