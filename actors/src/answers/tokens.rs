//! About how many tokens a text or a request is, where nobody has counted them. Pure.

use serde_json::{Map, Value};

/// Characters in a token, as a rule of thumb for texts whose tokens nobody counted.
const CHARS_PER_TOKEN: u64 = 4;
/// Tokens that a message costs beyond its text.
pub const TOKENS_PER_MESSAGE: u64 = 4;
/// Tokens that an image or another part that is no text costs.
const TOKENS_PER_PART: u64 = 800;

/// About how many tokens a text is.
pub fn estimate_tokens(text: &str) -> u64 {
    (text.chars().count() as u64).div_ceil(CHARS_PER_TOKEN)
}

/// About how many tokens the backend reads of a request.
pub fn estimate_prompt_tokens(body: &Map<String, Value>) -> u64 {
    let messages = body.get("messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let spoken: u64 = messages.iter().map(|message| of_message(message).saturating_add(TOKENS_PER_MESSAGE)).sum();
    let tools = ["tools", "functions", "response_format"].iter().filter_map(|name| body.get(*name));
    spoken + tools.map(|tools| estimate_tokens(&tools.to_string())).sum::<u64>()
}

fn of_message(message: &Value) -> u64 {
    let content = match message.get("content") {
        Some(Value::String(text)) => estimate_tokens(text),
        Some(Value::Array(parts)) => parts.iter().map(of_part).sum(),
        _ => 0,
    };
    content + message.get("tool_calls").map_or(0, |calls| estimate_tokens(&calls.to_string()))
}

fn of_part(part: &Value) -> u64 {
    match part.get("text").or_else(|| part.get("refusal")) {
        Some(Value::String(text)) => estimate_tokens(text),
        _ => TOKENS_PER_PART,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_image_does_not_count_by_its_letters() {
        let url = format!("data:image/png;base64,{}", "A".repeat(100_000));
        let parts = json!([{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]);
        let body = json!({"model": "m", "messages": [{"role": "user", "content": parts}]});
        let tokens = estimate_prompt_tokens(body.as_object().expect("an object"));
        assert_eq!(tokens, 3 + TOKENS_PER_PART + TOKENS_PER_MESSAGE);
    }
}
