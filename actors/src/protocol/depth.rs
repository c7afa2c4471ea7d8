//! How deep JSON may be nested: what is logged must be read again by everybody, whatever stands around it there.

use serde_json::{Map, Value};

/// Objects and lists within each other in a message's `metadata`, which itself counts as one. Readers of JSON stop at 100 to 128.
pub const METADATA_DEPTH: usize = 32;
/// The same in an `event` of an application, which is passed on and not logged.
pub const EVENT_DEPTH: usize = 100;

/// Whether objects and lists lie deeper than `most` within each other.
pub fn is_deeper(value: &Value, most: usize) -> bool {
    match value {
        Value::Object(map) => is_map_deeper(map, most),
        Value::Array(list) => most == 0 || list.iter().any(|item| is_deeper(item, most - 1)),
        _ => false,
    }
}

/// [`is_deeper`] of an object.
pub fn is_map_deeper(map: &Map<String, Value>, most: usize) -> bool {
    most == 0 || map.values().any(|value| is_deeper(value, most - 1))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_and_lists_are_counted_from_the_outermost() {
        let map = |value: Value| value.as_object().expect("an object").clone();
        assert!(!is_map_deeper(&map(json!({})), 1));
        assert!(!is_map_deeper(&map(json!({"a": 1, "b": "[[["})), 1));
        assert!(is_map_deeper(&map(json!({"a": []})), 1));
        assert!(!is_map_deeper(&map(json!({"a": [{"b": 1}, 2]})), 3));
        assert!(is_map_deeper(&map(json!({"a": [2, {"b": {}}]})), 3));
        assert!(!is_deeper(&json!(7), 0));
    }
}
