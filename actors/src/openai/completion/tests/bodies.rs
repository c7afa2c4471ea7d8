//! Bodies as servers of all kinds write them, drawn by lot.

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};

const WORDS: [&str; 12] =
    ["a", " ", "\n", "Hello", "é", "😀", "\"", "\\", "{\"x\":1}", "\\ud83d", "中文", "data: [DONE]\n\n"];
const REASONS: [&str; 5] = ["stop", "length", "tool_calls", "content_filter", "tea_time"];

/// Any body.
pub fn any(random: &mut StdRng) -> Value {
    let choices: Vec<Value> = (0..random.random_range(1..=4_u64)).map(|index| choice(random, index)).collect();
    let mut body = json!({
        "id": format!("chatcmpl-{}", random.random_range(0..1_000_000)),
        "object": "chat.completion",
        "created": random.random_range(1..2_000_000_000),
        "model": "m",
        "choices": choices,
    });
    maybe(random, &mut body, "usage", usage);
    maybe(random, &mut body, "system_fingerprint", |_| json!("fp_1"));
    maybe(random, &mut body, "service_tier", |_| json!("flex"));
    maybe(random, &mut body, "x_unknown", value);
    body
}

fn choice(random: &mut StdRng, index: u64) -> Value {
    let reason = one_of(random, &REASONS);
    let mut choice = json!({ "index": index, "message": message(random), "finish_reason": reason, "logprobs": null });
    if random.random_bool(0.3) {
        choice["logprobs"] = json!({ "content": some(random, 0..4, logprob), "refusal": null });
    }
    maybe(random, &mut choice, "content_filter_results", value);
    choice
}

fn message(random: &mut StdRng) -> Value {
    let content = match random.random_range(0..10) {
        0 | 1 => Value::Null,
        2 => some(random, 1..4, part),
        _ => text(random),
    };
    let mut message = json!({ "role": "assistant", "content": content });
    for name in ["refusal", "reasoning", "reasoning_content", "thinking"] {
        maybe(random, &mut message, name, text);
    }
    if random.random_bool(0.4) {
        let calls = (0..random.random_range(1..4)).map(|number| call(random, number));
        message["tool_calls"] = calls.collect();
    }
    maybe(random, &mut message, "function_call", |random| json!({ "name": "f", "arguments": text(random) }));
    maybe(random, &mut message, "audio", |random| json!({ "id": "x", "transcript": text(random), "expires_at": 9 }));
    maybe(random, &mut message, "annotations", |random| some(random, 0..3, value));
    maybe(random, &mut message, "x_note", value);
    message
}

fn call(random: &mut StdRng, number: usize) -> Value {
    let id = format!("call_{number}");
    if random.random_bool(0.8) {
        json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": text(random) } })
    } else {
        json!({ "id": id, "type": "custom", "custom": { "name": "g", "input": text(random) } })
    }
}

fn part(random: &mut StdRng) -> Value {
    match random.random_range(0..3) {
        0 => json!({ "type": "thinking", "thinking": [{ "type": "text", "text": text(random) }] }),
        1 => json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,AA" } }),
        _ => json!({ "type": "text", "text": text(random) }),
    }
}

fn logprob(random: &mut StdRng) -> Value {
    json!({ "token": text(random), "logprob": -random.random_range(0.0..20.0), "top_logprobs": [] })
}

fn usage(random: &mut StdRng) -> Value {
    let (read, written) = (random.random_range(0..9_000), random.random_range(0..9_000));
    let details = json!({ "cached_tokens": 1 });
    json!({
        "prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written,
        "prompt_tokens_details": details,
    })
}

fn text(random: &mut StdRng) -> Value {
    (0..random.random_range(0..8)).map(|_| one_of(random, &WORDS)).collect::<String>().into()
}

/// Any value that says something.
fn value(random: &mut StdRng) -> Value {
    match random.random_range(0..5) {
        0 => json!(random.random_range(-1.0..1.0)),
        1 => json!(random.random_bool(0.5)),
        2 => json!({ "deep": [1, null, { "x": "y" }] }),
        3 => some(random, 0..3, text),
        _ => text(random),
    }
}

fn some(random: &mut StdRng, range: std::ops::Range<usize>, one: fn(&mut StdRng) -> Value) -> Value {
    (0..random.random_range(range)).map(|_| one(random)).collect()
}

fn one_of<'a>(random: &mut StdRng, all: &[&'a str]) -> &'a str {
    all[random.random_range(0..all.len())]
}

fn maybe(random: &mut StdRng, of: &mut Value, name: &str, value: impl FnOnce(&mut StdRng) -> Value) {
    let Some(fields): Option<&mut Map<_, _>> = of.as_object_mut() else { return };
    if random.random_bool(0.3) {
        fields.insert(name.to_owned(), value(random));
    }
}
