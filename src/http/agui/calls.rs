//! The calls of tools behind a question, as the answers that made them are recorded: a client tells what came of a call, not what the model
//! said.

use std::collections::BTreeSet;
use std::time::Duration;

use sophie_actors::answers::Recorded;
use sophie_actors::dialects::agui::request::Behind;
use sophie_actors::dialects::{PartKind, Parts};
use sophie_actors::ids::{AnswerId, SessionId};
use sophie_actors::openai::ChatMessage;
use sophie_actors::store::AnswerOwner;
use tokio::time::timeout;

use crate::http::{ApiError, State};

/// How long the store has to tell what there is.
const TOLD_WITHIN: Duration = Duration::from_secs(2);

/// What stands behind a question, for a backend.
///
/// # Errors
/// 400: the calls are not known, or others.
pub(super) async fn behind(state: &State, thread: &SessionId, told: &[Behind]) -> Result<Vec<ChatMessage>, ApiError> {
    let mut messages = Vec::with_capacity(told.len());
    for Behind { id, message } in told {
        messages.push(match message.role.as_str() {
            "assistant" => match recorded(state, thread, AnswerId::from(id.as_str())).await? {
                Some(said) if ids(&said) == ids(message) => said,
                None if state.chat.trust_history => message.clone(),
                _ => {
                    let message = "the calls that these results of tools belong to are not known here (any more)";
                    return Err(ApiError::bad_request(message));
                }
            },
            _ => message.clone(),
        });
    }
    Ok(messages)
}

fn ids(message: &ChatMessage) -> BTreeSet<&str> {
    message.tool_calls.iter().map(|call| call.id.as_str()).collect()
}

/// What an answer of this thread says and asks for, if it has ended and can still be read.
async fn recorded(state: &State, thread: &SessionId, answer: AnswerId) -> Result<Option<ChatMessage>, ApiError> {
    let Some(mut reader) = state.node.answers.read(answer.clone()).await? else { return Ok(None) };
    if reader.head().owner != AnswerOwner::Group(thread.home()) {
        return Ok(None);
    }
    _ = timeout(TOLD_WITHIN, reader.current()).await;
    let mut parts = Parts::new(answer.as_str());
    loop {
        match reader.next_now() {
            Some(Recorded::Chunks(chunks)) => chunks.iter().for_each(|chunk| drop(parts.chunk(chunk))),
            Some(Recorded::End(_)) => break,
            Some(Recorded::Gone) | None => return Ok(None),
        }
    }
    parts.close();
    Ok(message(&parts))
}

fn message(parts: &Parts) -> Option<ChatMessage> {
    let text: String = parts.all().iter().filter(|part| part.kind == PartKind::Text).map(|part| &*part.text).collect();
    let mut said = Vec::new();
    if !text.is_empty() {
        said.push(ChatMessage::says("assistant", &text));
    }
    for part in parts.all() {
        if let PartKind::Call { id, name } = &part.kind {
            ChatMessage::add_call(&mut said, id, name, &part.text);
        }
    }
    said.pop()
}
