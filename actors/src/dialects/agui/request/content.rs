//! What a message of AG-UI says: a text, or parts.

use serde_json::Value;

use crate::dialects::BadRequest;
use crate::dialects::user_message::file_part;
use crate::openai::MessagePart;

/// The parts of a message of the user.
///
/// # Errors
/// One of them cannot be shown to a backend.
pub fn content(content: &Value, place: &str) -> Result<Vec<MessagePart>, BadRequest> {
    match content {
        Value::String(text) => Ok(vec![MessagePart::Text { text: text.clone() }]),
        Value::Array(parts) => parts.iter().enumerate().map(|(at, it)| part(it, &format!("{place}[{at}]"))).collect(),
        _ => Err(BadRequest::expected(place, "a string or an array of parts")),
    }
}

/// Its text alone.
pub fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}

fn part(part: &Value, place: &str) -> Result<MessagePart, BadRequest> {
    let kind = part["type"].as_str().unwrap_or_default();
    if let Some(text) = part["text"].as_str().filter(|_| kind == "text") {
        return Ok(MessagePart::Text { text: text.to_owned() });
    }
    let unseen = || BadRequest::new(place, "parts of this type are not supported");
    let source = &part["source"];
    let (media, value) = (source["mimeType"].as_str(), source["value"].as_str());
    // An image need not say of which kind it is.
    let media = media.or((kind == "image").then_some("image"));
    let (media, value) = media.zip(value).ok_or_else(unseen)?;
    let url = match source["type"].as_str() {
        Some("data") => format!("data:{media};base64,{value}"),
        Some("url") => value.to_owned(),
        _ => return Err(unseen()),
    };
    file_part(media, &url, part["filename"].as_str()).ok_or_else(unseen)
}
