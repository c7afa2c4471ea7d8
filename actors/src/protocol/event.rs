//! Events: what the server sends. Each is encoded once and its bytes are shared by every socket that gets it.

use std::collections::BTreeMap;

use bytestring::ByteString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{ErrorCode, PersonState, Refusal, Remaining};
use crate::ids::{AnswerId, CommandId, Epoch, GroupName, MessageId, NodeId, SessionId, UserId};

/// How an answer came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheStatus {
    /// From the cache.
    Hit,
    /// Asked of the backend.
    Miss,
    /// Joined an answer that was under way.
    Coalesced,
    /// The cache was not asked.
    Bypass,
}

impl CacheStatus {
    /// Whether the backend was asked for it. Who had it asked pays the tokens; who shares the answer pays none.
    pub const fn asked_the_backend(self) -> bool {
        matches!(self, Self::Miss | Self::Bypass)
    }

    /// Reads the word on the wire.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Hit, Self::Miss, Self::Coalesced, Self::Bypass].into_iter().find(|status| status.as_str() == word)
    }

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Coalesced => "coalesced",
            Self::Bypass => "bypass",
        }
    }
}

/// An answer that is still being written, as `session.ready` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct RunningAnswer {
    /// Which answer.
    pub answer: AnswerId,
    /// Where.
    pub group: GroupName,
    /// What it answers.
    pub message: MessageId,
    /// All that was written so far.
    pub text: String,
    /// Its length in Unicode scalar values.
    pub offset: usize,
    /// What the model thought so far.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reasoning: String,
}

/// Where a group's log stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct LogHead {
    /// The log's life.
    pub epoch: Epoch,
    /// The last event's `seq`; 0 for an empty log.
    pub seq: u64,
}

/// Where a group of a session stands: its log, and who answers there, where that is not simply the assistant.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    /// Its log.
    #[serde(flatten)]
    pub head: LogHead,
    /// `false` where a person has taken over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assistant: Option<bool>,
    /// `asked` where somebody has asked for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonState>,
}

/// One member of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The session.
    pub session: SessionId,
    /// Its user.
    pub user: UserId,
    /// Where it attached first.
    pub node: NodeId,
    /// Since when; RFC 3339.
    pub since: String,
}

/// One of several who came or went at once.
#[derive(Debug, Serialize)]
pub struct Who<'a> {
    /// The session.
    pub session: &'a SessionId,
    /// Its user.
    pub user: &'a UserId,
}

/// Events that are not logged.
#[derive(Debug, Serialize)]
#[serde(tag = "type")]
#[allow(missing_docs, reason = "the fields are the protocol's own, described in docs/protocol.md")]
pub enum Event<'a> {
    #[serde(rename = "session.ready")]
    Ready {
        session: &'a SessionId,
        user: &'a UserId,
        node: &'a NodeId,
        epoch: &'a Epoch,
        seq: u64,
        recovered: bool,
        groups: Vec<&'a GroupName>,
        logs: BTreeMap<&'a GroupName, Standing>,
        answers: Vec<RunningAnswer>,
        ping_interval_ms: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_in_ms: Option<u64>,
        protocol: &'static str,
    },
    /// What was asked is done here; with `pending`, a node that is away will do it yet.
    #[serde(rename = "ack")]
    AckOfOrder {
        id: &'a CommandId,
        #[serde(skip_serializing_if = "Option::is_none")]
        pending: Option<bool>,
    },
    #[serde(rename = "ack")]
    Ack {
        id: &'a CommandId,
        #[serde(skip_serializing_if = "Option::is_none")]
        epoch: Option<&'a Epoch>,
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<&'a MessageId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        recovered: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        assistant: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        person: Option<PersonState>,
        #[serde(skip_serializing_if = "Option::is_none")]
        limits: Option<&'a Remaining>,
    },
    #[serde(rename = "error")]
    Error {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a CommandId>,
        code: ErrorCode,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    #[serde(rename = "answer.start")]
    AnswerStart {
        group: &'a GroupName,
        answer: &'a AnswerId,
        message: &'a MessageId,
        model: &'a str,
        cache: CacheStatus,
    },
    #[serde(rename = "answer.delta")]
    AnswerDelta { group: &'a GroupName, answer: &'a AnswerId, offset: usize, text: &'a str },
    #[serde(rename = "answer.reasoning")]
    AnswerReasoning { group: &'a GroupName, answer: &'a AnswerId, offset: usize, text: &'a str },
    #[serde(rename = "group.joined")]
    Joined { group: &'a GroupName, session: &'a SessionId, user: &'a UserId },
    #[serde(rename = "group.left")]
    Left { group: &'a GroupName, session: &'a SessionId, user: &'a UserId },
    #[serde(rename = "group.joined")]
    JoinedMany {
        group: &'a GroupName,
        #[serde(skip_serializing_if = "Option::is_none")]
        members: Option<Vec<Who<'a>>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        count: Option<usize>,
        total: usize,
    },
    #[serde(rename = "group.left")]
    LeftMany {
        group: &'a GroupName,
        #[serde(skip_serializing_if = "Option::is_none")]
        members: Option<Vec<Who<'a>>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        count: Option<usize>,
        total: usize,
    },
    #[serde(rename = "group.members")]
    Members {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a CommandId>,
        group: &'a GroupName,
        members: Vec<Member>,
        total: usize,
    },
    #[serde(rename = "typing")]
    Typing { group: &'a GroupName, user: &'a UserId },
    #[serde(rename = "history")]
    History {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a CommandId>,
        group: &'a GroupName,
        events: Vec<Box<RawValue>>,
        more: bool,
    },
    #[serde(rename = "log.reset")]
    LogReset { group: &'a GroupName, epoch: &'a Epoch, seq: u64 },
    /// A person took over from the assistant, or handed back.
    #[serde(rename = "assistant")]
    Assistant { group: &'a GroupName, on: bool },
    /// Somebody asked for a person, or what came of it.
    #[serde(rename = "person")]
    Person { group: &'a GroupName, state: PersonState },
    #[serde(rename = "event")]
    Foreign { group: &'a GroupName, event: &'a Value },
    #[serde(rename = "pong")]
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a CommandId>,
    },
    #[serde(rename = "session.closing")]
    Closing {
        code: u16,
        reason: &'a str,
        reconnect: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_in_ms: Option<u64>,
    },
}

impl Event<'_> {
    /// The text frame.
    pub fn encode(&self) -> ByteString {
        encode(self)
    }

    /// A plain `ack`.
    pub fn ack(id: &CommandId) -> Event<'_> {
        Event::Ack {
            id,
            epoch: None,
            seq: None,
            message: None,
            recovered: None,
            assistant: None,
            person: None,
            limits: None,
        }
    }

    /// An `error` that tells of a refusal.
    pub fn error<'a>(id: Option<&'a CommandId>, refusal: &'a Refusal) -> Event<'a> {
        Event::Error { id, code: refusal.code, message: &refusal.message, retry_after_ms: refusal.retry_after_ms }
    }
}

pub(super) fn encode(value: &impl Serialize) -> ByteString {
    serde_json::to_string(value).expect("events have string keys and no failing Serialize").into()
}
