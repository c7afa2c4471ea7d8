//! The events of the other protocols are described with each of their fields.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use sophie_actors::dialects::Json;
use sophie_actors::dialects::agui::{AguiEvent, PROTOCOL_VERSION, RunOutcome, RunUsage};
use sophie_actors::dialects::ui::{FinishReason, Metadata, Tokens, UiChunk};
use sophie_actors::openai::TokenCounts;
use sophie_actors::protocol::CacheStatus;

use super::fields::{described, sampled};
use super::{documents, schema};

/// The names of the schemas that one of several forms may have.
fn forms<'a>(document: &'a Value, name: &str) -> impl Iterator<Item = &'a str> {
    let forms = schema(document, name)["oneOf"].as_array().expect("forms").iter();
    forms.map(|form| form["$ref"].as_str().and_then(|to| to.rsplit('/').next()).expect("a name"))
}

fn json_of(samples: &[impl serde::Serialize]) -> Vec<Value> {
    samples.iter().map(|sample| serde_json::to_value(sample).expect("JSON")).collect()
}

/// Each chunk of the AI SDK's. A new one has no place in the match, which then does not compile.
fn chunks() -> Vec<UiChunk> {
    let text = || "t".to_owned();
    let (id, tool_call_id, tool_name, delta, error_text) = (text, text, text, text, text);
    let usage = Some(Tokens::from(TokenCounts::default()));
    let message_metadata = Metadata { usage, cache: Some(CacheStatus::Hit) };
    let all = vec![
        UiChunk::Start { message_id: text() },
        UiChunk::StartStep,
        UiChunk::ReasoningStart { id: id() },
        UiChunk::ReasoningDelta { id: id(), delta: delta() },
        UiChunk::ReasoningEnd { id: id() },
        UiChunk::TextStart { id: id() },
        UiChunk::TextDelta { id: id(), delta: delta() },
        UiChunk::TextEnd { id: id() },
        UiChunk::ToolInputStart { tool_call_id: tool_call_id(), tool_name: tool_name() },
        UiChunk::ToolInputDelta { tool_call_id: tool_call_id(), input_text_delta: text() },
        UiChunk::ToolInputAvailable {
            tool_call_id: tool_call_id(),
            tool_name: tool_name(),
            input: Json::read("{}").expect("JSON"),
        },
        UiChunk::ToolInputError {
            tool_call_id: tool_call_id(),
            tool_name: tool_name(),
            input: text(),
            error_text: error_text(),
        },
        UiChunk::ToolOutputAvailable { tool_call_id: tool_call_id(), output: json!({"k": 1}) },
        UiChunk::ToolOutputError { tool_call_id: tool_call_id(), error_text: error_text() },
        UiChunk::FinishStep,
        UiChunk::Finish { finish_reason: FinishReason::Stop, message_metadata },
        UiChunk::Abort { reason: "cancelled" },
        UiChunk::Error { error_text: error_text() },
    ];
    let place = |chunk: &UiChunk| match chunk {
        UiChunk::Start { .. } => 0,
        UiChunk::StartStep => 1,
        UiChunk::ReasoningStart { .. } => 2,
        UiChunk::ReasoningDelta { .. } => 3,
        UiChunk::ReasoningEnd { .. } => 4,
        UiChunk::TextStart { .. } => 5,
        UiChunk::TextDelta { .. } => 6,
        UiChunk::TextEnd { .. } => 7,
        UiChunk::ToolInputStart { .. } => 8,
        UiChunk::ToolInputDelta { .. } => 9,
        UiChunk::ToolInputAvailable { .. } => 10,
        UiChunk::ToolInputError { .. } => 11,
        UiChunk::ToolOutputAvailable { .. } => 12,
        UiChunk::ToolOutputError { .. } => 13,
        UiChunk::FinishStep => 14,
        UiChunk::Finish { .. } => 15,
        UiChunk::Abort { .. } => 16,
        UiChunk::Error { .. } => 17,
    };
    assert!(all.iter().map(place).eq(0..all.len()), "each of them stands in the list");
    all
}

