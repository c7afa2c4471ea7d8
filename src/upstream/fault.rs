//! What can go wrong with a backend, and how the log tells of it.

use sophie_actors::openai::completion::BadCompletion;
use sophie_actors::openai::error::{Meaning, ReportedError};

use super::secrets::Secrets;

/// How much of the backend's own words goes to the log, in characters.
const MESSAGE_CHARS: usize = 200;

/// Which of the time-outs it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// `ai.connect_seconds`
    Connect,
    /// `ai.first_chunk_seconds`
    FirstChunk,
    /// `ai.idle_seconds`
    Idle,
    /// `ai.total_seconds`
    Whole,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No connection, or lost before any of the answer came.
    Connection(String),
    /// Too slow.
    Timeout(Stage),
    /// Refused with a status.
    Status(u16, ReportedError),
    /// An error object where a chunk should be.
    Reported(ReportedError),
    /// Not an answer in any form that we know.
    Unreadable(String),
    /// Lost, or no longer readable, in the middle of the answer.
    Broken(String),
    /// More data than an answer may have.
    Overlong,
    /// It knows nothing of embeddings, or is not where it is looked for.
    NoEmbeddings,
}

impl Fault {
    /// Whether it is a field of the request that the backend does not take.
    pub fn refuses(&self, field: &str) -> bool {
        let Self::Status(400.., error) = self else { return false };
        // Some fall over it.
        matches!(self.meaning(), Meaning::Rejected | Meaning::Down) && error.names(field)
    }

    /// Whether the account itself is the trouble, which no repetition mends.
    pub fn is_account(&self) -> bool {
        self.meaning() == Meaning::Account
    }

    /// What it means; a fault without a word of the backend is its trouble.
    pub fn meaning(&self) -> Meaning {
        match self {
            Self::Status(status, error) => Meaning::of(Some(*status), error),
            Self::Reported(error) => Meaning::of(None, error),
            _ => Meaning::Down,
        }
    }

    /// The fault for the log, without secrets.
    pub fn detail(&self, secrets: &Secrets) -> String {
        let clean = |text: &str| clean(text, secrets);
        let reported = |error: &ReportedError| {
            let (kind, code, message) = (clean(&error.kind), clean(&error.code), clean(&error.message));
            let beginning = match &*error.beginning {
                "" => String::new(),
                beginning => format!(" body={:?}", clean(beginning)),
            };
            format!("type={kind:?} code={code:?} message={message:?}{beginning}")
        };
        let hint = if self.meaning() == Meaning::Elsewhere { " (does base_url end in /v1?)" } else { "" };
        match self {
            Self::Connection(cause) => format!("connection failed: {}", clean(cause)),
            Self::Timeout(stage) => format!("time-out: ai.{}", stage.setting()),
            Self::Status(status, error) => format!("status={status} {}{hint}", reported(error)),
            Self::Reported(error) => format!("error inside the answer: {}{hint}", reported(error)),
            Self::Unreadable(cause) => format!("unreadable answer: {}", clean(cause)),
            Self::Broken(cause) => format!("broken stream: {}", clean(cause)),
            Self::Overlong => "the answer is longer than ai.max_answer_bytes".to_owned(),
            Self::NoEmbeddings => "no embeddings there (does base_url end in /v1?)".to_owned(),
        }
    }
}

impl Stage {
    fn setting(self) -> &'static str {
        match self {
            Self::Connect => "connect_seconds",
            Self::FirstChunk => "first_chunk_seconds",
            Self::Idle => "idle_seconds",
            Self::Whole => "total_seconds",
        }
    }
}

/// An error and what it stems from, without the address.
pub fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Text from outside, fit for a log line: one line, cut, and free of keys (backends like to repeat them).
fn clean(text: &str, secrets: &Secrets) -> String {
    let hidden = secrets.hide(text);
    let words: Vec<&str> = hidden.split_whitespace().collect();
    words.join(" ").chars().filter(|c| !c.is_control()).take(MESSAGE_CHARS).collect()
}

impl From<BadCompletion> for Fault {
    fn from(bad: BadCompletion) -> Self {
        match bad {
            BadCompletion::Reported(error) => Self::Reported(error),
            bad => Self::Unreadable(bad.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_refused_is_known() {
        for body in [
            r#"{"error":{"message":"Unknown parameter: 'stream_options'."}}"#,
            r#"{"error":{"message":"no","param":"stream_options"}}"#,
            r#"{"detail":[{"loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}"#,
            "stream_options is not supported",
        ] {
            assert!(
                Fault::Status(422, ReportedError::in_response(body.as_bytes())).refuses("stream_options"),
                "{body}"
            );
        }
        let other = r#"{"detail":[{"loc":["body","n"],"msg":"no","input":{"stream_options":{}}}]}"#;
        assert!(!Fault::Status(422, ReportedError::in_response(other.as_bytes())).refuses("stream_options"));
    }
}
