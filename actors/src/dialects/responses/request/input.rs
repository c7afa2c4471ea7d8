//! The items of a request and of a response as the messages of a conversation.

use serde_json::Value;

use crate::dialects::BadRequest;
use crate::dialects::responses::{ContentPart, Item, Response};
use crate::openai::{Api, Body, ChatMessage, File, ImageUrl, MessagePart};

/// The messages that a request's `input` says. A backend that speaks Responses itself judges what we do not know: such an item, or part, is
/// then a text here.
///
/// # Errors
/// It is not there, or something of it is wrong.
pub fn input_messages(
    request: &Body,
    api: Api,
    known: &dyn Fn(&str) -> Option<Item>,
) -> Result<Vec<ChatMessage>, BadRequest> {
    let input = request.get("input").filter(|input| *input != "null").ok_or_else(|| BadRequest::missing("input"))?;
    let wrong = || BadRequest::expected("input", "a string or an array of items");
    let mut messages = Vec::new();
    match serde_json::from_str(input).map_err(|_| wrong())? {
        Value::String(text) => messages.push(ChatMessage::says("user", &text)),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                match add(item, &format!("input[{at}]"), known, &mut messages) {
                    Err(_) if api == Api::Responses && item.is_object() => {
                        messages.push(ChatMessage::says("user", &item.to_string()));
                    }
                    added => added?,
                }
            }
        }
        _ => return Err(wrong()),
    }
    Ok(messages)
}

/// The messages that a response says, for the one that continues it.
pub fn output_messages(response: &Response) -> Vec<ChatMessage> {
    let mut messages = Vec::new();
    response.output.iter().for_each(|item| add_output(item, &mut messages));
    messages
}

fn add_output(item: &Item, messages: &mut Vec<ChatMessage>) {
    match item {
        // No backend of this kind takes it back.
        Item::Reasoning { .. } => {}
        Item::Message { content, .. } => {
            let texts = content.iter().map(|part| match part {
                ContentPart::OutputText { text, .. } => &**text,
                ContentPart::Refusal { refusal } => &**refusal,
            });
            messages.push(ChatMessage::says("assistant", &texts.collect::<String>()));
        }
        Item::FunctionCall { call_id, name, arguments, .. } => {
            ChatMessage::add_call(messages, call_id, name, arguments);
        }
        // Nor this.
        Item::Other(_) => {}
    }
}

fn add(
    item: &Value,
    path: &str,
    known: &dyn Fn(&str) -> Option<Item>,
    messages: &mut Vec<ChatMessage>,
) -> Result<(), BadRequest> {
    let text = |name: &str| {
        item[name].as_str().ok_or_else(|| match &item[name] {
            Value::Null => BadRequest::missing(format!("{path}.{name}")),
            _ => BadRequest::expected(format!("{path}.{name}"), "a string"),
        })
    };
    if !item.is_object() {
        return Err(BadRequest::expected(path, "an object"));
    }
    match item["type"].as_str() {
        None | Some("message") if item["type"].is_null() || item["type"].is_string() => {
            messages.push(message(text("role")?, &item["content"], path)?);
        }
        Some("function_call") => ChatMessage::add_call(messages, text("call_id")?, text("name")?, text("arguments")?),
        Some("function_call_output") => {
            let output = texts(&item["output"], &format!("{path}.output"))?;
            messages.push(ChatMessage::result(text("call_id")?, &output));
        }
        // What the model thought before is for a service that made it alone.
        Some("reasoning") => {}
        Some("item_reference") => {
            let found =
                known(text("id")?).ok_or_else(|| BadRequest::new(format!("{path}.id"), "there is no such item"))?;
            add_output(&found, messages);
        }
        _ => return Err(BadRequest::new(format!("{path}.type"), "items of this type are not supported")),
    }
    Ok(())
}

fn message(role: &str, content: &Value, path: &str) -> Result<ChatMessage, BadRequest> {
    let (path, role_path) = (&format!("{path}.content"), format!("{path}.role"));
    match role {
        "user" => match content {
            Value::String(text) => Ok(ChatMessage::says(role, text)),
            Value::Array(parts) => {
                let parts: Result<_, _> =
                    parts.iter().enumerate().map(|(at, it)| part(it, &format!("{path}[{at}]"))).collect();
                Ok(ChatMessage::of_parts(role, parts?))
            }
            _ => Err(BadRequest::expected(path, "a string or an array of parts")),
        },
        // One word for both: not all backends know the newer one.
        "system" | "developer" => Ok(ChatMessage::says("system", &texts(content, path)?)),
        "assistant" => Ok(ChatMessage::says(role, &texts(content, path)?)),
        _ => Err(BadRequest::expected(role_path, "'user', 'assistant', 'system' or 'developer'")),
    }
}

/// Content that may be text alone.
fn texts(content: &Value, path: &str) -> Result<String, BadRequest> {
    match content {
        Value::String(text) => Ok(text.clone()),
        Value::Array(parts) => {
            let texts = parts.iter().enumerate().map(|(at, it)| match part(it, &format!("{path}[{at}]"))? {
                MessagePart::Text { text } => Ok(text),
                _ => Err(BadRequest::new(format!("{path}[{at}].type"), "only text is supported here")),
            });
            Ok(texts.collect::<Result<Vec<_>, _>>()?.join("\n"))
        }
        _ => Err(BadRequest::expected(path, "a string or an array of parts")),
    }
}

fn part(part: &Value, path: &str) -> Result<MessagePart, BadRequest> {
    let text = |name: &str| part[name].as_str().map(str::to_owned);
    let needed = |name: &str| text(name).ok_or_else(|| BadRequest::expected(format!("{path}.{name}"), "a string"));
    match part["type"].as_str() {
        Some("input_text" | "output_text" | "text") => Ok(MessagePart::Text { text: needed("text")? }),
        Some("refusal") => Ok(MessagePart::Text { text: needed("refusal")? }),
        Some("input_image") => {
            let image_url = ImageUrl { url: needed("image_url")?, detail: text("detail") };
            Ok(MessagePart::ImageUrl { image_url })
        }
        Some("input_file") => {
            let file = File { filename: text("filename"), file_data: needed("file_data")? };
            Ok(MessagePart::File { file })
        }
        _ => Err(BadRequest::new(format!("{path}.type"), "parts of this type are not supported")),
    }
}
