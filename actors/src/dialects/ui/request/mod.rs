//! What `useChat` posts: a chat, the messages that it knows, and what is wanted. Pure.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dialects::user_message::file_part;
use crate::dialects::{BadRequest, UserMessage};
use crate::ids::SessionId;
use crate::openai::{Body, ChatMessage, MessagePart, each_element};

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
    /// The tools that the application offers, each as a chat completion has it.
    pub tools: Vec<String>,
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
        /// That message as the client tells it, for a backend: its texts, calls and results.
        told: Vec<ChatMessage>,
    },
}

/// What came of a tool call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolOutput {
    /// Which call.
    pub call: String,
    /// What came of it.
    pub result: ToolResult,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToolResult {
    /// A value.
    Output(Value),
    /// Nothing, and why.
    Error(String),
}

impl ToolResult {
    /// As a backend is told: a text as it is, anything else as JSON.
    pub fn to_text(&self) -> String {
        match self {
            Self::Output(Value::String(text)) | Self::Error(text) => text.clone(),
            Self::Output(other) => other.to_string(),
        }
    }
}

/// Tools that one request may offer. No backend takes more.
const MOST_TOOLS: usize = 128;

impl UiRequest {
    /// Reads a body; what an application adds for itself stands in `added`, which over HTTP is the same.
    ///
    /// # Errors
    /// A field is missing or wrong.
    pub fn read(body: &Body, added: &Body) -> Result<Self, BadRequest> {
        let tools = tools(added)?;
        let field = |name: &str| body.get(name).and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
        Self::read_fields(field, tools)
    }

    fn read_fields(field: impl Fn(&str) -> Value, tools: Vec<String>) -> Result<Self, BadRequest> {
        let chat = field("id").as_str().map(str::to_owned).ok_or_else(|| BadRequest::missing("id"))?;
        let chat = SessionId::parse(&chat).map_err(|bad| BadRequest::new("id", &bad.to_string()))?;
        let (many, one) = (field("messages"), [field("message")]);
        let (messages, name): (&[Value], _) = match &many {
            Value::Array(all) => (all, "messages"),
            Value::Null if one[0].is_object() => (&one, "message"),
            Value::Null => return Err(BadRequest::missing("messages")),
            _ => return Err(BadRequest::expected("messages", "an array of messages")),
        };
        let place = |at: usize| if name == "message" { name.to_owned() } else { format!("{name}[{at}]") };
        let asked = messages.iter().rposition(|message| message["role"] == "user");
        let asked = asked.ok_or_else(|| BadRequest::new(name, "there is no message of the user"))?;
        let question = question(&messages[asked], &place(asked))?;
        let wish = match field("trigger").as_str() {
            Some("regenerate-message") => Wish::Again { message: field("messageId").as_str().map(str::to_owned) },
            Some("submit-message") if asked + 1 == messages.len() => Wish::Answer,
            Some("submit-message") => go_on(&messages[messages.len() - 1], &place(messages.len() - 1))?,
            Some(_) => return Err(BadRequest::expected("trigger", "'submit-message' or 'regenerate-message'")),
            None => return Err(BadRequest::missing("trigger")),
        };
        let earlier = messages[..asked].iter().filter_map(earlier).collect();
        Ok(Self { chat, wish, question, earlier, tools })
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
                let unseen = || {
                    BadRequest::new(
                        format!("{place}.url"),
                        "a file comes with its message, as a `data:` URL; none is fetched from an address",
                    )
                };
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
    let parts = message["parts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut outputs: Vec<ToolOutput> = Vec::new();
    for output in parts.iter().filter_map(output) {
        if outputs.iter().all(|known| known.call != output.call) {
            outputs.push(output);
        }
    }
    if message["role"] != "assistant" || outputs.is_empty() {
        return Err(BadRequest::new(place, "expected a message of the user, or the assistant's with results of tools"));
    }
    Ok(Wish::GoOn { message: message["id"].as_str().unwrap_or_default().to_owned(), told: told(parts), outputs })
}

/// The tool and the call of a part that is one.
fn call(part: &Value) -> Option<(&str, &str)> {
    let kind = part["type"].as_str()?;
    let tool = if kind == "dynamic-tool" {
        part["toolName"].as_str().unwrap_or_default()
    } else {
        kind.strip_prefix("tool-")?
    };
    Some((tool, part["toolCallId"].as_str()?))
}

fn output(part: &Value) -> Option<ToolOutput> {
    let (_, call) = call(part)?;
    let result = match part["state"].as_str()? {
        "output-available" if part["preliminary"] != true => ToolResult::Output(part["output"].clone()),
        "output-error" => ToolResult::Error(part["errorText"].as_str().unwrap_or("the tool failed").to_owned()),
        _ => return None,
    };
    Some(ToolOutput { call: call.to_owned(), result })
}

/// The parts of the assistant's message as messages of a chat completion: of each step what it says and asks for, then the results.
fn told(parts: &[Value]) -> Vec<ChatMessage> {
    let mut messages = Vec::new();
    for step in parts.split(|part| part["type"] == "step-start") {
        let text: String =
            step.iter().filter(|part| part["type"] == "text").filter_map(|part| part["text"].as_str()).collect();
        let mut said = if text.is_empty() { Vec::new() } else { vec![ChatMessage::says("assistant", &text)] };
        for part in step {
            let (Some((tool, call)), Some(_)) = (call(part), output(part)) else { continue };
            ChatMessage::add_call(&mut said, call, tool, &part["input"].to_string());
        }
        messages.extend(said);
        let results = step.iter().filter_map(output);
        messages.extend(results.map(|output| ChatMessage::result(&output.call, &output.result.to_text())));
    }
    messages
}

/// The tools that an application offers, as it wrote them.
fn tools(added: &Body) -> Result<Vec<String>, BadRequest> {
    let Some(text) = added.get("tools").filter(|text| *text != "null") else { return Ok(Vec::new()) };
    if !text.starts_with('[') {
        return Err(BadRequest::expected("tools", "an array of functions"));
    }
    let mut tools = Vec::new();
    each_element(text, |tool| tools.push(tool.to_owned()));
    if tools.len() > MOST_TOOLS {
        return Err(BadRequest::new("tools", "there are more than 128"));
    }
    for (at, tool) in tools.iter().enumerate() {
        let tool: Value = serde_json::from_str(tool).unwrap_or_default();
        if tool["type"] != "function" || tool["function"]["name"].as_str().is_none_or(str::is_empty) {
            return Err(BadRequest::expected(
                format!("tools[{at}]"),
                r#"{"type": "function", "function": {"name", …}}"#,
            ));
        }
    }
    Ok(tools)
}

/// What was said before, of which the texts alone are told.
fn earlier(message: &Value) -> Option<ChatMessage> {
    let role = message["role"].as_str().filter(|role| ["user", "assistant", "system"].contains(role))?;
    let parts = message["parts"].as_array()?.iter().filter(|part| part["type"] == "text");
    let text = parts.filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n");
    (!text.is_empty()).then(|| ChatMessage::says(role, &text))
}
