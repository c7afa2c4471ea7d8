//! A good answer in the words of OpenAI's Responses.

use serde_json::{Value, json};

use super::chunks::words;
use super::script::Script;

/// A message, as an item.
pub fn said(text: &str) -> Value {
    let part = json!({ "type": "output_text", "text": text, "annotations": [] });
    json!({ "type": "message", "id": "msg_theirs", "role": "assistant", "status": "completed", "content": [part] })
}

/// A call of a function, as an item.
pub fn called(id: &str, name: &str, arguments: &str) -> Value {
    json!({ "type": "function_call", "id": "fc_theirs", "call_id": id, "name": name, "arguments": arguments, "status": "completed" })
}

/// The response itself.
fn whole(status: &str, items: &[Value]) -> Value {
    json!({
        "id": "resp_theirs", "object": "response", "created_at": 1, "status": status, "model": "test-model", "output": items,
        "usage": { "input_tokens": 7, "output_tokens": 5, "total_tokens": 12, "output_tokens_details": { "reasoning_tokens": 2 } },
    })
}

impl Script {
    /// A good stream of events that says these items: texts word by word, arguments in two halves, others at once.
    pub fn response(items: &[Value]) -> Self {
        let script =
            items.iter().enumerate().fold(Self::response_begun(), |script, (at, item)| item_events(script, at, item));
        script.told("response.completed", json!({ "response": whole("completed", items) })).end()
    }

    /// The same that comes as one JSON body.
    pub fn whole_response(items: &[Value]) -> Self {
        let body = whole("completed", items).to_string();
        Self::respond(200, &[("content-type", "application/json")], &body)
    }

    /// The beginning of a stream of events: nothing is said yet.
    pub fn response_begun() -> Self {
        let begun = json!({ "response": whole("in_progress", &[]) });
        Self::stream().told("response.created", begun.clone()).told("response.in_progress", begun)
    }

    /// Then: a word of a message.
    pub fn response_word(self, text: &str) -> Self {
        self.told("response.output_text.delta", json!({ "output_index": 0, "content_index": 0, "delta": text }))
    }

    /// Then: one event.
    pub fn told(self, kind: &str, mut event: Value) -> Self {
        event["type"] = kind.into();
        self.piece(format!("event: {kind}\ndata: {event}\n\n"))
    }
}

fn item_events(script: Script, at: usize, item: &Value) -> Script {
    let event = |fields: Value| {
        let mut event = fields;
        event["output_index"] = at.into();
        event
    };
    let begun = match item["type"].as_str() {
        Some("message") => json!({ "type": "message", "id": item["id"], "role": "assistant", "content": [] }),
        Some("function_call") => {
            let mut begun = item.clone();
            begun["arguments"] = "".into();
            begun
        }
        _ => item.clone(),
    };
    let mut script = script.told("response.output_item.added", event(json!({ "item": begun })));
    if let Some(text) = item["content"][0]["text"].as_str() {
        for word in words(text) {
            script = script.told("response.output_text.delta", event(json!({ "delta": word })));
        }
        script = script.told("response.output_text.done", event(json!({ "text": text })));
    }
    if let (Some("function_call"), Some(arguments)) = (item["type"].as_str(), item["arguments"].as_str()) {
        let (one, two) = arguments.split_at(arguments.len() / 2);
        for half in [one, two] {
            script = script.told("response.function_call_arguments.delta", event(json!({ "delta": half })));
        }
        script = script.told("response.function_call_arguments.done", event(json!({ "arguments": arguments })));
    }
    script.told("response.output_item.done", event(json!({ "item": item })))
}
