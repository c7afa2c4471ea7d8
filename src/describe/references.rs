//! References within a document: only what something refers to stays in its `components`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Leaves out the components that nothing refers to, directly or by way of others.
pub(super) fn keep_the_named(document: &mut Map<String, Value>) {
    let Some(Value::Object(components)) = document.remove("components") else { return };
    let mut named = BTreeSet::new();
    let mut waiting: Vec<String> = document.values().flat_map(references).collect();
    while let Some(name) = waiting.pop() {
        if let Some(value) = find(&components, &name)
            && named.insert(name)
        {
            waiting.extend(references(value));
        }
    }
    let mut kept = Map::new();
    for (section, entries) in components {
        let Value::Object(mut entries) = entries else { continue };
        // These are named by their bare names.
        if section != "securitySchemes" {
            entries.retain(|name, _| named.contains(&format!("{section}/{name}")));
        }
        if !entries.is_empty() {
            kept.insert(section, entries.into());
        }
    }
    document.insert("components".into(), kept.into());
}

fn find<'a>(components: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let (section, entry) = name.split_once('/')?;
    components.get(section)?.get(entry)
}

/// The components that a value names: `schemas/Message`.
fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| match (name.as_str(), value) {
                ("$ref", Value::String(to)) => {
                    to.strip_prefix("#/components/").map(str::to_owned).into_iter().collect()
                }
                _ => references(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}
