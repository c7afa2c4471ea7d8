//! The parts that the documents are made of: what each subject adds to them.

use serde_json::{Map, Value};

/// Where the chats of the AI SDK are, unless `chat.path` says otherwise. The parts are written so.
pub const USUAL_CHAT_PATH: &str = "/api/chat";

macro_rules! parts {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("parts/", $name, ".json")))),*]
    };
}

const PARTS: &[(&str, &str)] = parts![
    "common",
    "errors",
    "pages",
    "health",
    "sophie",
    "commands",
    "events",
    "members",
    "log",
    "speaking",
    "completions",
    "models",
    "responses",
    "response-events",
    "response-socket",
    "chat",
    "chat-chunks",
    "chat-socket",
    "agui",
    "agui-events",
    "streams",
    "admin-groups",
    "admin-sessions",
    "admin-people",
    "admin-usage",
    "admin-node",
];

/// What one subject adds.
pub(super) struct Part(Map<String, Value>);

impl Part {
    /// What it adds to a section of a document, by name.
    pub(super) fn section(&self, name: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.0.get(name).and_then(Value::as_object).into_iter().flatten()
    }
}

/// All of them.
pub(super) fn all(chat_path: &str) -> Vec<Part> {
    let read = |(name, text): &(&str, &str)| {
        let moved = text.replace(&format!("\"{USUAL_CHAT_PATH}"), &format!("\"{chat_path}"));
        let part = serde_json::from_str(&moved).unwrap_or_else(|error| panic!("the part {name} is no JSON: {error}"));
        Part(part)
    };
    PARTS.iter().map(read).collect()
}
