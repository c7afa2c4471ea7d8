//! A chat's log as the messages of the AI SDK. Pure.

use serde_json::{Value, json};
use sophie_actors::ids::MessageId;
use sophie_actors::protocol::{Logged, Role};
use sophie_actors::store::{PageSize, StoredEvent};

/// As much of a log as is read.
pub(super) const SIZE: PageSize = PageSize { events: 500, bytes: 4 << 20 };

/// The messages of a log, oldest first. Of several answers to a message the last one counts.
pub(super) fn of(events: &[StoredEvent]) -> Vec<Value> {
    let mut messages: Vec<(Option<MessageId>, Value)> = Vec::new();
    for event in events {
        let Ok(event) = serde_json::from_str(&event.body) else { continue };
        let (answers, message) = match event {
            Logged::Message { message, .. } => {
                let role = match message.role {
                    Role::User => "user",
                    // To who asks a person of the service is on its side.
                    Role::Operator | Role::Assistant => "assistant",
                    Role::System => "system",
                };
                let metadata = json!({"author": message.author, "createdAt": message.created_at});
                (None, shown(message.id.as_str(), role, &message.text, metadata))
            }
            Logged::AnswerEnd { end, .. } => {
                let metadata = json!({"finishReason": end.finish_reason});
                (Some(end.message), shown(end.answer.as_str(), "assistant", &end.text, metadata))
            }
            Logged::AnswerError { failure, .. } => {
                let metadata = json!({"error": failure.reason});
                (Some(failure.message), shown(failure.answer.as_str(), "assistant", &failure.text, metadata))
            }
        };
        if answers.is_some() {
            messages.retain(|(other, _)| *other != answers);
        }
        messages.push((answers, message));
    }
    messages.into_iter().map(|(_, message)| message).collect()
}

fn shown(id: &str, role: &str, text: &str, metadata: Value) -> Value {
    json!({"id": id, "role": role, "parts": [{"type": "text", "text": text}], "metadata": metadata})
}
