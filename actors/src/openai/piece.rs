//! What a chunk adds to an answer, piece by piece, wherever in it servers write that. Pure.

use serde_json::Value;

use super::{Chunk, halves};

/// Where reasoning may stand: DeepSeek and vLLM, OpenRouter, others. Some servers say the same in two of them.
pub(super) const REASONING: [&str; 3] = ["reasoning_content", "reasoning", "thinking"];

/// The field of a delta that bears an item of a response which no chat completion has words for: what a hosted tool did, a call of a tool
/// that is no function, thoughts that only their model can read.
pub const RESPONSE_ITEM: &str = "response_item";

/// One of the things that a chunk adds to choice 0. Halves of characters in its texts are marked, and a [`Seam`](halves::Seam) puts
/// them together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text of the answer.
    Text(String),
    /// What the model thinks.
    Reasoning(String),
    /// Why it does not answer.
    Refusal(String),
    /// A piece of a tool call.
    Call(CallPiece),
    /// An item of a response that no chat completion has words for, whole.
    Item(Value),
}

/// A piece of a tool call: each field only if it is told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallPiece {
    /// Which of the calls. Some servers give all of them the same number.
    pub number: Option<u64>,
    /// The call's id.
    pub id: Option<String>,
    /// The tool's name.
    pub name: Option<String>,
    /// More of the arguments' text.
    pub arguments: String,
    /// The arguments came whole, as an object.
    pub is_whole: bool,
}

impl Chunk {
    /// What it adds to choice 0, in the order in which a reader wants it: reasoning, text, refusal, tool calls. What is missing, null, empty or
    /// of another type than expected adds nothing.
    pub fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let Some(body) = read(&self.raw) else { return pieces };
        let choices = body.get("choices").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for (place, choice) in (0..).zip(choices) {
            if choice.get("index").and_then(Value::as_u64).unwrap_or(place) == 0 {
                of_delta(choice.get("delta").unwrap_or(&Value::Null), &mut pieces);
            }
        }
        pieces
    }
}

/// The chunk as JSON, halves of characters marked.
pub(super) fn read(raw: &str) -> Option<Value> {
    serde_json::from_str(raw).ok().or_else(|| serde_json::from_str(&halves::mend(raw)?).ok())
}

fn of_delta(delta: &Value, pieces: &mut Vec<Piece>) {
    let said = |name: &str| delta.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    pieces.extend(REASONING.iter().find_map(|name| said(name)).map(|text| Piece::Reasoning(text.to_owned())));
    match delta.get("content") {
        Some(Value::Array(parts)) => parts.iter().for_each(|part| of_part(part, pieces)),
        _ => pieces.extend(said("content").map(|text| Piece::Text(text.to_owned()))),
    }
    pieces.extend(said("refusal").map(|text| Piece::Refusal(text.to_owned())));
    let calls = delta.get("tool_calls").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for call in calls.iter().filter(|call| call.is_object()) {
        let number = call.get("index").and_then(Value::as_u64);
        pieces.push(Piece::Call(CallPiece { number, id: text(call, "id"), ..of_function(&call["function"]) }));
    }
    if let Some(call) = delta.get("function_call").filter(|call| call.is_object()) {
        pieces.push(Piece::Call(of_function(call)));
    }
    pieces.extend(delta.get(RESPONSE_ITEM).filter(|item| item.is_object()).cloned().map(Piece::Item));
}

/// A part, where content is a list of such: Mistral's text and thinking.
fn of_part(part: &Value, pieces: &mut Vec<Piece>) {
    match part["type"].as_str() {
        Some("text") => pieces.extend(text(part, "text").map(Piece::Text)),
        Some("thinking" | "reasoning") => match &part["thinking"] {
            Value::Array(within) => {
                pieces.extend(within.iter().filter_map(|part| text(part, "text")).map(Piece::Reasoning));
            }
            _ => pieces.extend(text(part, "thinking").or_else(|| text(part, "text")).map(Piece::Reasoning)),
        },
        _ => {}
    }
}

fn of_function(function: &Value) -> CallPiece {
    let (arguments, is_whole) = match function.get("arguments") {
        Some(Value::String(more)) => (more.clone(), false),
        Some(whole @ Value::Object(_)) => (whole.to_string(), true),
        _ => (String::new(), false),
    };
    CallPiece { name: text(function, "name"), arguments, is_whole, ..CallPiece::default() }
}

fn text(of: &Value, name: &str) -> Option<String> {
    of.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::Parsed;

    fn pieces(delta: &str) -> Vec<Piece> {
        let raw = format!(r#"{{"choices":[{{"index":1,"delta":{{"content":"no"}}}},{{"index":0,"delta":{delta}}}]}}"#);
        match Chunk::parse(raw.into()) {
            Ok(Parsed::Chunk(chunk)) => chunk.pieces(),
            other => panic!("not a chunk: {other:?}"),
        }
    }

    fn call(number: u64, id: &str, name: &str, arguments: &str) -> Piece {
        let told = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let (id, name, arguments) = (told(id), told(name), arguments.to_owned());
        Piece::Call(CallPiece { number: Some(number), id, name, arguments, is_whole: false })
    }

    #[test]
    fn text_reasoning_and_refusal_are_found_wherever_servers_write_them() {
        let (reasoning, text) = (Piece::Reasoning("hm".into()), Piece::Text("a".into()));
        for (delta, found) in [
            (r#"{"content":"a"}"#, vec![text.clone()]),
            (r#"{"content":"a","reasoning_content":"hm"}"#, vec![reasoning.clone(), text.clone()]),
            (r#"{"content":"","reasoning":"hm","reasoning_details":[{"text":"hm"}]}"#, vec![reasoning.clone()]),
            (r#"{"content":null,"thinking":"hm"}"#, vec![reasoning.clone()]),
            (r#"{"reasoning":"hm","reasoning_content":"hm"}"#, vec![reasoning.clone()]),
            (
                r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"a"}]}"#,
                vec![reasoning, text],
            ),
            (r#"{"refusal":"no"}"#, vec![Piece::Refusal("no".into())]),
            (r#"{"role":"assistant","content":7,"refusal":null,"reasoning":{},"tool_calls":[null,3]}"#, vec![]),
            ("null", vec![]),
        ] {
            assert_eq!(pieces(delta), found, "{delta}");
        }
    }

    #[test]
    fn calls_come_in_pieces_whole_or_in_the_old_way() {
        let in_pieces = r#"{"tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"f","arguments":""}},
            {"index":1,"function":{"arguments":"{\"a\""}}]}"#;
        assert_eq!(pieces(in_pieces), [call(0, "x", "f", ""), call(1, "", "", "{\"a\"")]);
        let whole = pieces(r#"{"tool_calls":[{"function":{"name":"f","arguments":{"b":1,"a":[]}}}]}"#);
        let expected = CallPiece {
            name: Some("f".into()),
            arguments: r#"{"a":[],"b":1}"#.into(),
            is_whole: true,
            ..CallPiece::default()
        };
        assert_eq!(whole, [Piece::Call(expected)]);
        let old = CallPiece { name: Some("f".into()), arguments: "{}".into(), ..CallPiece::default() };
        assert_eq!(pieces(r#"{"function_call":{"name":"f","arguments":"{}"}}"#), [Piece::Call(old)]);
    }
}
