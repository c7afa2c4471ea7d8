//! The cache key: what makes two requests the same question. Pure.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::ids::{GroupName, UserId, hex};
use crate::openai::{Body, each_element, each_field, quoted};

/// Changes when entries of older versions must not be read any more.
const SCHEMA: u32 = 2;

/// Fields that do not change what is answered.
const IGNORED: [&str; 5] = ["stream", "stream_options", "user", "metadata", "store"];

/// Who may share an answer. No answer ever crosses a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everyone.
    Global,
    /// The members of a group.
    Group(GroupName),
    /// One user.
    User(UserId),
    /// Whoever holds the API key of this digest.
    Key(String),
}

impl Scope {
    fn canonical(&self) -> Value {
        match self {
            Self::Global => Value::from("global"),
            Self::Group(group) => Value::from(vec!["group", group.as_str()]),
            Self::User(user) => Value::from(vec!["user", user.as_str()]),
            Self::Key(name) => Value::from(vec!["key", name.as_str()]),
        }
    }
}

/// SHA-256, in lower-case hex, over the canonical JSON of schema, scope and every field that matters, known or not. The order of the
/// fields and of those of a message does not matter, any order inside them does: a model writes what a schema names first before the
/// rest.
pub fn digest(scope: &Scope, request: &Body) -> String {
    let mut fields: Vec<_> = request.iter().filter(|(name, _)| !IGNORED.contains(name)).collect();
    fields.sort_unstable_by_key(|(name, _)| *name);
    let mut sha = Sha256::new();
    sha.update(format!("[{SCHEMA},{},{{", scope.canonical()));
    for (name, value) in fields {
        sha.update(quoted(name));
        sha.update(":");
        match name {
            "messages" => each_element(value, |message| add_message(&mut sha, message)),
            _ => add_canonical(&mut sha, value),
        }
        sha.update(",");
    }
    sha.update("}]");
    hex(sha.finalize())
}

/// Adds a message: who speaks and what is said, whichever of them stands first.
fn add_message(sha: &mut Sha256, message: &str) {
    if !message.starts_with('{') {
        add_canonical(sha, message);
    } else {
        let mut fields = Vec::with_capacity(4);
        each_field(message, |name, value| fields.push((name.to_owned(), value)));
        fields.sort_by(|(one, _), (other, _)| one.cmp(other));
        sha.update("{");
        for (name, value) in fields {
            sha.update(quoted(&name));
            sha.update(":");
            add_canonical(sha, value);
            sha.update(",");
        }
        sha.update("}");
    }
    sha.update(",");
}

/// Adds a JSON text as everybody would write it: without space between its tokens, each letter in one way.
fn add_canonical(sha: &mut Sha256, json: &str) {
    let mut rest = json;
    while let Some(at) = rest.find(['"', ' ', '\t', '\n', '\r']) {
        sha.update(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with('"') {
            let (text, escaped) = text_at(rest);
            match escaped.then(|| serde_json::from_str::<String>(text).ok()).flatten() {
                Some(plain) => sha.update(quoted(&plain)),
                None => sha.update(text),
            }
            rest = &rest[text.len()..];
        } else {
            rest = rest.trim_start();
        }
    }
    sha.update(rest);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn map(json: &str) -> Body {
        Body::parse(&json.to_owned().into()).expect("object")
    }

    #[test]
    fn the_order_of_fields_and_how_it_is_sent_and_written_do_not_matter() {
        let base = digest(&Scope::Global, &map(r#"{"model":"m","messages":[{"role":"user","content":"é\n/\"\\"}]}"#));
        for same in [
            r#"{"messages":[{"content":"é\n/\"\\","role":"user"}],"model":"m","stream":true,"user":"x","stream_options":{}}"#,
            "{ \"model\" :\t\"m\",\r\n\"messages\" : [ { \"role\": \"user\", \"content\": \"\\u00e9\\u000a\\/\\\"\\\\\" } ] }",
        ] {
            assert_eq!(base, digest(&Scope::Global, &map(same)), "{same}");
        }
    }

    #[test]
    fn everything_else_matters_the_order_inside_a_field_and_each_space_of_a_text_too() {
        let bodies = [
            r#"{"model":"m","f":{"properties":{"reasoning":1,"answer":2}}}"#,
            r#"{"model":"m","f":{"properties":{"answer":2,"reasoning":1}}}"#,
            r#"{"model":"m","f":{"properties":{"reasoning":1,"answer":2}},"x_unknown":1}"#,
            r#"{"model":"m","f":{"properties":{"reasoning":1,"answer":12345678901234567890123}}}"#,
            r#"{"model":"m","f":{"properties":{"reasoning":1,"answer":12345678901234567890124}}}"#,
            r#"{"model":"m","f":" a"}"#,
            r#"{"model":"m","f":"a"}"#,
            r#"{"model":"m","f":["a","b"]}"#,
            r#"{"model":"m","f":["a\",\"b"]}"#,
            r#"{"model":"m","messages":[{"role":"user","content":[{"a":1,"b":2}]}]}"#,
            r#"{"model":"m","messages":[{"role":"user","content":[{"b":2,"a":1}]}]}"#,
            r#"{"model":"m","messages":[{"role":"user","content":1},{}]}"#,
            r#"{"model":"m","messages":[{"role":"user","content":1,"x":{}}]}"#,
            r#"{"model":"m","f":1}"#,
            r#"{"model":"m","f":"1"}"#,
        ];
        let digests: Vec<_> = bodies.iter().map(|body| digest(&Scope::Global, &map(body))).collect();
        for (at, one) in digests.iter().enumerate() {
            assert!(digests.iter().skip(at + 1).all(|other| other != one), "{}", bodies[at]);
        }
    }

    #[test]
    fn no_answer_crosses_a_scope() {
        let request = map(r#"{"model":"m"}"#);
        let group = GroupName::parse("alice").expect("legal");
        let digests = [
            digest(&Scope::Global, &request),
            digest(&Scope::Group(group), &request),
            digest(&Scope::User(UserId::from("alice")), &request),
            digest(&Scope::User(UserId::from("bob")), &request),
            digest(&Scope::Key("alice".into()), &request),
            digest(&Scope::Key("bob".into()), &request),
        ];
        for (at, one) in digests.iter().enumerate() {
            assert!(digests.iter().skip(at + 1).all(|other| other != one));
        }
    }
}
