//! What a response consists of: reasoning, messages, tool calls.

use serde::Serialize;
use serde_json::Value;

use crate::dialects::{Part, PartKind};

/// How far an item, or a response, has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemStatus {
    /// More will come.
    InProgress,
    /// It is whole.
    Completed,
    /// No more will come.
    Incomplete,
}

/// One item of a response's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields are OpenAI's own, described in its API reference")]
pub enum Item {
    Reasoning {
        id: String,
        summary: Vec<SummaryPart>,
        status: ItemStatus,
    },
    Message {
        id: String,
        role: &'static str,
        status: ItemStatus,
        content: Vec<ContentPart>,
    },
    FunctionCall {
        id: String,
        call_id: String,
        name: String,
        arguments: String,
        status: ItemStatus,
    },
    /// As its backend wrote it, but for the id.
    #[serde(untagged)]
    Other(Value),
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields are OpenAI's own, described in its API reference")]
pub enum ContentPart {
    /// Nobody here annotates a text, or says how likely it was.
    OutputText {
        text: String,
        annotations: [(); 0],
        logprobs: [(); 0],
    },
    Refusal {
        refusal: String,
    },
}

/// A part of what the model thought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "summary_text")]
pub struct SummaryPart {
    /// All of it so far.
    pub text: String,
}

impl Item {
    /// The id of the item that a part of an answer is, by its number: the same at every replay.
    pub fn id(answer: &str, number: usize, kind: &PartKind) -> String {
        let prefix = match kind {
            PartKind::Reasoning => "rs",
            PartKind::Text | PartKind::Refusal => "msg",
            PartKind::Call { .. } => "fc",
            PartKind::Item => "it",
        };
        format!("{prefix}_{answer}_{number}")
    }

    /// The answer that an item with this id is of.
    pub fn answer_of(id: &str) -> Option<&str> {
        let of = |prefix: &str| id.strip_prefix(prefix)?.strip_prefix('_')?.rsplit_once('_');
        ["rs", "msg", "fc", "it"].into_iter().find_map(of).map(|(answer, _)| answer)
    }

    /// The item that a part is, as far as it has come.
    pub fn of(answer: &str, number: usize, part: &Part, status: ItemStatus) -> Self {
        let id = Self::id(answer, number, &part.kind);
        match &part.kind {
            PartKind::Reasoning => {
                Self::Reasoning { id, summary: vec![SummaryPart { text: part.text.clone() }], status }
            }
            PartKind::Text | PartKind::Refusal => {
                let content = ContentPart::of(&part.kind, part.text.clone());
                Self::Message { id, role: "assistant", status, content: vec![content] }
            }
            PartKind::Call { id: call_id, name } => {
                let (call_id, name, arguments) = (call_id.clone(), name.clone(), part.text.clone());
                Self::FunctionCall { id, call_id, name, arguments, status }
            }
            PartKind::Item => {
                let mut item: Value = serde_json::from_str(&part.text).unwrap_or_default();
                item["id"] = id.into();
                Self::Other(item)
            }
        }
    }

    /// The same when it has just begun: its parts are told one by one.
    pub fn begun(answer: &str, number: usize, part: &Part) -> Self {
        let id = Self::id(answer, number, &part.kind);
        let status = ItemStatus::InProgress;
        match &part.kind {
            PartKind::Reasoning => Self::Reasoning { id, summary: Vec::new(), status },
            PartKind::Text | PartKind::Refusal => Self::Message { id, role: "assistant", status, content: Vec::new() },
            PartKind::Call { id: call_id, name } => {
                let (call_id, name) = (call_id.clone(), name.clone());
                Self::FunctionCall { id, call_id, name, arguments: String::new(), status }
            }
            // It is whole at once.
            PartKind::Item => Self::of(answer, number, part, status),
        }
    }
}

impl ContentPart {
    /// That of a text, or of a refusal.
    pub fn of(kind: &PartKind, text: String) -> Self {
        match kind {
            PartKind::Refusal => Self::Refusal { refusal: text },
            _ => Self::OutputText { text, annotations: [], logprobs: [] },
        }
    }
}
