//! The chunks of an answer, as OpenAI writes them.

use serde_json::{Value, json};

/// The JSON of a chunk with the assistant's role.
pub fn role() -> String {
    chunk(
        &json!([{ "index": 0, "delta": { "role": "assistant", "content": "" }, "finish_reason": null }]),
        &Value::Null,
    )
}

/// The JSON of a chunk with text.
pub fn word(text: &str) -> String {
    chunk(&json!([{ "index": 0, "delta": { "content": text }, "finish_reason": null }]), &Value::Null)
}

/// The JSON of the chunk that ends choice 0.
pub fn finish(reason: &str) -> String {
    chunk(&json!([{ "index": 0, "delta": {}, "finish_reason": reason }]), &Value::Null)
}

/// The JSON of the usage chunk.
pub fn usage(prompt: u64, completion: u64) -> String {
    let usage =
        json!({ "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion });
    chunk(&json!([]), &usage)
}

fn chunk(choices: &Value, usage: &Value) -> String {
    json!({
        "id": "chatcmpl-test", "object": "chat.completion.chunk", "created": 1, "model": "test-model",
        "choices": choices, "usage": usage,
    })
    .to_string()
}

/// A text, word by word.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split_inclusive(' ').map(str::to_owned).collect()
}

/// A piece of a body, as `transfer-encoding: chunked` sends it.
pub(super) fn http_chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}