/// Each event of AG-UI's, likewise.
fn events() -> Vec<AguiEvent> {
    let text = || "t".to_owned();
    let (message_id, tool_call_id, thread_id, run_id, delta) = (text, text, text, text, text);
    let usage = vec![RunUsage::new("m", TokenCounts::default())];
    let outcome = RunOutcome::Success { pending_tool_call_ids: vec![text()] };
    let all = vec![
        AguiEvent::RunStarted { thread_id: thread_id(), run_id: run_id(), protocol_version: PROTOCOL_VERSION },
        AguiEvent::MessagesSnapshot { messages: Json::read("[]").expect("JSON") },
        AguiEvent::TextMessageStart { message_id: message_id(), role: "assistant" },
        AguiEvent::TextMessageContent { message_id: message_id(), delta: delta() },
        AguiEvent::TextMessageEnd { message_id: message_id() },
        AguiEvent::ReasoningMessageStart { message_id: message_id(), role: "reasoning" },
        AguiEvent::ReasoningMessageContent { message_id: message_id(), delta: delta() },
        AguiEvent::ReasoningMessageEnd { message_id: message_id() },
        AguiEvent::ToolCallStart {
            tool_call_id: tool_call_id(),
            tool_call_name: text(),
            parent_message_id: message_id(),
        },
        AguiEvent::ToolCallArgs { tool_call_id: tool_call_id(), delta: delta() },
        AguiEvent::ToolCallEnd { tool_call_id: tool_call_id() },
        AguiEvent::RunFinished { thread_id: thread_id(), run_id: run_id(), outcome, usage },
        AguiEvent::RunError { message: text(), code: "busy" },
    ];
    let place = |event: &AguiEvent| match event {
        AguiEvent::RunStarted { .. } => 0,
        AguiEvent::MessagesSnapshot { .. } => 1,
        AguiEvent::TextMessageStart { .. } => 2,
        AguiEvent::TextMessageContent { .. } => 3,
        AguiEvent::TextMessageEnd { .. } => 4,
        AguiEvent::ReasoningMessageStart { .. } => 5,
        AguiEvent::ReasoningMessageContent { .. } => 6,
        AguiEvent::ReasoningMessageEnd { .. } => 7,
        AguiEvent::ToolCallStart { .. } => 8,
        AguiEvent::ToolCallArgs { .. } => 9,
        AguiEvent::ToolCallEnd { .. } => 10,
        AguiEvent::RunFinished { .. } => 11,
        AguiEvent::RunError { .. } => 12,
    };
    assert!(all.iter().map(place).eq(0..all.len()), "each of them stands in the list");
    all
}

#[test]
fn each_chunk_of_the_ai_sdk_is_described_with_each_of_its_fields_and_no_other() {
    let asyncapi = documents().asyncapi.value;
    assert_eq!(described(&asyncapi, forms(&asyncapi, "UiChunk")), sampled(json_of(&chunks())));
}

#[test]
fn each_event_of_ag_ui_is_described_with_each_of_its_fields_and_no_other() {
    let openapi = documents().openapi.value;
    assert_eq!(described(&openapi, forms(&openapi, "AguiEvent")), sampled(json_of(&events())));
}

#[test]
fn each_event_of_responses_is_described_and_no_other() {
    let openapi = documents().openapi.value;
    let known = described(&openapi, forms(&openapi, "ResponseEvent")).into_keys().collect::<BTreeSet<_>>();
    // Their types are words in the code.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("actors/src/dialects/responses");
    let mut said = BTreeSet::new();
    for file in std::fs::read_dir(root).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        let is_code = file.extension().is_some_and(|it| it == "rs") && !file.ends_with("tests.rs");
        let text = if is_code { std::fs::read_to_string(file).expect("a text") } else { String::new() };
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let words = code.split("\"response.").skip(1).filter_map(|rest| rest.split('"').next());
        said.extend(words.map(|word| format!("response.{word}")));
    }
    assert_eq!(known, said);
}
