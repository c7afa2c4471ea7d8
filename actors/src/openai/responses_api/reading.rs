//! The events of a response as the chunks of a chat completion that says the same.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::openai::error::ReportedError;
use crate::openai::{BadChunk, Body, Chunk, ChunkWriter, Parsed, RESPONSE_ITEM};

/// Reads one response's events, in their order.
#[derive(Debug)]
pub struct ResponseReader {
    model: String,
    /// There is one from the first word on.
    writer: Option<ChunkWriter>,
    /// The number that each call of a tool has among the calls, by its place in the output.
    calls: HashMap<u64, u64>,
}

impl ResponseReader {
    /// That of the response to a request of this body.
    pub fn of_request(body: &Body) -> Self {
        Self::new(&body.text("model").unwrap_or_default())
    }

    /// That of a response of this model.
    pub fn new(model: &str) -> Self {
        Self { model: model.to_owned(), writer: None, calls: HashMap::new() }
    }

    /// What an event says. Most say nothing that a chat completion has words for.
    ///
    /// # Errors
    /// It is no event.
    pub fn event(&mut self, data: &str) -> Result<Vec<Parsed>, BadChunk> {
        let bad = || BadChunk { bytes: data.len() };
        let event: Value = serde_json::from_str(data).map_err(|_| bad())?;
        if let Some(model) = event["response"]["model"].as_str() {
            model.clone_into(&mut self.model);
        }
        let delta = || event["delta"].as_str().unwrap_or_default();
        Ok(match event["type"].as_str() {
            Some("response.output_text.delta") => self.says(json!({"content": delta()})),
            Some("response.refusal.delta") => self.says(json!({"refusal": delta()})),
            Some("response.reasoning_summary_text.delta" | "response.reasoning_text.delta") => {
                self.says(json!({"reasoning_content": delta()}))
            }
            Some("response.output_item.added") if is_call(&event["item"]) => self.call(place(&event), &event["item"]),
            Some("response.function_call_arguments.delta") => match self.calls.get(&place(&event)).copied() {
                Some(number) => self.says(json!({"tool_calls": [arguments(number, delta())]})),
                None => Vec::new(),
            },
            Some("response.output_item.done") if is_only_an_item(&event["item"]) => {
                self.says(json!({RESPONSE_ITEM: untold(&event["item"])}))
            }
            Some("response.completed" | "response.incomplete") => self.end(&event["response"]),
            Some("response.failed") => vec![Parsed::Error(failure(&event["response"]))],
            Some("error") => vec![Parsed::Error(failure(&event))],
            Some(_) => Vec::new(),
            None => vec![Parsed::Error(ReportedError::in_words(&event).ok_or_else(bad)?)],
        })
    }

    /// What a response says that came as one body.
    ///
    /// # Errors
    /// It is none.
    pub fn whole(mut self, bytes: &[u8]) -> Result<Vec<Parsed>, BadChunk> {
        let bad = || BadChunk { bytes: bytes.len() };
        let response: Value = serde_json::from_slice(bytes).map_err(|_| bad())?;
        let Some(output) = response["output"].as_array() else {
            return Ok(vec![Parsed::Error(ReportedError::in_words(&response).ok_or_else(bad)?)]);
        };
        if matches!(response["status"].as_str(), Some("failed" | "cancelled")) {
            return Ok(vec![Parsed::Error(failure(&response))]);
        }
        let mut said = Vec::new();
        for (at, item) in (0_u64..).zip(output) {
            let texts = |list: &str| item[list].as_array().cloned().unwrap_or_default();
            for part in texts("summary").iter().filter_map(|part| part["text"].as_str()) {
                said.extend(self.says(json!({"reasoning_content": part})));
            }
            for part in texts("content") {
                match (part["text"].as_str(), part["refusal"].as_str()) {
                    (_, Some(refusal)) => said.extend(self.says(json!({"refusal": refusal}))),
                    (Some(text), None) if item["type"] == "message" => said.extend(self.says(json!({"content": text}))),
                    (Some(text), None) => said.extend(self.says(json!({"reasoning_content": text}))),
                    (None, None) => {}
                }
            }
            if is_only_an_item(item) {
                said.extend(self.says(json!({RESPONSE_ITEM: untold(item)})));
            }
            if is_call(item) {
                said.extend(self.call(at, item));
                let number = self.calls.get(&at).copied().unwrap_or_default();
                let piece = arguments(number, item["arguments"].as_str().unwrap_or_default());
                said.extend(self.says(json!({"tool_calls": [piece]})));
            }
        }
        said.extend(self.end(&response));
        Ok(said)
    }

