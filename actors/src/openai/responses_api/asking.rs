//! A request for a response that asks the same as one for a chat completion.

use bytestring::ByteString;
use serde_json::{Value, json};

use crate::openai::error::ErrorObject;
use crate::openai::{Body, each_element};

/// What is carried over as it is.
const SAME: [&str; 7] = ["model", "temperature", "top_p", "parallel_tool_calls", "metadata", "user", "service_tier"];

/// Asks the same. What has no word there is left out: `stop`, `seed`, penalties and the like.
///
/// # Errors
/// It asks for several choices, of which a response has one.
pub fn from_chat(chat: &Body) -> Result<Body, ErrorObject> {
    if chat.get("n").is_some_and(|count| !matches!(count, "1" | "null")) {
        let message = "The backend of this model writes one choice at a time: leave out 'n'.";
        return Err(ErrorObject::invalid(message).about("n"));
    }
    let mut body = Body::default();
    for name in SAME {
        if let Some(value) = said(chat, name) {
            body.set_text(name, value.to_owned());
        }
    }
    body.set("input", &json!(items(chat.get("messages").unwrap_or_default())));
    if let Some(most) = said(chat, "max_completion_tokens").or_else(|| said(chat, "max_tokens")) {
        body.set_text("max_output_tokens", most.to_owned());
    }
    if let Some(effort) = chat.text("reasoning_effort") {
        body.set("reasoning", &json!({"effort": effort}));
    }
    if let Some(text) = text(chat) {
        body.set_text("text", text.to_string());
    }
    set_tools(&mut body, chat);
    body.set("stream", &true.into());
    // It is kept here.
    body.set("store", &false.into());
    Ok(body)
}

fn said<'a>(body: &'a Body, name: &str) -> Option<&'a str> {
    body.get(name).filter(|value| *value != "null")
}

fn items(messages: &str) -> Vec<Value> {
    let mut items = Vec::new();
    each_element(messages, |text| {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        match message["role"].as_str() {
            Some("tool") => items.push(json!({
                "type": "function_call_output", "call_id": message["tool_call_id"], "output": plain(&message["content"]),
            })),
            Some("assistant") => {
                let text = plain(&message["content"]);
                if !text.is_empty() {
                    let content = json!([{"type": "output_text", "text": text}]);
                    items.push(json!({"type": "message", "role": "assistant", "content": content}));
                }
                let calls = message["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default();
                items.extend(calls.iter().map(|call| {
                    let function = &call["function"];
                    json!({"type": "function_call", "call_id": call["id"], "name": function["name"], "arguments": function["arguments"]})
                }));
            }
            Some(role) => {
                items.push(json!({"type": "message", "role": role, "content": parts(&message["content"])}));
            }
            None => {}
        }
    });
    items
}

/// A content's text.
fn plain(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}

fn parts(content: &Value) -> Value {
    let Value::Array(parts) = content else {
        return json!([{"type": "input_text", "text": plain(content)}]);
    };
    parts
        .iter()
        .map(|part| match part["type"].as_str() {
            Some("text") => json!({"type": "input_text", "text": part["text"]}),
            Some("image_url") => {
                let image = &part["image_url"];
                let detail = image["detail"].as_str().unwrap_or("auto");
                json!({"type": "input_image", "image_url": image["url"], "detail": detail})
            }
            Some("file") => {
                let mut file = part["file"].clone();
                file["type"] = "input_file".into();
                file
            }
            // What nobody here has to understand.
            _ => part.clone(),
        })
        .collect()
}

/// The form of the text, and how much of it.
fn text(chat: &Body) -> Option<Body> {
    let mut text = Body::default();
    if let Some(verbosity) = said(chat, "verbosity") {
        text.set_text("verbosity", verbosity.to_owned());
    }
    if let Some(mut format) = chat.object("response_format") {
        // What is said of a schema stands within a field of its own here, and beside the type there.
        if let Some(schema) = format.object("json_schema") {
            format.remove("json_schema");
            for (name, value) in schema.iter() {
                format.set_text(name, value.to_owned());
            }
        }
        text.set_text("format", format.to_string());
    }
    (text.iter().count() > 0).then_some(text)
}

fn set_tools(body: &mut Body, chat: &Body) {
    let mut tools = Vec::new();
    each_element(said(chat, "tools").unwrap_or_default(), |text| {
        let tool = Body::parse(&ByteString::from(text)).ok();
        match tool.as_ref().and_then(|tool| tool.object("function")) {
            Some(mut function) => {
                function.set("type", &"function".into());
                tools.push(function.to_string());
            }
            None => tools.push(text.to_owned()),
        }
    });
    if tools.is_empty() {
        return;
    }
    body.set_text("tools", format!("[{}]", tools.join(",")));
    let Some(choice) = said(chat, "tool_choice") else { return };
    let read: Value = serde_json::from_str(choice).unwrap_or_default();
    match read["function"]["name"].as_str() {
        Some(name) => body.set("tool_choice", &json!({"type": "function", "name": name})),
        None => body.set_text("tool_choice", choice.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(chat: Value) -> Value {
        let body = from_chat(&Body::parse(&chat.to_string().into()).expect("a body")).expect("a request");
        serde_json::from_str(&body.to_string()).expect("JSON")
    }

    #[test]
    fn messages_are_items_and_calls_stand_beside_what_was_said() {
        let chat = json!({"model": "m", "max_tokens": 9, "seed": 7, "reasoning_effort": "low", "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "u"}},
                {"type": "file", "file": {"filename": "a", "file_data": "d"}}]},
            {"role": "assistant", "content": "wait", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "7"},
        ]});
        let expected = json!({"model": "m", "max_output_tokens": 9, "reasoning": {"effort": "low"}, "stream": true, "store": false, "input": [
            {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "be brief"}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "see"},
                {"type": "input_image", "image_url": "u", "detail": "auto"}, {"type": "input_file", "filename": "a", "file_data": "d"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "wait"}]},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "7"},
        ]});
        assert_eq!(asked(chat), expected);
    }

    #[test]
    fn tools_and_formats_are_said_in_the_other_words() {
        let function = json!({"name": "f", "parameters": {"type": "object"}});
        let chat = json!({"model": "m", "messages": [], "tools": [{"type": "function", "function": function}],
            "tool_choice": {"type": "function", "function": {"name": "f"}}, "verbosity": "low",
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}});
        let asked = asked(chat);
        assert_eq!(asked["tools"], json!([{"type": "function", "name": "f", "parameters": {"type": "object"}}]));
        assert_eq!(asked["tool_choice"], json!({"type": "function", "name": "f"}));
        let format = json!({"type": "json_schema", "name": "n", "schema": {"type": "object"}});
        assert_eq!(asked["text"], json!({"verbosity": "low", "format": format}));
    }

    #[test]
    fn several_choices_cannot_be_had() {
        let chat = Body::parse(&json!({"model": "m", "messages": [], "n": 2}).to_string().into()).expect("a body");
        assert_eq!(from_chat(&chat).expect_err("refused")["param"], "n");
    }
}
