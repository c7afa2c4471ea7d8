//! A request for a response, as a chat completion is asked for: most backends know nothing else. Pure.

mod input;
mod own_words;
#[cfg(test)]
mod tests;
mod tools;

use serde_json::{Value, json};

pub use input::{input_messages, output_messages};
pub use own_words::in_own_words;

use super::Item;
use crate::dialects::BadRequest;
use crate::openai::{Api, Body, ChatMessage};

/// A request for a chat completion that asks the same.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatQuestion {
    /// Its body.
    pub body: Body,
    /// The tools that are left out, since no backend of this kind has them: by type, and by name where they have one.
    pub dropped: Vec<String>,
}

/// What is carried over as it is.
const SAME: [&str; 2] = ["temperature", "top_p"];
/// What only a service with a memory of its own could do.
const UNKNOWN: [&str; 2] = ["conversation", "prompt"];

/// Asks the same as a chat completion. Where all backends of the model speak Responses (`api`), they get the request in its own words: what
/// we do not know of it is theirs to judge, and this is what the request weighs and shares.
///
/// `before` is the conversation that `previous_response_id` names; the instructions of that time are not among it. `known` finds an
/// item of an earlier response by its id. What is neither carried over nor refused is taken and has no effect: `include`, `metadata`,
/// `prompt_cache_key`, `user` and the like.
///
/// # Errors
/// A field is wrong, or asks for what cannot be had.
pub fn to_chat(
    request: &Body,
    api: Api,
    before: Vec<ChatMessage>,
    known: &dyn Fn(&str) -> Option<Item>,
) -> Result<ChatQuestion, BadRequest> {
    let mut body = Body::default();
    let model = request.text("model").filter(|model| !model.trim().is_empty());
    body.set("model", &model.ok_or_else(|| BadRequest::missing("model"))?.into());
    let unknown = match api {
        Api::ChatCompletions => &UNKNOWN[..],
        // The conversation is kept here.
        Api::Responses => &UNKNOWN[..1],
    };
    if let Some(field) = unknown.iter().find(|field| request.says(field)) {
        return Err(BadRequest::new(*field, "this is not supported; send the items as 'input'"));
    }
    let mut messages = Vec::new();
    if request.says("instructions") {
        let text = request.text("instructions").ok_or_else(|| BadRequest::expected("instructions", "a string"))?;
        messages.push(ChatMessage::says("system", &text));
    }
    messages.extend(before);
    messages.extend(input_messages(request, api, known)?);
    if messages.is_empty() {
        return Err(BadRequest::new("input", "it is empty"));
    }
    body.set("messages", &json!(messages));
    for name in SAME {
        if let Some(number) = said(request, name) {
            body.set_text(name, number.to_owned());
        }
    }
    if let Some(most) = said(request, "max_output_tokens") {
        most.parse::<u64>().map_err(|_| BadRequest::expected("max_output_tokens", "a whole number"))?;
        body.set_text("max_completion_tokens", most.to_owned());
    }
    if api == Api::Responses {
        if let Some(tools) = said(request, "tools") {
            body.set_text("tools", tools.to_owned());
        }
        return Ok(ChatQuestion { body, dropped: Vec::new() });
    }
    set_reasoning(&mut body, request)?;
    set_format(&mut body, request)?;
    let dropped = tools::set(&mut body, request)?;
    Ok(ChatQuestion { body, dropped })
}

/// The text of a field that says something.
fn said<'a>(body: &'a Body, name: &str) -> Option<&'a str> {
    body.get(name).filter(|value| *value != "null")
}

/// A field that is an object, if it says something.
fn object(body: &Body, name: &str, path: &str) -> Result<Option<Body>, BadRequest> {
    match (body.says(name), body.object(name)) {
        (false, _) => Ok(None),
        (true, Some(object)) => Ok(Some(object)),
        (true, None) => Err(BadRequest::expected(path, "an object")),
    }
}

fn set_reasoning(body: &mut Body, request: &Body) -> Result<(), BadRequest> {
    let Some(reasoning) = object(request, "reasoning", "reasoning")? else { return Ok(()) };
    if reasoning.says("effort") {
        let effort = reasoning.text("effort").ok_or_else(|| BadRequest::expected("reasoning.effort", "a string"))?;
        body.set("reasoning_effort", &effort.into());
    }
    Ok(())
}

fn set_format(body: &mut Body, request: &Body) -> Result<(), BadRequest> {
    let Some(text) = object(request, "text", "text")? else { return Ok(()) };
    if let Some(verbosity) = said(&text, "verbosity") {
        body.set_text("verbosity", verbosity.to_owned());
    }
    let Some(mut format) = object(&text, "format", "text.format")? else { return Ok(()) };
    match format.text("type").as_deref() {
        Some("text") => {}
        Some("json_object") => body.set("response_format", &json!({"type": "json_object"})),
        Some("json_schema") => {
            if !format.says("schema") {
                return Err(BadRequest::missing("text.format.schema"));
            }
            // What else is said of the schema stands beside the type here, and within a field of its own there.
            format.remove("type");
            let mut wrapped = Body::default();
            wrapped.set("type", &Value::from("json_schema"));
            wrapped.set_text("json_schema", format.to_string());
            body.set_text("response_format", wrapped.to_string());
        }
        _ => return Err(BadRequest::expected("text.format.type", "'text', 'json_object' or 'json_schema'")),
    }
    Ok(())
}