    /// The writer, and the chunk that says who speaks if nothing was said yet.
    fn writer(&mut self) -> (ChunkWriter, Option<Chunk>) {
        match &self.writer {
            Some(writer) => (writer.clone(), None),
            None => {
                let writer = self.writer.insert(ChunkWriter::new(&self.model)).clone();
                let role = writer.role();
                (writer, Some(role))
            }
        }
    }

    fn says(&mut self, delta: Value) -> Vec<Parsed> {
        let (writer, role) = self.writer();
        role.into_iter().chain([writer.delta(delta)]).map(Parsed::Chunk).collect()
    }

    fn call(&mut self, place: u64, item: &Value) -> Vec<Parsed> {
        let number = self.calls.len() as u64;
        self.calls.insert(place, number);
        let function = json!({"name": item["name"], "arguments": ""});
        let call = json!({"index": number, "id": item["call_id"], "type": "function", "function": function});
        self.says(json!({"tool_calls": [call]}))
    }

    fn end(&mut self, response: &Value) -> Vec<Parsed> {
        let reason = match response["incomplete_details"]["reason"].as_str() {
            Some("max_output_tokens") => "length",
            Some(other) => other,
            None if !self.calls.is_empty() => "tool_calls",
            None => "stop",
        };
        let (writer, role) = self.writer();
        let usage = usage(&response["usage"]).map(|usage| writer.counted(usage));
        let chunks = role.into_iter().chain([writer.finish(reason)]).chain(usage);
        chunks.map(Parsed::Chunk).chain([Parsed::Done]).collect()
    }
}

fn is_call(item: &Value) -> bool {
    item["type"] == "function_call"
}

/// Whether no chat completion has words for an item. The summary of thoughts has been told; what only their model can read has not.
fn is_only_an_item(item: &Value) -> bool {
    match item["type"].as_str() {
        Some("message" | "function_call") | None => false,
        Some("reasoning") => item["encrypted_content"].is_string(),
        Some(_) => true,
    }
}

/// What of an item was not told yet.
fn untold(item: &Value) -> Value {
    let mut item = item.clone();
    if item["type"] == "reasoning" {
        item["summary"] = json!([]);
    }
    item
}

fn place(event: &Value) -> u64 {
    event["output_index"].as_u64().unwrap_or_default()
}

fn arguments(number: u64, piece: &str) -> Value {
    json!({"index": number, "function": {"arguments": piece}})
}

/// The counts in the words of a chat completion.
fn usage(usage: &Value) -> Option<Value> {
    let (read, written) = (usage["input_tokens"].as_u64()?, usage["output_tokens"].as_u64()?);
    let total = usage["total_tokens"].as_u64().unwrap_or(read.saturating_add(written));
    let mut counts = json!({"prompt_tokens": read, "completion_tokens": written, "total_tokens": total});
    for (name, said) in
        [("input_tokens_details", "prompt_tokens_details"), ("output_tokens_details", "completion_tokens_details")]
    {
        if usage[name].is_object() {
            counts[said] = usage[name].clone();
        }
    }
    Some(counts)
}

/// The error of a response, or of an event that is one.
fn failure(body: &Value) -> ReportedError {
    let error = if body["error"].is_object() { &body["error"] } else { body };
    ReportedError::find(&json!({"error": error})).unwrap_or_default()
}

#[cfg(test)]
mod tests;
