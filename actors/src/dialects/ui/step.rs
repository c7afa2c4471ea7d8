//! An answer that goes on with an earlier one, whose tools have been called: to the client both are steps of one message. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::UiChunk;
use super::request::{ToolOutput, ToolResult};
use crate::dialects::{Json, Part, PartKind, Parts};
use crate::ids::AnswerId;
use crate::openai::ChatMessage;

/// What is recorded with an answer that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoesOn {
    /// The client's message: the answer that was its first step.
    pub message: AnswerId,
    /// The step before.
    pub after: AnswerId,
    /// What came of the tools of that step.
    pub outputs: Vec<ToolOutput>,
}

impl GoesOn {
    /// Reads it from what is recorded about an answer, if it stands there.
    pub fn read(about: &str) -> Option<Self> {
        serde_json::from_str(about).ok()
    }

    /// As it is recorded.
    pub fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The tools that a step asks for, as (id, tool, arguments).
pub fn calls(step: &Parts) -> impl Iterator<Item = (&str, &str, &str)> {
    step.all().iter().filter_map(|part| match &part.kind {
        PartKind::Call { id, name } => Some((id.as_str(), name.as_str(), part.text.as_str())),
        PartKind::Reasoning | PartKind::Text | PartKind::Refusal | PartKind::Item => None,
    })
}

/// A step and what came of its tools, as a backend is told.
pub fn to_chat(step: &Parts, outputs: &[ToolOutput]) -> Vec<ChatMessage> {
    let texts = step.all().iter().filter(|part| part.kind == PartKind::Text).map(|part| part.text.as_str());
    let text: String = texts.collect();
    let mut messages = if text.is_empty() { Vec::new() } else { vec![ChatMessage::says("assistant", &text)] };
    for (id, name, arguments) in calls(step) {
        ChatMessage::add_call(&mut messages, id, name, if arguments.trim().is_empty() { "{}" } else { arguments });
    }
    let asked = calls(step).filter_map(|(id, ..)| outputs.iter().find(|output| output.call == id));
    messages.extend(asked.map(|output| ChatMessage::result(&output.call, &output.result.to_text())));
    messages
}

/// A step that is over, told again. The inputs of its calls come in pieces alone: for a whole one the client would call the tool again.
pub fn told_again(step: &Parts, outputs: &[ToolOutput]) -> Vec<UiChunk> {
    let mut told = vec![UiChunk::StartStep];
    for (number, part) in step.all().iter().enumerate() {
        match &part.kind {
            PartKind::Reasoning => told.extend([
                UiChunk::ReasoningStart { id: super::reasoning(number) },
                UiChunk::ReasoningDelta { id: super::reasoning(number), delta: part.text.clone() },
                UiChunk::ReasoningEnd { id: super::reasoning(number) },
            ]),
            PartKind::Text | PartKind::Refusal => told.extend([
                UiChunk::TextStart { id: super::text(number) },
                UiChunk::TextDelta { id: super::text(number), delta: part.text.clone() },
                UiChunk::TextEnd { id: super::text(number) },
            ]),
            PartKind::Call { id, name } => {
                let tool_call_id = id.clone();
                told.push(UiChunk::ToolInputStart { tool_call_id: id.clone(), tool_name: name.clone() });
                let input_text_delta = input(part).as_str().to_owned();
                told.push(UiChunk::ToolInputDelta { tool_call_id: id.clone(), input_text_delta });
                match outputs.iter().find(|output| output.call == *id).map(|output| output.result.clone()) {
                    Some(ToolResult::Output(output)) => {
                        told.push(UiChunk::ToolOutputAvailable { tool_call_id, output })
                    }
                    Some(ToolResult::Error(error_text)) => {
                        told.push(UiChunk::ToolOutputError { tool_call_id, error_text });
                    }
                    None => {}
                }
            }
            PartKind::Item => {}
        }
    }
    told.push(UiChunk::FinishStep);
    told
}

/// The parts of a step in a message of the client.
pub fn shown(step: &Parts, outputs: &[ToolOutput]) -> Vec<Value> {
    let mut shown = vec![json!({"type": "step-start"})];
    shown.extend(step.all().iter().filter_map(|part| match &part.kind {
        PartKind::Item => None,
        PartKind::Reasoning => Some(json!({"type": "reasoning", "text": part.text, "state": "done"})),
        PartKind::Text | PartKind::Refusal => Some(json!({"type": "text", "text": part.text, "state": "done"})),
        PartKind::Call { id, name } => {
            let input: Value = serde_json::from_str(input(part).as_str()).unwrap_or_default();
            let mut call = json!({"type": format!("tool-{name}"), "toolCallId": id, "input": input});
            match outputs.iter().find(|output| output.call == *id).map(|output| &output.result) {
                Some(ToolResult::Output(output)) => {
                    call["state"] = "output-available".into();
                    call["output"] = output.clone();
                }
                Some(ToolResult::Error(text)) => {
                    call["state"] = "output-error".into();
                    call["errorText"] = text.as_str().into();
                }
                None => call["state"] = "input-available".into(),
            }
            Some(call)
        }
    }));
    shown
}

/// The arguments of a call; what is no JSON is told as none.
fn input(call: &Part) -> Json {
    Json::of_arguments(&call.text).unwrap_or_else(|| Json::known("{}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::{Chunk, Parsed};

    fn step() -> Parts {
        let mut parts = Parts::new("a");
        for delta in [
            r#"{"reasoning_content":"hm"}"#,
            r#"{"content":"wait"}"#,
            r#"{"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":"{\"a\":1}"}}]}"#,
            r#"{"tool_calls":[{"index":1,"id":"y","function":{"name":"g","arguments":""}}]}"#,
            r#"{"tool_calls":[{"index":2,"id":"z","function":{"name":"g","arguments":"{"}}]}"#,
        ] {
            let chunk = format!(r#"{{"choices":[{{"index":0,"delta":{delta}}}]}}"#);
            let Ok(Parsed::Chunk(chunk)) = Chunk::parse(chunk.into()) else { panic!("{delta}") };
            parts.chunk(&chunk);
        }
        parts.close();
        parts
    }

    fn outputs() -> Vec<ToolOutput> {
        let output = |call: &str, result| ToolOutput { call: call.to_owned(), result };
        vec![
            output("y", ToolResult::Error("away".to_owned())),
            output("x", ToolResult::Output(json!({"t": 1}))),
            output("another", ToolResult::Output(json!(2))),
        ]
    }

    #[test]
    fn a_backend_is_told_the_calls_and_their_results_in_their_order() {
        let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
        let told = json!([
            {"role": "assistant", "content": "wait", "tool_calls": [call("x", "f", r#"{"a":1}"#), call("y", "g", "{}"), call("z", "g", "{")]},
            {"role": "tool", "content": r#"{"t":1}"#, "tool_call_id": "x"},
            {"role": "tool", "content": "away", "tool_call_id": "y"},
        ]);
        assert_eq!(json!(to_chat(&step(), &outputs())), told);
    }

    #[test]
    fn a_step_that_is_told_again_calls_no_tool() {
        let told = json!(told_again(&step(), &outputs()));
        let told = told.as_array().expect("chunks");
        let kinds: Vec<_> = told.iter().map(|chunk| chunk["type"].as_str().expect("a type")).collect();
        let input = ["tool-input-start", "tool-input-delta"];
        let mut expected = vec![
            "start-step",
            "reasoning-start",
            "reasoning-delta",
            "reasoning-end",
            "text-start",
            "text-delta",
            "text-end",
        ];
        expected.extend(input);
        expected.push("tool-output-available");
        expected.extend(input);
        expected.push("tool-output-error");
        expected.extend(input);
        expected.push("finish-step");
        assert_eq!(kinds, expected);
        assert_eq!(told[8], json!({"type": "tool-input-delta", "toolCallId": "x", "inputTextDelta": r#"{"a":1}"#}));
        assert_eq!(told[9], json!({"type": "tool-output-available", "toolCallId": "x", "output": {"t": 1}}));
    }

    #[test]
    fn a_message_shows_what_came_of_each_call() {
        let shown = shown(&step(), &outputs());
        let states: Vec<_> = shown.iter().map(|part| part["state"].as_str().unwrap_or_default()).collect();
        assert_eq!(states, ["", "done", "done", "output-available", "output-error", "input-available"]);
        assert_eq!((&shown[3]["type"], &shown[3]["input"]), (&json!("tool-f"), &json!({"a": 1})));
    }

    #[test]
    fn what_is_recorded_is_read_again_and_nothing_else_is() {
        let id = |text: &str| AnswerId::from(text);
        let goes_on = GoesOn { message: id("a"), after: id("b"), outputs: outputs() };
        assert_eq!(GoesOn::read(&goes_on.write()), Some(goes_on));
        assert_eq!(GoesOn::read("{}"), None);
        assert_eq!(GoesOn::read(r#"{"message":"a"}"#), None);
    }
}
