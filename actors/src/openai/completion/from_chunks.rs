//! An answer's chunks joined to the `chat.completion` that says the same. Pure.

use std::collections::BTreeMap;

use bytestring::ByteString;
use serde_json::{Map, Value, json};

use crate::openai::halves;

/// Fields whose pieces make one text.
const TEXTS: [&str; 4] = ["refusal", "reasoning", "reasoning_content", "thinking"];
/// Fields that the first chunk which has something to say decides: some servers send empty ones before and after.
const NAMES: [&str; 5] = ["id", "model", "created", "role", "type"];

/// Joins an answer's chunks. What is no JSON object adds nothing; an answer's chunks all are.
pub fn from_chunks(chunks: &[ByteString]) -> Value {
    let mut body = Map::new();
    let mut choices: BTreeMap<u64, Map<String, Value>> = BTreeMap::new();
    // A body that came whole says already all that it has to say.
    let in_pieces = chunks.len() > 1;
    let mut is_mended = false;
    for chunk in chunks {
        let mut parsed = serde_json::from_str(chunk);
        if let (Err(_), Some(mended)) = (&parsed, halves::mend(chunk)) {
            // A character that was cut in two: its other half is in another chunk.
            is_mended = true;
            parsed = serde_json::from_str(&mended);
        }
        let Ok(Value::Object(chunk)) = parsed else { continue };
        for (name, value) in chunk {
            match (name.as_str(), value) {
                ("choices", Value::Array(pieces)) => {
                    for (place, piece) in (0..).zip(pieces) {
                        add_choice(&mut choices, place, piece);
                    }
                }
                // Padding of streams alone.
                ("choices" | "object" | "obfuscation", _) => {}
                (_, value) => put(&mut body, name, value),
            }
        }
    }
    let choices = choices.into_iter().map(|(index, choice)| finish(index, choice, in_pieces)).collect();
    body.insert("object".into(), "chat.completion".into());
    body.insert("choices".into(), Value::Array(choices));
    let mut body = Value::Object(body);
    if is_mended {
        halves::join_all(&mut body);
    }
    body
}

fn add_choice(choices: &mut BTreeMap<u64, Map<String, Value>>, place: u64, piece: Value) {
    let Value::Object(piece) = piece else { return };
    let index = piece.get("index").and_then(Value::as_u64).unwrap_or(place);
    let choice = choices.entry(index).or_default();
    for (name, value) in piece {
        match (name.as_str(), value) {
            ("index", _) => {}
            ("delta", Value::Object(delta)) => {
                let message = choice.entry("message").or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(message) = message {
                    add_delta(message, delta);
                }
            }
            ("delta", _) => {}
            ("logprobs", Value::Object(more)) => add_lists(choice.entry("logprobs").or_insert(Value::Null), more),
            // Some servers send "" where others send null.
            ("finish_reason", Value::String(reason)) if reason.is_empty() => put(choice, name, Value::Null),
            (_, value) => put(choice, name, value),
        }
    }
}

fn add_delta(message: &mut Map<String, Value>, delta: Map<String, Value>) {
    for (name, value) in delta {
        match (name.as_str(), value) {
            ("tool_calls", Value::Array(calls)) => {
                let known = message.entry("tool_calls").or_insert(Value::Null);
                if !known.is_array() {
                    *known = Value::Array(Vec::new());
                }
                if let Value::Array(known) = known {
                    calls.into_iter().for_each(|call| add_call(known, call));
                }
            }
            ("function_call", Value::Object(more)) => {
                add_texts(message.entry("function_call").or_insert(Value::Null), more, &["arguments"]);
            }
            ("audio", Value::Object(more)) => {
                add_texts(message.entry("audio").or_insert(Value::Null), more, &["data", "transcript"]);
            }
            ("content", value) => add_content(message.entry("content").or_insert(Value::Null), value),
            (text, value) if TEXTS.contains(&text) => append(message, name, value),
            (_, Value::Array(more)) => append(message, name, Value::Array(more)),
            (_, value) => put(message, name, value),
        }
    }
}

/// Puts content together: texts are a text, and once there is a list, it stays one, with later texts as parts of it.
fn add_content(known: &mut Value, more: Value) {
    let part = |text: String| json!({"type": "text", "text": text});
    match (&mut *known, more) {
        (Value::String(known), Value::String(more)) => known.push_str(&more),
        (Value::Array(known), Value::Array(more)) => known.extend(more),
        (Value::Array(_), Value::String(more)) if more.is_empty() => {}
        (Value::Array(known), Value::String(more)) => match known.last_mut() {
            Some(Value::Object(last)) if last.get("type").is_some_and(|kind| kind == "text") => {
                append(last, "text".into(), more.into());
            }
            _ => known.push(part(more)),
        },
        (Value::String(text), Value::Array(mut more)) if !text.is_empty() => {
            more.insert(0, part(std::mem::take(text)));
            *known = Value::Array(more);
        }
        (Value::Null, more) => *known = more,
        (_, Value::Null) => {}
        (_, more) => *known = more,
    }
}

