//! `feedback` and `person.ask`: what a client says of its chat, and not in it.

use serde::Deserialize;

use super::{ErrorCode, Refusal};
use crate::ids::{AnswerId, GroupName};

/// The most characters of the words that go with either.
pub const REMARK_CHARS: usize = 2_000;

/// The fields of `feedback`.
#[derive(Debug, Clone, Deserialize)]
pub struct GiveFeedback {
    /// The answer that is rated; the chat as a whole when none is named.
    pub answer: Option<AnswerId>,
    /// Of an answer -1 or 1, of the chat 1 to 5.
    pub rating: i8,
    /// In words.
    pub text: Option<String>,
}

/// The fields of `person.ask`.
#[derive(Debug, Clone, Deserialize)]
pub struct AskForPerson {
    /// Home group when none is named.
    pub group: Option<GroupName>,
    /// What for.
    pub text: Option<String>,
}

impl GiveFeedback {
    /// Looks at what its form cannot say.
    pub(super) fn checked(self) -> Result<Self, Refusal> {
        let fits = match self.answer {
            Some(_) => matches!(self.rating, -1 | 1),
            None => (1..=5).contains(&self.rating),
        };
        if !fits {
            let message = "`rating` is -1 or 1 for an `answer`, and 1 to 5 without one";
            return Err(Refusal::new(ErrorCode::BadRequest, message));
        }
        Ok(Self { text: words(self.text)?, ..self })
    }
}

impl AskForPerson {
    /// As [`GiveFeedback::checked`].
    pub(super) fn checked(self) -> Result<Self, Refusal> {
        Ok(Self { text: words(self.text)?, ..self })
    }
}

/// Words that are blank are none.
fn words(text: Option<String>) -> Result<Option<String>, Refusal> {
    let text = text.filter(|text| !text.trim().is_empty());
    if text.as_ref().is_some_and(|text| text.len() > REMARK_CHARS && text.chars().count() > REMARK_CHARS) {
        let message = format!("`text` is longer than {REMARK_CHARS} characters; shorten it");
        return Err(Refusal::new(ErrorCode::TooLarge, message));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use crate::protocol::{Command, CommandBody, ErrorCode};

    fn refused(fields: &str) -> ErrorCode {
        Command::parse(&format!("{{{fields}}}"), 10).expect_err("refused").refusal.code
    }

    #[test]
    fn a_rating_is_a_thumb_for_an_answer_and_one_to_five_for_a_chat() {
        for (answer, rating, is_right) in [
            ("\"a1\"", "1", true),
            ("\"a1\"", "-1", true),
            ("\"a1\"", "0", false),
            ("\"a1\"", "2", false),
            ("null", "1", true),
            ("null", "5", true),
            ("null", "0", false),
            ("null", "6", false),
            ("null", "-1", false),
            ("null", "1.5", false),
            ("null", "1000", false),
            ("null", "\"5\"", false),
        ] {
            let frame = format!("{{\"type\":\"feedback\",\"answer\":{answer},\"rating\":{rating}}}");
            let read = Command::parse(&frame, 10).map_err(|bad| bad.refusal.code);
            match is_right {
                true => assert!(matches!(read.expect("legal").body, CommandBody::Feedback(_)), "{frame}"),
                false => assert_eq!(read.expect_err("refused"), ErrorCode::BadRequest, "{frame}"),
            }
        }
        assert_eq!(refused("\"type\":\"feedback\",\"answer\":\"a1\""), ErrorCode::BadRequest);
    }

    #[test]
    fn words_have_their_bound_in_characters_and_blank_ones_are_none() {
        let ask = |text: &str| format!("\"type\":\"person.ask\",\"text\":\"{text}\"");
        assert_eq!(refused(&ask(&"é".repeat(2_001))), ErrorCode::TooLarge);
        assert_eq!(refused(&format!("\"type\":\"feedback\",\"rating\":5,\"text\":\"{}\"", "x".repeat(2_001))), {
            ErrorCode::TooLarge
        });
        let read = |text: &str| match Command::parse(&format!("{{{}}}", ask(text)), 10).expect("legal").body {
            CommandBody::AskPerson(ask) => ask.text,
            other => panic!("{other:?}"),
        };
        assert_eq!(read(&"é".repeat(2_000)).map(|text| text.chars().count()), Some(2_000));
        assert_eq!(read(" \\n "), None);
    }
}
