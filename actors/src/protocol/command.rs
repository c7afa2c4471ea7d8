//! Commands: what a client may ask for.

use serde_json::{Map, Value};

use super::{AskForPerson, GiveFeedback, Image, Refusal};
use crate::ids::{AnswerId, CommandId, Epoch, GroupName, MessageId};

/// One command of a client.
#[derive(Debug, Clone)]
pub struct Command {
    /// The client's id for it; every command that bears one is answered by exactly one event that bears it too.
    pub id: Option<CommandId>,
    /// What to do.
    pub body: CommandBody,
}

/// What a command asks for.
#[derive(Debug, Clone)]
pub enum CommandBody {
    /// `message.send`
    Send(SendMessage),
    /// `answer.cancel`
    CancelAnswer(AnswerId),
    /// `answer.retry`
    RetryAnswer(MessageId),
    /// `auth.refresh`
    RefreshToken(String),
    /// `group.join`
    Join(JoinGroup),
    /// `group.leave`
    Leave(GroupName),
    /// `group.members`
    Members(GroupName),
    /// `group.typing`; home group when none is named.
    Typing(Option<GroupName>),
    /// `history.get`
    History {
        /// Home group when none is named.
        group: Option<GroupName>,
        /// Only events before this `seq`.
        before: Option<u64>,
        /// At most this many events.
        limit: usize,
    },
    /// `feedback`
    Feedback(GiveFeedback),
    /// `person.ask`
    AskPerson(AskForPerson),
    /// `ping`
    Ping,
}

impl CommandBody {
    /// The types on the wire.
    pub const NAMES: [&str; 12] = [
        "message.send",
        "answer.cancel",
        "answer.retry",
        "auth.refresh",
        "group.join",
        "group.leave",
        "group.members",
        "group.typing",
        "history.get",
        "feedback",
        "person.ask",
        "ping",
    ];

    /// The type on the wire.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Send(_) => "message.send",
            Self::CancelAnswer(_) => "answer.cancel",
            Self::RetryAnswer(_) => "answer.retry",
            Self::RefreshToken(_) => "auth.refresh",
            Self::Join(_) => "group.join",
            Self::Leave(_) => "group.leave",
            Self::Members(_) => "group.members",
            Self::Typing(_) => "group.typing",
            Self::History { .. } => "history.get",
            Self::Feedback(_) => "feedback",
            Self::AskPerson(_) => "person.ask",
            Self::Ping => "ping",
        }
    }
}

/// The fields of `message.send`.
#[derive(Debug, Clone)]
pub struct SendMessage {
    /// What was said.
    pub text: String,
    /// What is shown with it; whether it may be is yet to be asked.
    pub images: Vec<Image>,
    /// Home group when none is named.
    pub group: Option<GroupName>,
    /// Whether the AI is to answer.
    pub assistant: bool,
    /// Passed on as it is.
    pub metadata: Option<Map<String, Value>>,
    /// Whether it ends the answer that is being written to its author, so that it follows on that.
    pub steer: bool,
}

/// The fields of `group.join`.
#[derive(Debug, Clone)]
pub struct JoinGroup {
    /// The group.
    pub group: GroupName,
    /// The last `seq` that the client saw.
    pub since: Option<u64>,
    /// The `epoch` of that `seq`.
    pub epoch: Option<Epoch>,
}

/// A frame that is no command: the refusal, and the id it bears if it could be read.
#[derive(Debug, Clone)]
pub struct BadCommand {
    /// The client's id, when the frame had a legal one.
    pub id: Option<CommandId>,
    /// What is wrong.
    pub refusal: Refusal,
}
