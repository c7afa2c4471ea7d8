//! Models as OpenAI lists them: `{"object":"list","data":[…]}`.

use serde_json::{Value, json};

/// Who is said to own a model of which nobody says it.
const OWNER: &str = "sophie";

/// A model of which only the name is known.
pub fn named(id: &str) -> Value {
    json!({ "id": id, "object": "model", "created": 0, "owned_by": OWNER })
}

/// The name by which a model is asked.
pub fn id(model: &Value) -> Option<&str> {
    model.get("id").and_then(Value::as_str)
}

/// Adds what OpenAI's clients rely on. Some servers say no more than the name.
pub fn complete(model: &mut Value) {
    let Some(fields) = model.as_object_mut() else { return };
    fields.entry("object").or_insert("model".into());
    fields.entry("created").or_insert(0.into());
    fields.entry("owned_by").or_insert(OWNER.into());
}

/// The list of these models.
pub fn list(models: Vec<Value>) -> Value {
    json!({ "object": "list", "data": models })
}

/// The models of a list; `None` for what is none.
pub fn of_list(list: &[u8]) -> Option<Vec<Value>> {
    let mut list: Value = serde_json::from_slice(list).ok()?;
    match list.get_mut("data").map(Value::take) {
        Some(Value::Array(models)) => Some(models),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_is_written_and_a_bare_name_is_made_a_model() {
        let mut bare = json!({ "id": "m", "x": 1 });
        complete(&mut bare);
        assert_eq!((id(&bare), &bare["owned_by"], &bare["x"]), (Some("m"), &json!("sophie"), &json!(1)));
        let models = vec![named("a"), bare];
        assert_eq!(of_list(list(models.clone()).to_string().as_bytes()), Some(models));
        assert_eq!((of_list(b"[]"), of_list(br#"{"data":{}}"#)), (None, None));
    }
}
