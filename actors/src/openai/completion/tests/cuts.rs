//! A body cut into the chunks of a stream, drawn by lot: where texts are cut, in characters too, which pieces come together, and how the
//! pieces of several choices mix.

use std::collections::VecDeque;

use bytestring::ByteString;
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};

/// Marks half a character in a piece, its unit of UTF-16 behind it: Rust's texts have none. It becomes the escape that JSON has for it.
const ESCAPE: &str = "@unit:";

/// The chunks of an answer.
pub fn any(random: &mut StdRng, body: &Value) -> Vec<ByteString> {
    let mut frame = body.as_object().cloned().unwrap_or_default();
    let choices = frame.remove("choices").unwrap_or_default();
    let usage = frame.remove("usage");
    frame.insert("object".into(), "chat.completion.chunk".into());
    let further: Vec<_> = ["system_fingerprint", "service_tier", "x_unknown"]
        .iter()
        .filter_map(|name| Some((*name, frame.remove(*name)?)))
        .collect();
    let mut pieces: Vec<VecDeque<Value>> =
        choices.as_array().into_iter().flatten().map(|choice| cut_choice(random, choice)).collect();
    let mut chunks = Vec::new();
    while pieces.iter().any(|pieces| !pieces.is_empty()) {
        // Most chunks are of one choice, some of several, some of none.
        let mut together = Vec::new();
        for pieces in &mut pieces {
            if random.random_bool(0.4) {
                together.extend(pieces.pop_front());
            }
        }
        chunks.push(with(&frame, "choices", together.into()));
    }
    for (name, value) in further {
        let at = random.random_range(0..chunks.len());
        chunks[at].insert(name.into(), value);
    }
    if let Some(usage) = usage {
        chunks.push(with(&with(&frame, "choices", json!([])), "usage", usage));
    }
    // One chunk alone would be taken for a body that came whole.
    chunks.push(with(&frame, "choices", json!([])));
    chunks.into_iter().map(written).collect()
}

/// A chunk as text, with the halves of characters that were marked.
fn written(chunk: Map<String, Value>) -> ByteString {
    let mut text = Value::Object(chunk).to_string();
    while let Some(at) = text.find(ESCAPE) {
        let digits = at + ESCAPE.len();
        let escaped = format!("\\u{}", &text[digits..digits + 4]);
        text.replace_range(at..digits + 4, &escaped);
    }
    text.into()
}

fn with(fields: &Map<String, Value>, name: &str, value: Value) -> Map<String, Value> {
    let mut fields = fields.clone();
    fields.insert(name.into(), value);
    fields
}

/// The pieces of a choice: its role, what it says in an order drawn by lot, its end.
fn cut_choice(random: &mut StdRng, choice: &Value) -> VecDeque<Value> {
    let index = &choice["index"];
    let piece = |delta: Value| json!({ "index": index, "delta": delta, "finish_reason": null });
    let mut said: Vec<VecDeque<Value>> = Vec::new();
    let message = choice["message"].as_object().into_iter().flatten().filter(|(name, _)| *name != "role");
    for (name, value) in message {
        let deltas: VecDeque<Value> = match (name.as_str(), value) {
            ("tool_calls", Value::Array(calls)) => {
                // In streams calls are numbered, and one comes after the other.
                (0..).zip(calls).flat_map(|(number, call)| cut_call(random, number, call)).collect()
            }
            ("function_call", call) => cut_field(random, call, "arguments").map(|it| json!({ name: it })).collect(),
            ("audio", audio) => cut_field(random, audio, "transcript").map(|it| json!({ name: it })).collect(),
            ("x_note", note) => [json!({ name: note })].into(),
            (_, Value::String(text)) => cut(random, text).into_iter().map(|text| json!({ name: text })).collect(),
            (_, Value::Array(parts)) if !parts.is_empty() => parts.iter().map(|part| json!({ name: [part] })).collect(),
            (_, other) => [json!({ name: other })].into(),
        };
        said.push(deltas.into_iter().map(piece).collect());
    }
    if let Some(logprobs) = choice["logprobs"].as_object() {
        let each = logprobs["content"].as_array().into_iter().flatten();
        let lists = each.map(|one| json!([one])).chain([json!([])]);
        let pieces = lists.map(|list| {
            json!({ "index": index, "delta": {}, "logprobs": { "content": list, "refusal": null }, "finish_reason": "" })
        });
        said.push(pieces.collect());
    }
    let mut pieces: VecDeque<Value> = [piece(json!({ "role": "assistant", "content": null }))].into();
    while said.iter().any(|rest| !rest.is_empty()) {
        let at = random.random_range(0..said.len());
        pieces.extend(said[at].pop_front());
    }
    let mut end = json!({ "index": index, "delta": {}, "logprobs": null, "finish_reason": choice["finish_reason"] });
    if let Some(results) = choice.get("content_filter_results") {
        end["content_filter_results"] = results.clone();
    }
    pieces.push_back(end);
    pieces
}

fn cut_call(random: &mut StdRng, number: usize, call: &Value) -> Vec<Value> {
    let (kind, text) = if call.get("function").is_some() { ("function", "arguments") } else { ("custom", "input") };
    let mut pieces: Vec<Value> = cut_field(random, &call[kind], text).map(|piece| json!({ kind: piece })).collect();
    for piece in &mut pieces {
        piece["index"] = number.into();
    }
    (pieces[0]["id"], pieces[0]["type"]) = (call["id"].clone(), call["type"].clone());
    pieces.into_iter().map(|piece| json!({ "tool_calls": [piece] })).collect()
}

/// An object, one text of which comes in pieces: everything else comes with the first of them.
fn cut_field(random: &mut StdRng, object: &Value, name: &str) -> impl Iterator<Item = Value> {
    let texts = cut(random, object[name].as_str().unwrap_or_default());
    let mut first = Some(object.clone());
    texts.into_iter().map(move |text| {
        let mut piece = first.take().unwrap_or_else(|| json!({}));
        piece[name] = text.into();
        piece
    })
}

/// The pieces of a text: one at least, some of them empty, some with half a character at an end.
fn cut(random: &mut StdRng, text: &str) -> Vec<String> {
    let units: Vec<u16> = text.encode_utf16().collect();
    let (mut pieces, mut rest) = (Vec::new(), units.as_slice());
    while !rest.is_empty() || pieces.is_empty() {
        let (piece, more) = rest.split_at(random.random_range(0..=rest.len().min(6)));
        let characters = char::decode_utf16(piece.iter().copied());
        pieces.push(
            characters.map(|it| it.map_or_else(|half| marked(half.unpaired_surrogate()), String::from)).collect(),
        );
        rest = more;
    }
    pieces
}

fn marked(half: u16) -> String {
    format!("{ESCAPE}{half:04x}")
}
