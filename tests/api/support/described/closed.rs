//! Closing schemas. To a client a field that it does not know means nothing, since a later version may add some; to a test it is one that
//! nobody has described.

use serde_json::Value;

/// Lets every object whose fields are described have no others, unless it is said to be open.
pub(super) fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(close);
            // Of a table of schemas `properties` could be a name: then it is none of these.
            if fields.get("properties").is_some_and(Value::is_object) && !fields.contains_key("additionalProperties") {
                fields.insert("additionalProperties".into(), false.into());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// The same of the schemas that stand in the bodies of a document.
pub(super) fn close_contents(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match name.as_str() {
                    "schema" | "x-item-schema" => close(value),
                    _ => close_contents(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close_contents),
        _ => {}
    }
}
