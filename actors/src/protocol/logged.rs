//! What is kept in a group's log: messages, and how answers ended.

use bytestring::ByteString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::event::{CacheStatus, encode};
use super::{ErrorCode, Image, Reasoning};
use crate::ids::{AnswerId, GroupName, MessageId};

/// Who a message is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A person in a chat session.
    User,
    /// A person who runs the service.
    Operator,
    /// The application.
    System,
    /// The AI, or who speaks in its place.
    Assistant,
}

/// A message as it stands in a group's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Given by the server.
    pub id: MessageId,
    /// Who it is from.
    pub role: Role,
    /// The author's name.
    pub author: String,
    /// What was said.
    pub text: String,
    /// What was shown with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// Passed on as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
}

/// Tokens, as the backend counted or this service estimated them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Of the request.
    pub prompt_tokens: u64,
    /// Of the answer.
    pub completion_tokens: u64,
    /// Both.
    pub total_tokens: u64,
}

/// The end of an answer that was written (or cancelled).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerFinished {
    /// Which answer.
    pub answer: AnswerId,
    /// What it answers.
    pub message: MessageId,
    /// All of it.
    pub text: String,
    /// What the model thought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Reasoning>,
    /// Who wrote it. Not in what was logged by earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How it came about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheStatus>,
    /// The backend's word, or `cancelled`.
    pub finish_reason: String,
    /// Tokens, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// From the question to the end.
    pub latency_ms: u64,
}

/// The end of an answer that failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerFailed {
    /// Which answer.
    pub answer: AnswerId,
    /// What it answers.
    pub message: MessageId,
    /// What was written.
    pub text: String,
    /// What the model thought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Reasoning>,
    /// Why.
    pub code: ErrorCode,
    /// Why, as a sentence.
    pub reason: String,
    /// When trying again makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// What is kept in a group's log, without its `seq`, which the log gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Logged {
    /// Somebody said something.
    #[serde(rename = "message")]
    Message {
        /// The group.
        group: GroupName,
        /// The message.
        message: Message,
    },
    /// An answer ended.
    #[serde(rename = "answer.end")]
    AnswerEnd {
        /// The group.
        group: GroupName,
        /// The end.
        #[serde(flatten)]
        end: AnswerFinished,
    },
    /// An answer failed.
    #[serde(rename = "answer.error")]
    AnswerError {
        /// The group.
        group: GroupName,
        /// The failure.
        #[serde(flatten)]
        failure: AnswerFailed,
    },
}

impl Logged {
    /// The answer that ends with this event.
    pub fn ended_answer(&self) -> Option<&AnswerId> {
        match self {
            Self::Message { .. } => None,
            Self::AnswerEnd { end, .. } => Some(&end.answer),
            Self::AnswerError { failure, .. } => Some(&failure.answer),
        }
    }

    /// As it is kept: one JSON object.
    pub fn encode(&self) -> ByteString {
        encode(self)
    }

    /// The frame of a kept event: its body with its `seq`, which stands first.
    pub fn frame(seq: u64, body: &str) -> ByteString {
        format!("{{\"seq\":{seq},{}", body.strip_prefix('{').unwrap_or(body)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logged_event_comes_back_as_it_was_and_its_frame_bears_the_seq() {
        let group = GroupName::parse("g").expect("legal");
        let end = AnswerFinished {
            answer: AnswerId::from("a1"),
            message: MessageId::from("m1"),
            text: "hi".into(),
            reasoning: Some(Reasoning { text: "hm".into(), ms: None, cut: false }),
            model: Some("m".into()),
            cache: Some(CacheStatus::Hit),
            finish_reason: "stop".into(),
            usage: None,
            latency_ms: 5,
        };
        let logged = Logged::AnswerEnd { group, end };
        let body = logged.encode();
        assert_eq!(serde_json::from_str::<Logged>(&body).expect("own JSON"), logged);
        let frame: Value = serde_json::from_str(&Logged::frame(7, &body)).expect("JSON");
        assert_eq!(frame["seq"], 7);
        assert_eq!(frame["type"], "answer.end");
        assert_eq!(frame["finish_reason"], "stop");
        assert_eq!(frame["reasoning"], serde_json::json!({"text": "hm"}));
        assert_eq!((&frame["model"], &frame["cache"]), (&"m".into(), &"hit".into()));
    }

    #[test]
    fn an_end_that_an_earlier_version_logged_is_read() {
        let body = r#"{"type":"answer.end","group":"g","answer":"a1","message":"m1","text":"hi","finish_reason":"stop","latency_ms":5}"#;
        let Ok(Logged::AnswerEnd { end, .. }) = serde_json::from_str(body) else { panic!("{body}") };
        assert_eq!((end.model, end.cache), (None, None));
    }
}
