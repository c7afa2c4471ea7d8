//! A message of a request for a chat completion, as somebody puts it together who was asked in another protocol.

use serde::{Deserialize, Serialize};

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChatMessage {
    /// Who says it: `system`, `user`, `assistant`, `tool`.
    pub role: String,
    /// What is said; null beside tool calls alone.
    pub content: Option<Content>,
    /// The tools that the assistant asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// The call whose result this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// A text.
    Text(String),
    /// Texts, images and files.
    Parts(Vec<MessagePart>),
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum MessagePart {
    /// A text.
    Text {
        /// The text.
        text: String,
    },
    /// An image.
    ImageUrl {
        /// Where it is.
        image_url: ImageUrl,
    },
    /// A file.
    File {
        /// The file.
        file: File,
    },
}

/// Where an image is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageUrl {
    /// Its address, or itself as a `data:` URL.
    pub url: String,
    /// How closely it is to be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// Itself, as a `data:` URL.
    pub file_data: String,
}

/// A tool that the assistant asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Which call.
    pub id: String,
    /// `function`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The tool and its arguments.
    pub function: CalledFunction,
}

/// A tool and its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalledFunction {
    /// The tool.
    pub name: String,
    /// Its arguments, as a JSON text.
    pub arguments: String,
}

impl ChatMessage {
    /// One that says a text.
    pub fn says(role: &str, text: &str) -> Self {
        Self { role: role.to_owned(), content: Some(Content::Text(text.to_owned())), ..Self::default() }
    }

    /// The result of a tool call.
    pub fn result(call: &str, output: &str) -> Self {
        Self { tool_call_id: Some(call.to_owned()), ..Self::says("tool", output) }
    }

    /// The parts, as a text where they are one.
    pub fn of_parts(role: &str, mut parts: Vec<MessagePart>) -> Self {
        let content = match parts.as_mut_slice() {
            [MessagePart::Text { text }] => Content::Text(std::mem::take(text)),
            _ => Content::Parts(parts),
        };
        Self { role: role.to_owned(), content: Some(content), ..Self::default() }
    }

    /// A tool that the assistant asks for, put to what it has said: a chat completion's message has both.
    pub fn add_call(messages: &mut Vec<Self>, id: &str, name: &str, arguments: &str) {
        let function = CalledFunction { name: name.to_owned(), arguments: arguments.to_owned() };
        let call = ToolCall { id: id.to_owned(), kind: "function".to_owned(), function };
        match messages.last_mut().filter(|last| last.role == "assistant") {
            Some(last) => last.tool_calls.push(call),
            None => messages.push(Self { role: "assistant".to_owned(), tool_calls: vec![call], ..Self::default() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_are_written_as_backends_read_them() {
        let mut messages = vec![ChatMessage::says("user", "hi"), ChatMessage::says("assistant", "wait")];
        ChatMessage::add_call(&mut messages, "a", "f", "{}");
        ChatMessage::add_call(&mut messages, "b", "g", "{}");
        messages.push(ChatMessage::result("a", "1"));
        ChatMessage::add_call(&mut messages, "c", "h", "{}");
        let call =
            |id: &str, name: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": "{}"}});
        let written = json!([
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "wait", "tool_calls": [call("a", "f"), call("b", "g")]},
            {"role": "tool", "content": "1", "tool_call_id": "a"},
            {"role": "assistant", "content": null, "tool_calls": [call("c", "h")]},
        ]);
        assert_eq!(json!(messages), written);
        assert_eq!(serde_json::from_value::<Vec<ChatMessage>>(written).expect("messages"), messages);
    }

    #[test]
    fn one_text_is_a_text_and_several_parts_are_parts() {
        let text = |text: &str| MessagePart::Text { text: text.to_owned() };
        let image = MessagePart::ImageUrl { image_url: ImageUrl { url: "u".to_owned(), detail: None } };
        assert_eq!(json!(ChatMessage::of_parts("user", vec![text("a")]))["content"], "a");
        let parts = json!(ChatMessage::of_parts("user", vec![text("a"), image]))["content"].clone();
        assert_eq!(parts, json!([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "u"}}]));
    }
}
