//! The documents hold together, and say what the core says.

mod commands;
mod dialects;
mod events;
mod fields;
mod tables;

use std::collections::BTreeSet;

use serde_json::Value;

use super::Documents;
use super::part;

fn documents() -> Documents {
    Documents::new(part::USUAL_CHAT_PATH)
}

/// The schema of a name in a document.
fn schema<'a>(document: &'a Value, name: &str) -> &'a Value {
    let found = &document["components"]["schemas"][name];
    assert!(found.is_object(), "there is no schema {name}");
    found
}

fn references(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str().filter(|_| name == "$ref") {
                    Some(to) => _ = into.insert(to.to_owned()),
                    None => references(value, into),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, into)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_referred_to() {
    let Documents { openapi, asyncapi } = documents();
    let mut all = BTreeSet::new();
    for document in [&openapi.value, &asyncapi.value] {
        let mut named = BTreeSet::new();
        references(document, &mut named);
        assert!(named.len() > 50, "references are found");
        for reference in named {
            let pointer = reference.strip_prefix('#').expect("within the document");
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
            all.insert(reference);
        }
    }
    for part in part::all(part::USUAL_CHAT_PATH) {
        for (name, _) in part.section("schemas") {
            assert!(all.contains(&format!("#/components/schemas/{name}")), "nothing refers to {name}");
        }
    }
}

#[test]
fn no_name_is_given_twice() {
    for section in ["paths", "channels", "schemas", "responses", "parameters", "headers", "securitySchemes"] {
        let mut seen = BTreeSet::new();
        for part in part::all(part::USUAL_CHAT_PATH) {
            for (name, _) in part.section(section) {
                assert!(seen.insert(name.clone()), "{name} of {section} stands in two parts");
            }
        }
        assert!(!seen.is_empty(), "{section}");
    }
}

#[test]
fn an_operation_has_a_name_of_its_own_and_each_part_of_its_path_is_a_parameter() {
    let openapi = documents().openapi.value;
    let mut names = BTreeSet::new();
    for (path, item) in openapi["paths"].as_object().expect("paths") {
        let in_path: BTreeSet<&str> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        for (method, operation) in item.as_object().expect("methods") {
            let name = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no name"));
            assert!(names.insert(name.to_owned()), "{name} is the name of two operations");
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let parameters = parameters.map(|parameter| match parameter["$ref"].as_str() {
                Some(to) => openapi.pointer(to.trim_start_matches('#')).expect("a parameter"),
                None => parameter,
            });
            let described: BTreeSet<&str> =
                parameters.filter(|it| it["in"] == "path").filter_map(|it| it["name"].as_str()).collect();
            assert_eq!(described, in_path, "{method} {path}");
        }
    }
}

#[test]
fn the_chats_are_described_where_they_are() {
    let Documents { openapi, asyncapi } = Documents::new("/talk");
    assert!(openapi.value["paths"]["/talk/{chat}/stop"].is_object());
    assert_eq!(openapi.value["paths"].get("/api/chat"), None);
    assert!(openapi.value["paths"]["/ds/chat"].is_object());
    assert_eq!(asyncapi.value["channels"]["ai-sdk"]["address"], "/talk");
    assert_ne!(openapi.etag, documents().openapi.etag);
}

#[test]
fn what_answers_head_is_described_without_a_body() {
    let openapi = documents().openapi.value;
    let head = &openapi["paths"]["/health/ready"]["head"];
    assert_eq!(head["operationId"], "readyHead");
    assert_eq!(head["responses"]["200"].get("content"), None);
    assert!(openapi["paths"]["/health/ready"]["get"]["responses"]["200"]["content"].is_object());
    assert!(!openapi.to_string().contains("x-also-head"));
}
