//! A chat's log as the messages of the AI SDK: its texts and images, and the tools of the last answers that asked for some.

use futures_util::future::join_all;
use serde_json::{Value, json};
use sophie_actors::ids::{AnswerId, GroupName, MessageId};
use sophie_actors::openai::Finish;
use sophie_actors::protocol::{Image, Logged, Role};
use sophie_actors::store::{PageSize, StoreResult, StoredEvent};

use super::steps;
use crate::http::State;

/// As much of a log as is read.
const SIZE: PageSize = PageSize { events: 500, bytes: 4 << 20 };

/// Messages with tools that are told with them, the newest ones: each is read from what is recorded of its answers.
const WITH_TOOLS: usize = 20;

/// The messages of a chat, oldest first. Of several answers to a message the last one counts.
///
/// # Errors
/// The store is away.
pub(super) async fn read(state: &State, group: &GroupName) -> StoreResult<Vec<Value>> {
    let page = state.node.stores.logs.read_before(group, None, SIZE).await?;
    let mut messages = of(&page.events);
    let with_tools = messages.iter_mut().rev().filter(|message| message.has_tools).take(WITH_TOOLS);
    let read = with_tools.map(async |message| {
        let Some(answer) = &message.answer else { return Ok(()) };
        // What is no longer recorded is told as the log has it.
        if let Some((id, parts)) = steps::message(state, group, answer).await? {
            message.told["id"] = id.as_str().into();
            message.told["parts"] = parts.into();
        }
        Ok(())
    });
    join_all(read).await.into_iter().collect::<StoreResult<Vec<()>>>()?;
    Ok(messages.into_iter().map(|message| message.told).collect())
}

/// One message.
struct Told {
    told: Value,
    /// What it answers, and which answer it is.
    answers: Option<MessageId>,
    answer: Option<AnswerId>,
    /// One of the answers to that asked for tools.
    has_tools: bool,
}

fn of(events: &[StoredEvent]) -> Vec<Told> {
    let mut messages: Vec<Told> = Vec::new();
    let mut asked_for_tools = Vec::new();
    for event in events {
        let Ok(event) = serde_json::from_str(&event.body) else { continue };
        let (answer, answers, told) = match event {
            Logged::Message { message, .. } => {
                let role = match message.role {
                    Role::User => "user",
                    // To who asks a person of the service is on its side.
                    Role::Operator | Role::Assistant => "assistant",
                    Role::System => "system",
                };
                let metadata = json!({"author": message.author, "createdAt": message.created_at});
                let mut told = shown(message.id.as_str(), role, &message.text, metadata);
                if let Some(parts) = told["parts"].as_array_mut() {
                    parts.extend(message.images.iter().filter_map(file));
                }
                (None, None, told)
            }
            Logged::AnswerEnd { end, .. } => {
                if Finish::read(&end.finish_reason) == Finish::Calls {
                    asked_for_tools.push(end.message.clone());
                }
                let metadata = json!({"finishReason": end.finish_reason});
                let told = shown(end.answer.as_str(), "assistant", &end.text, metadata);
                (Some(end.answer), Some(end.message), told)
            }
            Logged::AnswerError { failure, .. } => {
                let metadata = json!({"error": failure.reason});
                let told = shown(failure.answer.as_str(), "assistant", &failure.text, metadata);
                (Some(failure.answer), Some(failure.message), told)
            }
        };
        if answers.is_some() {
            messages.retain(|other| other.answers != answers);
        }
        let has_tools = answers.as_ref().is_some_and(|message| asked_for_tools.contains(message));
        messages.push(Told { told, answers, answer, has_tools });
    }
    messages
}

/// An image as a part of a message.
fn file(image: &Image) -> Option<Value> {
    let (kind, _) = image.url.strip_prefix("data:")?.split_once(';')?;
    let mut part = json!({"type": "file", "mediaType": kind, "url": image.url});
    if let Some(name) = &image.name {
        part["filename"] = name.as_str().into();
    }
    Some(part)
}

fn shown(id: &str, role: &str, text: &str, metadata: Value) -> Value {
    json!({"id": id, "role": role, "parts": [{"type": "text", "text": text}], "metadata": metadata})
}
