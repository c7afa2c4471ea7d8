//! From the parts to the documents.

use serde_json::{Map, Value, json};

use super::part::Part;
use super::references::keep_the_named;

/// The sections of OpenAPI's `components`.
const OPENAPI_COMPONENTS: [&str; 5] = ["schemas", "responses", "parameters", "headers", "securitySchemes"];
/// Stands in a path that answers HEAD as it answers GET.
const ALSO_HEAD: &str = "x-also-head";

/// OpenAPI 3.1.
pub(super) fn openapi(parts: &[Part]) -> Value {
    let mut document = base(include_str!("openapi.json"));
    let paths = merged(parts, "paths").into_iter().map(|(path, item)| (path, with_head(item)));
    document.insert("paths".into(), paths.collect::<Map<_, _>>().into());
    let components = OPENAPI_COMPONENTS.map(|section| (section.to_owned(), Value::Object(merged(parts, section))));
    document.insert("components".into(), components.into_iter().collect::<Map<_, _>>().into());
    keep_the_named(&mut document);
    document.into()
}

/// AsyncAPI 3.
pub(super) fn asyncapi(parts: &[Part]) -> Value {
    let mut document = base(include_str!("asyncapi.json"));
    let (mut channels, mut operations) = (Map::new(), Map::new());
    let schemas = merged(parts, "schemas");
    for (name, mut channel) in merged(parts, "channels") {
        let mut messages = Map::new();
        // What is received by the service, and what it sends.
        for (action, of) in [("receive", "x-receives"), ("send", "x-sends")] {
            let Some(Value::Object(all)) = channel.as_object_mut().and_then(|fields| fields.remove(of)) else {
                continue;
            };
            let refer = |kind: &String| json!({"$ref": format!("#/channels/{name}/messages/{kind}")});
            let operation = json!({
                "action": action,
                "channel": {"$ref": format!("#/channels/{name}")},
                "messages": all.keys().map(refer).collect::<Vec<_>>(),
            });
            operations.insert(format!("{name}.{action}"), operation);
            messages.extend(all.into_iter().map(|(name_there, schema)| {
                let message = message(&schema, &schemas);
                (name_there, message)
            }));
        }
        channel["messages"] = messages.into();
        channels.insert(name, channel);
    }
    document.insert("channels".into(), channels.into());
    document.insert("operations".into(), operations.into());
    document.insert("components".into(), json!({"schemas": schemas}));
    keep_the_named(&mut document);
    document.into()
}

fn base(text: &str) -> Map<String, Value> {
    let mut base: Map<String, Value> = serde_json::from_str(text).expect("the base of a document is a JSON object");
    if let Some(info) = base.get_mut("info") {
        info["version"] = env!("CARGO_PKG_VERSION").into();
    }
    base
}

fn merged(parts: &[Part], section: &str) -> Map<String, Value> {
    let entries = parts.iter().flat_map(|part| part.section(section));
    entries.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A message of a channel, whose payload is the schema of a name. In the channel it may have a name of its own, since a question and its
/// answer can be of one type.
fn message(schema: &Value, schemas: &Map<String, Value>) -> Value {
    let name = schema.as_str().unwrap_or_default();
    let known = schemas.get(name).unwrap_or(&Value::Null);
    let payload = json!({"$ref": format!("#/components/schemas/{name}")});
    json!({"name": kind(known), "summary": known["description"], "payload": payload})
}

/// The type of a message on the wire, which all of its forms share.
pub(super) fn kind(schema: &Value) -> &Value {
    match &schema["properties"]["type"]["const"] {
        Value::Null => &schema["oneOf"][0]["properties"]["type"]["const"],
        kind => kind,
    }
}

/// HEAD is answered as GET, without a body.
fn with_head(mut item: Value) -> Value {
    let Some(fields) = item.as_object_mut() else { return item };
    if fields.remove(ALSO_HEAD).is_none() {
        return item;
    }
    let Some(mut head) = fields.get("get").cloned() else { return item };
    head["operationId"] = format!("{}Head", head["operationId"].as_str().unwrap_or_default()).into();
    head["summary"] = format!("The head alone: {}", head["summary"].as_str().unwrap_or_default()).into();
    if let Some(responses) = head["responses"].as_object_mut() {
        for response in responses.values_mut().filter_map(Value::as_object_mut) {
            response.remove("content");
        }
    }
    fields.insert("head".into(), head);
    item
}
