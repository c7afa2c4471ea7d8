//! Bytes that the real channels_redis, django-redis and cryptography wrote and read, in `vectors.json`.

use serde_json::Value;

/// The rows of a section (`fernet`), or of a part of one (`django_redis/keys`).
pub fn rows(path: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("vectors.json")).expect("JSON");
    let rows = all.pointer(&format!("/{path}")).and_then(Value::as_array).expect("an array").clone();
    assert!(!rows.is_empty());
    rows
}

/// What must be a text.
pub fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// What is written as hexadecimal digits.
pub fn bytes(hex: &Value) -> Vec<u8> {
    let hex = text(hex);
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}
