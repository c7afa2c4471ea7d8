//! The events of a response's stream.

use serde::Serialize;

use super::{ContentPart, Item, Response, SummaryPart};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResponseEvent {
    /// Its type, which is also the name of the server-sent event.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// From 0, without gaps, the same at every replay: it is what a reader who comes back names.
    pub sequence_number: u64,
    /// What it says.
    #[serde(flatten)]
    pub says: Says,
}

/// What an event says: its fields beside type and number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[allow(missing_docs, reason = "the fields are OpenAI's own, described in its API reference")]
pub enum Says {
    /// How far the response has come.
    Response {
        response: Box<Response>,
    },
    /// An item begins, or is whole.
    Item {
        output_index: usize,
        item: Item,
    },
    /// A part of a message begins, or is whole.
    Part {
        item_id: String,
        output_index: usize,
        content_index: usize,
        part: ContentPart,
    },
    TextDelta {
        item_id: String,
        output_index: usize,
        content_index: usize,
        delta: String,
        logprobs: [(); 0],
    },
    TextDone {
        item_id: String,
        output_index: usize,
        content_index: usize,
        text: String,
        logprobs: [(); 0],
    },
    RefusalDelta {
        item_id: String,
        output_index: usize,
        content_index: usize,
        delta: String,
    },
    RefusalDone {
        item_id: String,
        output_index: usize,
        content_index: usize,
        refusal: String,
    },
    /// A part of what the model thought begins, or is whole.
    Summary {
        item_id: String,
        output_index: usize,
        summary_index: usize,
        part: SummaryPart,
    },
    SummaryDelta {
        item_id: String,
        output_index: usize,
        summary_index: usize,
        delta: String,
    },
    SummaryDone {
        item_id: String,
        output_index: usize,
        summary_index: usize,
        text: String,
    },
    ArgumentsDelta {
        item_id: String,
        output_index: usize,
        delta: String,
    },
    ArgumentsDone {
        item_id: String,
        output_index: usize,
        name: String,
        arguments: String,
    },
}

impl Says {
    /// How far the response has come.
    pub fn response(response: Response) -> Self {
        Self::Response { response: Box::new(response) }
    }
}
