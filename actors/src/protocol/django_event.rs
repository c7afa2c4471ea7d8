//! What Django may be told: a fixed set, from which no text of a client can be made.

/// A type of message that Django may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
pub enum DjangoEvent {
    /// Somebody said something.
    #[serde(rename = "chat.message")]
    Message,
    /// An answer is being written.
    #[serde(rename = "chat.answer.start")]
    AnswerStart,
    /// An answer grew.
    #[serde(rename = "chat.answer.delta")]
    AnswerDelta,
    /// An answer ended.
    #[serde(rename = "chat.answer.end")]
    AnswerEnd,
    /// An answer failed.
    #[serde(rename = "chat.answer.error")]
    AnswerError,
    /// Somebody rated an answer or the chat.
    #[serde(rename = "chat.feedback")]
    Feedback,
    /// Somebody asked for a person, or one took over or handed back.
    #[serde(rename = "chat.person")]
    Person,
}

impl DjangoEvent {
    /// Every type.
    pub const ALL: [Self; 7] = [
        Self::Message,
        Self::AnswerStart,
        Self::AnswerDelta,
        Self::AnswerEnd,
        Self::AnswerError,
        Self::Feedback,
        Self::Person,
    ];

    /// The type as Django sees it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Message => "chat.message",
            Self::AnswerStart => "chat.answer.start",
            Self::AnswerDelta => "chat.answer.delta",
            Self::AnswerEnd => "chat.answer.end",
            Self::AnswerError => "chat.answer.error",
            Self::Feedback => "chat.feedback",
            Self::Person => "chat.person",
        }
    }

    /// Reads the type as Django sees it.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}
