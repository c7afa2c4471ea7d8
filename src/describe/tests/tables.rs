//! The tables of the core, word for word: codes, roles, protocols.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sophie_actors::protocol::{CacheStatus, CloseCode, ErrorCode, Protocol, Role, SUBPROTOCOL};

use super::{documents, schema};

/// The words that a schema allows.
fn words(document: &Value, name: &str) -> BTreeSet<String> {
    let words = schema(document, name)["enum"].as_array().expect("words");
    let set: BTreeSet<String> = words.iter().map(|word| word.as_str().expect("a word").to_owned()).collect();
    assert_eq!(set.len(), words.len(), "{name} has a word twice");
    set
}

fn written(values: &[Value]) -> BTreeSet<String> {
    values.iter().map(|value| value.as_str().expect("a word").to_owned()).collect()
}

#[test]
fn the_error_codes_are_those_of_the_core_and_all_of_them_are_known_over_http() {
    let documents = documents();
    let all: BTreeSet<String> = ErrorCode::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    assert_eq!(words(&documents.asyncapi.value, "ErrorCode"), all);
    // Over HTTP there are no frames that could be bad.
    let of_frames = ["bad_json", "unknown_type"].map(str::to_owned);
    let over_http = words(&documents.openapi.value, "HttpErrorCode");
    let unknown: Vec<_> = all.difference(&over_http).filter(|code| !of_frames.contains(code)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn the_other_words_are_those_of_the_core() {
    let documents = documents();
    let cache = [CacheStatus::Hit, CacheStatus::Miss, CacheStatus::Coalesced, CacheStatus::Bypass];
    assert_eq!(words(&documents.asyncapi.value, "CacheStatus"), written(&cache.map(|status| json!(status))));
    let roles = [Role::User, Role::Operator, Role::System, Role::Assistant];
    assert_eq!(words(&documents.asyncapi.value, "Role"), written(&roles.map(|role| json!(role))));
    let protocols = [
        Protocol::Sophie,
        Protocol::HttpApi,
        Protocol::Django,
        Protocol::AiSdk,
        Protocol::DurableStreams,
        Protocol::Responses,
        Protocol::AgUi,
        Protocol::ChatCompletions,
        Protocol::Completions,
        Protocol::Embeddings,
    ];
    assert_eq!(words(&documents.openapi.value, "ProtocolName"), written(&protocols.map(|protocol| json!(protocol))));
    assert_eq!(documents.asyncapi.value["channels"]["sophie"]["x-subprotocol"], SUBPROTOCOL);
}

#[test]
fn the_close_codes_are_those_of_the_core() {
    let asyncapi = documents().asyncapi.value;
    let described = asyncapi["channels"]["sophie"]["x-close-codes"].as_object().expect("codes");
    // Only other protocols know the one, and the other is the application's choice.
    let elsewhere = [CloseCode::NotUnderstood, CloseCode::ByApplication(1000)];
    let all: Vec<CloseCode> = CloseCode::ALL.into_iter().filter(|code| !elsewhere.contains(code)).collect();
    assert_eq!(described.len(), all.len());
    for code in all {
        let row = &described[&code.code().to_string()];
        assert_eq!((&row["label"], &row["reconnect"]), (&json!(code.label()), &json!(code.reconnect())), "{code:?}");
    }
}
