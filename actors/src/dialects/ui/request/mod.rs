//! What `useChat` posts: a chat, the messages that it knows, and what is wanted. Pure.

#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::dialects::user_message::file_part;
use crate::dialects::{BadRequest, UserMessage};
use crate::ids::SessionId;
use crate::openai::{ChatMessage, MessagePart};

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct UiRequest {
    /// The chat, which is a session.
    pub chat: SessionId,
    /// What is wanted.
    pub wish: Wish,
    /// The last message of the user.
    pub question: UserMessage,
    /// The texts before it, as the client tells them. The log is the truth where there is one.
    pub earlier: Vec<ChatMessage>,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// An answer to the question. The same question sent again has the same answer.
    Answer,
    /// Another answer in place of the last one.
    Again {
        /// The message that it replaces, if the client says so.
        message: Option<String>,
    },
    /// The tools that an answer asked for have been called, and it is to go on.
    GoOn {
        /// The client's id of the message with the calls.
        message: String,
        /// What came of them, each call once. Those of earlier steps are among them.
        outputs: Vec<ToolOutput>,
    },
}

/// What came of a tool call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolOutput {
    /// Which call.
    pub call: String,
    /// Its result: a text as it is, anything else as JSON.
    pub output: String,
}

impl UiRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// A field is missing or wrong.
    pub fn read(body: &Value) -> Result<Self, BadRequest> {
        let chat = body["id"].as_str().ok_or_else(|| BadRequest::missing("id"))?;
        let chat = SessionId::parse(chat).map_err(|bad| BadRequest::new("id", &bad.to_string()))?;
        let one = [body["message"].clone()];
        let (messages, name): (&[Value], _) = match &body["messages"] {
            Value::Array(all) => (all, "messages"),
            Value::Null if body["message"].is_object() => (&one, "message"),
            Value::Null => return Err(BadRequest::missing("messages")),
            _ => return Err(BadRequest::expected("messages", "an array of messages")),
        };
        let place = |at: usize| if name == "message" { name.to_owned() } else { format!("{name}[{at}]") };
        let asked = messages.iter().rposition(|message| message["role"] == "user");
        let asked = asked.ok_or_else(|| BadRequest::new(name, "there is no message of the user"))?;
        let question = question(&messages[asked], &place(asked))?;
        let wish = match body["trigger"].as_str() {
            Some("regenerate-message") => Wish::Again { message: body["messageId"].as_str().map(str::to_owned) },
            Some("submit-message") if asked + 1 == messages.len() => Wish::Answer,
            Some("submit-message") => go_on(&messages[messages.len() - 1], &place(messages.len() - 1))?,
            Some(_) => return Err(BadRequest::expected("trigger", "'submit-message' or 'regenerate-message'")),
            None => return Err(BadRequest::missing("trigger")),
        };
        let earlier = messages[..asked].iter().filter_map(earlier).collect();
        Ok(Self { chat, wish, question, earlier })
    }
}

fn question(message: &Value, place: &str) -> Result<UserMessage, BadRequest> {
    let id = message["id"].as_str().filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| BadRequest::missing(format!("{place}.id")))?.to_owned();
    let all = message["parts"].as_array();
    let all = all.ok_or_else(|| BadRequest::expected(format!("{place}.parts"), "an array of parts"))?;
    let mut parts = Vec::new();
    for (at, part) in all.iter().enumerate() {
        let place = format!("{place}.parts[{at}]");
        let text =
            |name: &str| part[name].as_str().ok_or_else(|| BadRequest::expected(format!("{place}.{name}"), "a string"));
        match part["type"].as_str() {
            Some("text") => parts.push(MessagePart::Text { text: text("text")?.to_owned() }),
            Some("file") => {
                let file = file_part(text("mediaType")?, text("url")?, part["filename"].as_str());
                let unseen = || BadRequest::new(format!("{place}.url"), "only images may be elsewhere");
                parts.push(file.ok_or_else(unseen)?);
            }
            // What an application adds for itself.
            _ => {}
        }
    }
    let question = UserMessage { id, parts };
    if question.is_empty() {
        return Err(BadRequest::new(format!("{place}.parts"), "it says nothing"));
    }
    Ok(question)
}

/// The results of tools in the last message, which is the assistant's.
fn go_on(message: &Value, place: &str) -> Result<Wish, BadRequest> {
    let mut outputs: Vec<ToolOutput> = Vec::new();
    for part in message["parts"].as_array().into_iter().flatten() {
        let kind = part["type"].as_str().unwrap_or_default();
        let Some(call) = part["toolCallId"].as_str().filter(|_| kind == "dynamic-tool" || kind.starts_with("tool-"))
        else {
            continue;
        };
        let output = match part["state"].as_str() {
            Some("output-available") if part["preliminary"] != true => match &part["output"] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            },
            Some("output-error") => part["errorText"].as_str().unwrap_or("the tool failed").to_owned(),
            _ => continue,
        };
        if outputs.iter().all(|known| known.call != call) {
            outputs.push(ToolOutput { call: call.to_owned(), output });
        }
    }
    if message["role"] != "assistant" || outputs.is_empty() {
        return Err(BadRequest::new(place, "expected a message of the user, or the assistant's with results of tools"));
    }
    Ok(Wish::GoOn { message: message["id"].as_str().unwrap_or_default().to_owned(), outputs })
}

/// What was said before, of which the texts alone are told.
fn earlier(message: &Value) -> Option<ChatMessage> {
    let role = message["role"].as_str().filter(|role| ["user", "assistant", "system"].contains(role))?;
    let parts = message["parts"].as_array()?.iter().filter(|part| part["type"] == "text");
    let text = parts.filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n");
    (!text.is_empty()).then(|| ChatMessage::says(role, &text))
}
