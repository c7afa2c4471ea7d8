//! What stands behind a question whose answer asked for tools: those calls, and what came of them. Pure.

use std::collections::HashSet;

use serde_json::Value;

use super::{earlier, result};
use crate::dialects::BadRequest;
use crate::openai::ChatMessage;

/// A message behind the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// Its id: an answer's, where it is the assistant's.
    pub id: String,
    /// Itself, as the client tells it.
    pub message: ChatMessage,
}

/// The calls and their results, if results stand last. What the assistant has said beside calls is not among them: of what was said,
/// the log is the truth.
///
/// # Errors
/// A result has no call, or a call no result: a backend takes neither.
pub(super) fn behind(messages: &[Value], asked: usize) -> Result<Vec<Behind>, BadRequest> {
    let after = &messages[asked + 1..];
    if after.last().is_none_or(|last| last["role"] != "tool") {
        return Ok(Vec::new());
    }
    let (mut told, mut open, mut closed) = (Vec::new(), HashSet::new(), HashSet::new());
    for (at, message) in after.iter().enumerate() {
        let behind =
            |told: ChatMessage| Behind { id: message["id"].as_str().unwrap_or_default().to_owned(), message: told };
        let place = |field: &str| format!("messages[{}].{field}", asked + 1 + at);
        match message["role"].as_str() {
            Some("assistant") => {
                let Some(said) = earlier(message).filter(|said| !said.tool_calls.is_empty()) else { continue };
                if !open.is_empty() {
                    return Err(BadRequest::new(place("toolCalls"), "an earlier call has no result"));
                }
                open.extend(said.tool_calls.iter().map(|call| call.id.clone()));
                told.push(behind(said));
            }
            Some("tool") => {
                let result = result(message).ok_or_else(|| BadRequest::missing(place("toolCallId")))?;
                let call = result.tool_call_id.clone().unwrap_or_default();
                if open.remove(&call) {
                    closed.insert(call);
                    told.push(behind(result));
                } else if !closed.contains(&call) {
                    return Err(BadRequest::new(place("toolCallId"), "there is no such call before it"));
                }
            }
            _ => {}
        }
    }
    match open.is_empty() {
        true => Ok(told),
        false => Err(BadRequest::new("messages", "a call of a tool has no result")),
    }
}
