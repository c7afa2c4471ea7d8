//! What an agent's client posts: AG-UI's `RunAgentInput`. Pure.

mod behind;
mod content;
#[cfg(test)]
mod tests;

use bytestring::ByteString;
use serde_json::{Value, json};

pub use self::behind::Behind;
use self::behind::behind;
use self::content::{content, text_of};
use crate::dialects::{BadRequest, Json, UserMessage, function_tool};
use crate::ids::SessionId;
use crate::openai::{Body, ChatMessage, each_element};

/// The longest id of a run, in bytes. It stands in keys and in the id of each event.
const LONGEST_RUN: usize = 256;

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRequest {
    /// The conversation, which is a session.
    pub thread: SessionId,
    /// The run. The same one asked for again is joined.
    pub run: String,
    /// The last message of the user.
    pub question: UserMessage,
    /// The calls of tools behind it and their results, if the run brings any.
    pub behind: Vec<Behind>,
    /// What was said before the question, as the client tells it. The log is the truth where there is one.
    pub earlier: Vec<ChatMessage>,
    /// The tools of the client, each as a chat completion has it.
    pub tools: Vec<String>,
    /// What the application says about who asks, if it says anything.
    pub context: Option<String>,
    /// The messages as they came, with their ids.
    messages: Vec<(String, String)>,
}

impl RunRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// A field is missing or wrong.
    pub fn read(body: &Body) -> Result<Self, BadRequest> {
        let needed = |name: &str| match body.text(name) {
            Some(text) => Ok(text),
            None if body.says(name) => Err(BadRequest::expected(name, "a string")),
            None => Err(BadRequest::missing(name)),
        };
        let thread = SessionId::parse(&needed("threadId")?);
        let thread = thread.map_err(|bad| BadRequest::new("threadId", &bad.to_string()))?;
        let run = needed("runId")?;
        if run.is_empty() || run.len() > LONGEST_RUN || run.chars().any(char::is_control) {
            return Err(BadRequest::expected("runId", "1 to 256 bytes without control characters"));
        }
        if list(body, "resume")?.is_some_and(|all| !all.is_empty()) {
            return Err(BadRequest::new("resume", "there are no interrupts here"));
        }
        let texts = list(body, "messages")?.ok_or_else(|| BadRequest::missing("messages"))?;
        let messages: Vec<Value> = texts.iter().map(|text| serde_json::from_str(text).unwrap_or_default()).collect();
        let asked = messages.iter().rposition(|message| message["role"] == "user");
        let asked = asked.ok_or_else(|| BadRequest::new("messages", "there is no message of the user"))?;
        let place = format!("messages[{asked}]");
        let id = messages[asked]["id"].as_str().filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| BadRequest::missing(format!("{place}.id")))?.to_owned();
        let question = UserMessage { id, parts: content(&messages[asked]["content"], &format!("{place}.content"))? };
        if question.is_empty() {
            return Err(BadRequest::new(format!("{place}.content"), "it says nothing"));
        }
        let id = |message: &Value| message["id"].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            thread,
            run,
            question,
            behind: behind(&messages, asked)?,
            earlier: messages[..asked].iter().filter_map(earlier).collect(),
            tools: tools(body)?,
            context: context(body)?,
            messages: messages.iter().map(id).zip(texts.into_iter().map(str::to_owned)).collect(),
        })
    }

    /// The messages that the client knows but for what it has of this answer, if it has anything: a client whose run was cut off posts half
    /// of it, and would add the replay to that half. A client keeps thoughts that are not told, so those are told empty.
    pub fn messages_without(&self, answer: &str) -> Option<Json> {
        let is_thought = |id: &str| id.strip_prefix(answer).is_some_and(|rest| rest.starts_with("-r"));
        if !self.messages.iter().any(|(id, _)| id == answer || is_thought(id)) {
            return None;
        }
        let others = self.messages.iter().filter(|(id, _)| id != answer).map(|(id, text)| match is_thought(id) {
            true => json!({"id": id, "role": "reasoning", "content": ""}).to_string(),
            false => text.clone(),
        });
        Json::read(&format!("[{}]", others.collect::<Vec<_>>().join(",")))
    }
}

/// The elements of a field that is a list, if it says something.
fn list<'a>(body: &'a Body, name: &str) -> Result<Option<Vec<&'a str>>, BadRequest> {
    let Some(text) = body.get(name).filter(|text| *text != "null") else { return Ok(None) };
    if !text.starts_with('[') {
        return Err(BadRequest::expected(name, "an array"));
    }
    let mut all = Vec::new();
    each_element(text, |element| all.push(element));
    Ok(Some(all))
}

fn result(message: &Value) -> Option<ChatMessage> {
    let call = message["toolCallId"].as_str()?;
    Some(ChatMessage::result(call, message["error"].as_str().unwrap_or(&text_of(&message["content"]))))
}

/// What was said before. What the model thought, and what an application shows beside, no backend is told.
fn earlier(message: &Value) -> Option<ChatMessage> {
    let text = text_of(&message["content"]);
    match message["role"].as_str()? {
        "tool" => result(message),
        "assistant" => {
            let mut said = vec![ChatMessage::says("assistant", &text)];
            let calls = message["toolCalls"].as_array().map(Vec::as_slice).unwrap_or_default();
            for call in calls {
                let function = &call["function"];
                let (name, arguments) = (function["name"].as_str()?, function["arguments"].as_str()?);
                ChatMessage::add_call(&mut said, call["id"].as_str()?, name, arguments);
            }
            said.pop().filter(|it| !text.is_empty() || !it.tool_calls.is_empty())
        }
        role @ ("user" | "system") => Some(ChatMessage::says(role, &text)),
        "developer" => Some(ChatMessage::says("system", &text)),
        _ => None,
    }
}

fn tools(body: &Body) -> Result<Vec<String>, BadRequest> {
    let all = list(body, "tools")?.unwrap_or_default();
    let tool = |(at, text): (usize, &str)| {
        let said = Body::parse(&ByteString::from(text));
        let mut said = said.map_err(|_| BadRequest::expected(format!("tools[{at}]"), "an object"))?;
        said.remove("metadata");
        match said.text("name") {
            Some(name) if !name.is_empty() => Ok(function_tool(said)),
            _ => Err(BadRequest::missing(format!("tools[{at}].name"))),
        }
    };
    all.into_iter().enumerate().map(tool).collect()
}

fn context(body: &Body) -> Result<Option<String>, BadRequest> {
    let all = list(body, "context")?.unwrap_or_default();
    let lines: Vec<String> = all
        .into_iter()
        .filter_map(|text| {
            let entry: Value = serde_json::from_str(text).ok()?;
            Some(format!("{}: {}", entry["description"].as_str()?, entry["value"].as_str()?))
        })
        .collect();
    Ok((!lines.is_empty()).then(|| lines.join("\n")))
}