/// A piece of a tool call: to the one of its number, else of its id, else to the last one. The number stays with it until the end.
/// Some servers give all calls the same number: a piece with another id begins another call.
fn add_call(calls: &mut Vec<Value>, piece: Value) {
    let Value::Object(piece) = piece else { return };
    let number = piece.get("index").filter(|number| !number.is_null());
    let id = piece.get("id").filter(|id| id.as_str().is_some_and(|id| !id.is_empty()));
    let found = match (number, id) {
        (Some(number), Some(id)) => {
            let same = |call: &Value| call.get("index") == Some(number);
            let nameless = |call: &Value| call.get("id").is_none_or(|id| id.is_null() || *id == "");
            let named = calls.iter().position(|call| same(call) && call.get("id") == Some(id));
            named.or_else(|| calls.iter().rposition(|call| same(call) && nameless(call)))
        }
        (Some(number), None) => calls.iter().rposition(|call| call.get("index") == Some(number)),
        (None, Some(id)) => calls.iter().position(|call| call.get("id") == Some(id)),
        (None, None) => calls.len().checked_sub(1),
    };
    let at = found.unwrap_or_else(|| {
        calls.push(Value::Object(Map::new()));
        calls.len() - 1
    });
    let Some(Value::Object(call)) = calls.get_mut(at) else { return };
    for (name, value) in piece {
        match (name.as_str(), value) {
            ("function", Value::Object(more)) => {
                add_texts(call.entry("function").or_insert(Value::Null), more, &["arguments"]);
            }
            // A tool that takes any text.
            ("custom", Value::Object(more)) => {
                add_texts(call.entry("custom").or_insert(Value::Null), more, &["input"]);
            }
            ("id", value) => put_first(call, name, value),
            (_, value) => put(call, name, value),
        }
    }
}

/// Joins objects: these fields are texts in pieces, a name is told once, everything else is as it was told last.
fn add_texts(known: &mut Value, more: Map<String, Value>, texts: &[&str]) {
    if !known.is_object() {
        *known = Value::Object(Map::new());
    }
    let Value::Object(known) = known else { return };
    for (name, value) in more {
        if texts.contains(&name.as_str()) {
            append(known, name, value);
        } else if matches!(name.as_str(), "name" | "id") {
            put_first(known, name, value);
        } else {
            put(known, name, value);
        }
    }
}

/// Joins objects of lists.
fn add_lists(known: &mut Value, more: Map<String, Value>) {
    match known {
        Value::Object(known) => more.into_iter().for_each(|(name, value)| append(known, name, value)),
        _ => *known = Value::Object(more),
    }
}

/// Puts texts and lists behind each other; of other values the last one that says something counts.
fn append(known: &mut Map<String, Value>, name: String, value: Value) {
    match (known.get_mut(&name), value) {
        (Some(Value::String(known)), Value::String(more)) => known.push_str(&more),
        (Some(Value::Array(known)), Value::Array(more)) => known.extend(more),
        (_, value) => put(known, name, value),
    }
}

/// The last value that says something counts; names are told first.
fn put(known: &mut Map<String, Value>, name: String, value: Value) {
    if NAMES.contains(&name.as_str()) {
        put_first(known, name, value);
    } else if !value.is_null() || !known.contains_key(&name) {
        known.insert(name, value);
    }
}

fn put_first(known: &mut Map<String, Value>, name: String, value: Value) {
    let says_nothing = |value: &Value| value.is_null() || *value == "" || *value == 0;
    match known.get(&name) {
        Some(known) if !says_nothing(known) || says_nothing(&value) => {}
        _ => _ = known.insert(name, value),
    }
}

fn finish(index: u64, mut choice: Map<String, Value>, in_pieces: bool) -> Value {
    let message = choice.entry("message").or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(message) = message {
        let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
        // Only in streams are tool calls numbered.
        calls.into_iter().flatten().filter_map(Value::as_object_mut).for_each(|call| _ = call.remove("index"));
        if in_pieces {
            message.entry("role").or_insert_with(|| "assistant".into());
            message.entry("content").or_insert(Value::Null);
        }
    }
    if in_pieces {
        choice.entry("logprobs").or_insert(Value::Null);
    }
    choice.insert("index".into(), index.into());
    Value::Object(choice)
}

#[cfg(test)]
mod tests;
