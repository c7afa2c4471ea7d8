//! Comparing what is described with samples: the fields at every depth, by type.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The fields of each type.
pub(super) type Fields = BTreeMap<String, BTreeSet<String>>;

/// What holds whatever somebody else writes: its fields are not described.
const FOREIGN: [&str; 5] = ["metadata", "event", "input", "output", "messages"];

/// The fields of the schemas with these names.
pub(super) fn described<'a>(document: &Value, schemas: impl IntoIterator<Item = &'a str>) -> Fields {
    let mut fields = Fields::new();
    for name in schemas {
        let schema = super::schema(document, name);
        let kind = super::super::assembly::kind(schema).as_str().unwrap_or_else(|| panic!("{name} has no type"));
        let mut own = BTreeSet::new();
        fields_of(document, schema, "", &mut own);
        assert!(fields.insert(kind.to_owned(), own).is_none(), "{kind} is described twice");
    }
    fields
}

/// The fields of samples.
pub(super) fn sampled(samples: impl IntoIterator<Item = Value>) -> Fields {
    let mut fields = Fields::new();
    for sample in samples {
        let kind = sample["type"].as_str().expect("a type").to_owned();
        fields_in(&sample, "", fields.entry(kind).or_default());
    }
    fields
}

/// The fields of a schema: `logs`, `logs.*.epoch`.
fn fields_of(document: &Value, schema: &Value, under: &str, into: &mut BTreeSet<String>) {
    if let Some(to) = schema["$ref"].as_str() {
        return fields_of(document, document.pointer(to.trim_start_matches('#')).expect("a schema"), under, into);
    }
    for form in schema["oneOf"].as_array().into_iter().flatten() {
        fields_of(document, form, under, into);
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        into.insert(format!("{under}{name}"));
        fields_of(document, field, &format!("{under}{name}."), into);
    }
    // What is logged is a message of its own.
    for each in ["items", "additionalProperties"].map(|name| &schema[name]) {
        if each.is_object() && each["$ref"] != "#/components/schemas/LoggedEvent" {
            fields_of(document, each, &format!("{under}*."), into);
        }
    }
}

/// The fields of a value; what an array or a table holds has the name `*`.
fn fields_in(value: &Value, under: &str, into: &mut BTreeSet<String>) {
    for (name, field) in value.as_object().into_iter().flatten() {
        // A group is the name of an entry, not of a field.
        let name = if under == "logs." { "*" } else { name };
        if name != "*" {
            into.insert(format!("{under}{name}"));
        }
        if !FOREIGN.contains(&name) {
            fields_in(field, &format!("{under}{name}."), into);
        }
    }
    for item in value.as_array().into_iter().flatten() {
        fields_in(item, &format!("{under}*."), into);
    }
}
