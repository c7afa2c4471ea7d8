//! Models as OpenAI lists them.

use serde_json::{Value, json};

/// OpenAI's object of a model of which only the name is known.
pub fn model_object(id: &str) -> Value {
    json!({ "id": id, "object": "model", "created": 0, "owned_by": "sophie" })
}
