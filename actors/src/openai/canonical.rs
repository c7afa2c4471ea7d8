//! What a request asks, written in one way whoever wrote it: two that are written alike are the same question. Pure.

use super::{Body, each_element, each_field, quoted};

/// Fields that do not change what is answered.
const IGNORED: [&str; 5] = ["stream", "stream_options", "user", "metadata", "store"];

/// Writes every field that matters, known or not. The order of the fields and of those of a message does not matter, any order inside
/// them does: a model writes what a schema names first before the rest.
pub fn write(request: &Body, mut write: impl FnMut(&str)) {
    let mut fields: Vec<_> = request.iter().filter(|(name, _)| !IGNORED.contains(name)).collect();
    fields.sort_unstable_by_key(|(name, _)| *name);
    for (name, value) in fields {
        write(&quoted(name));
        write(":");
        match name {
            "messages" => each_element(value, |message| write_message(message, &mut write)),
            _ => write_value(value, &mut write),
        }
        write(",");
    }
}

/// Writes a message: who speaks and what is said, whichever of them stands first.
fn write_message(message: &str, write: &mut impl FnMut(&str)) {
    if !message.starts_with('{') {
        write_value(message, write);
    } else {
        let mut fields = Vec::with_capacity(4);
        each_field(message, |name, value| fields.push((name.to_owned(), value)));
        fields.sort_by(|(one, _), (other, _)| one.cmp(other));
        write("{");
        for (name, value) in fields {
            write(&quoted(&name));
            write(":");
            write_value(value, write);
            write(",");
        }
        write("}");
    }
    write(",");
}

/// Writes a JSON text as everybody would write it: without space between its tokens, each letter in one way.
fn write_value(json: &str, write: &mut impl FnMut(&str)) {
    let mut rest = json;
    while let Some(at) = rest.find(['"', ' ', '\t', '\n', '\r']) {
        write(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with('"') {
            let (text, escaped) = text_at(rest);
            match escaped.then(|| serde_json::from_str::<String>(text).ok()).flatten() {
                Some(plain) => write(&quoted(&plain)),
                None => write(text),
            }
            rest = &rest[text.len()..];
        } else {
            rest = rest.trim_start();
        }
    }
    write(rest);
}

/// The quoted text that a JSON text begins with, and whether anything in it is escaped.
fn text_at(json: &str) -> (&str, bool) {
    let (mut escaped, mut from) = (false, 1);
    while let Some(at) = json[from..].find(['"', '\\']) {
        if json[from + at..].starts_with('"') {
            return (&json[..=from + at], escaped);
        }
        escaped = true;
        // What is escaped is one letter, or begins with one.
        from = (from + at + 2).min(json.len());
    }
    (json, escaped)
}
