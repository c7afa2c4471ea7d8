//! How much of a fault a client is told: a code, a sentence, and when trying again makes sense.

use std::time::Duration;

use sophie_actors::backend::BackendError;
use sophie_actors::openai::error::Meaning;
use sophie_actors::protocol::ErrorCode;

use super::fault::{Fault, Stage};
use super::refusal;
use super::retry::LONGEST_TOLD;
use super::secrets::Secrets;

/// When trying again makes sense if the backend does not say.
const TRY_AGAIN: Duration = Duration::from_secs(5);

impl Fault {
    /// The fault as an error for whoever asked. `wait` is the backend's own word on when to come back; `secrets` are kept out of it.
    pub fn for_caller(&self, wait: Option<Duration>, secrets: &Secrets) -> BackendError {
        let (code, reason, usual) = match self {
            Self::Connection(_) => {
                (ErrorCode::AiUnavailable, "the AI service cannot be reached; try again in a moment", Some(TRY_AGAIN))
            }
            Self::Timeout(stage) => (ErrorCode::AiTimeout, stage.words(), None),
            Self::Status(..) | Self::Reported(_) => words(self.meaning()),
            Self::Unreadable(_) => {
                (ErrorCode::AiUnavailable, "the AI service answered in a way that cannot be read", None)
            }
            Self::Broken(_) => (ErrorCode::Interrupted, "the answer was cut off; try again", None),
            Self::NoEmbeddings => (ErrorCode::AiRejected, refusal::NO_EMBEDDINGS, None),
            Self::Overlong => (ErrorCode::Interrupted, "the answer grew too long and was cut off", None),
        };
        let refusal = match self {
            Self::Status(status, error) => refusal::of(Some(*status), self.meaning(), error, secrets),
            Self::Reported(error) => refusal::of(None, self.meaning(), error, secrets),
            Self::NoEmbeddings => Some(refusal::no_embeddings()),
            _ => None,
        };
        let wait = usual.map(|usual| wait.unwrap_or(usual).min(LONGEST_TOLD));
        BackendError {
            code,
            reason: reason.to_owned(),
            retried: false,
            retry_after_ms: wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            detail: self.detail(secrets),
            asked: None,
            refusal,
        }
    }
}

/// The code, a sentence for clients, and when trying again makes sense.
pub fn words(meaning: Meaning) -> (ErrorCode, &'static str, Option<Duration>) {
    use ErrorCode::{AiRejected, AiTimeout, AiUnavailable};
    match meaning {
        Meaning::Account => {
            (AiUnavailable, "this service's AI account is not usable right now; its operator has to look at it", None)
        }
        Meaning::Filtered => (AiRejected, "the AI service declined this because of its content rules", None),
        Meaning::TooLong => (AiRejected, "this conversation is too long for the AI model; begin a new one", None),
        Meaning::NoModel => (AiRejected, "the AI service does not have the model that was asked for", None),
        Meaning::Rejected => (AiRejected, "the AI service refused this request", None),
        Meaning::Slow => (AiTimeout, "the AI service did not answer in time; try again", Some(TRY_AGAIN)),
        Meaning::Limited => (AiUnavailable, "the AI service is busy; try again in a moment", Some(TRY_AGAIN)),
        Meaning::Elsewhere => (
            AiUnavailable,
            "the AI service is not at the address that is set for it (does base_url end in /v1?); its operator has to look at it",
            None,
        ),
        Meaning::Down => (AiUnavailable, "the AI service is having trouble; try again in a moment", Some(TRY_AGAIN)),
    }
}

impl Stage {
    fn words(self) -> &'static str {
        match self {
            Self::Connect => "the AI service did not accept a connection in time; try again",
            Self::FirstChunk => "the AI service did not begin to answer in time; try again",
            Self::Idle => "the AI service fell silent in the middle of the answer; try again",
            Self::Whole => "the answer took longer than answers may take",
        }
    }
}

#[cfg(test)]
mod tests {
    use sophie_actors::openai::error::ReportedError;

    use super::*;
    use crate::upstream::BackendKey;

    fn told(fault: Fault, wait: Option<Duration>) -> BackendError {
        fault.for_caller(wait, &Secrets::default())
    }

    fn reported(kind: &str, code: &str) -> ReportedError {
        ReportedError { kind: kind.into(), code: code.into(), message: "m".into(), ..ReportedError::default() }
    }

    #[test]
    fn each_refusal_has_its_code() {
        use ErrorCode::{AiRejected, AiTimeout, AiUnavailable};
        let plain = ReportedError { object: serde_json::json!({ "message": "m" }), ..reported("", "") };
        for (status, code) in [
            (400, AiRejected),
            (404, AiRejected),
            (413, AiRejected),
            (422, AiRejected),
            (401, AiUnavailable),
            (402, AiUnavailable),
            (403, AiUnavailable),
            (408, AiTimeout),
            (409, AiUnavailable),
            (429, AiUnavailable),
            (500, AiUnavailable),
            (503, AiUnavailable),
            (302, AiUnavailable),
        ] {
            assert_eq!(told(Fault::Status(status, plain.clone()), None).code, code, "{status}");
        }
        assert_eq!(told(Fault::Reported(reported("invalid_request_error", "")), None).code, AiRejected);
        assert_eq!(told(Fault::Reported(reported("", "content_filter")), None).code, AiRejected);
        assert_eq!(told(Fault::Reported(reported("BadRequest", "400")), None).code, AiRejected);
        assert_eq!(told(Fault::Reported(reported("server_error", "")), None).code, AiUnavailable);
    }

    #[test]
    fn where_another_service_answers_the_operator_is_pointed_to_the_address() {
        // What is taken for another service is `Meaning`'s to say, and tested there.
        for (status, body) in
            [(404, r#"{"detail":"Not Found"}"#), (200, "<html><head><title>Welcome</title></head></html>")]
        {
            let told = told(Fault::Status(status, ReportedError::in_response(body.as_bytes())), None);
            assert!(told.detail.contains("does base_url end in /v1?") && told.code == ErrorCode::AiUnavailable);
        }
    }

    #[test]
    fn a_spent_quota_is_the_accounts_trouble_and_not_a_matter_of_waiting() {
        let fault = Fault::Status(429, reported("insufficient_quota", "insufficient_quota"));
        assert!(fault.is_account());
        assert_eq!(told(fault, Some(Duration::from_secs(3))).retry_after_ms, None);
        assert!(!Fault::Status(429, reported("requests", "rate_limit_exceeded")).is_account());
    }

    #[test]
    fn a_wait_is_told_up_to_two_minutes() {
        let wait = |wait| told(Fault::Status(429, ReportedError::default()), wait).retry_after_ms;
        assert_eq!(wait(Some(Duration::from_secs(30))), Some(30_000));
        assert_eq!(wait(Some(Duration::from_secs(3_600))), Some(120_000));
        assert_eq!(wait(None), Some(5_000));
    }

    #[test]
    fn nothing_of_the_backends_words_reaches_a_client_and_no_key_the_log() {
        let key = BackendKey::new("secret-key-1").expect("a key");
        let message = format!("Incorrect key secret-key-1 or sk-abc***xyz\nforged=line {}", "é".repeat(500));
        let error = ReportedError { kind: "secret-key-1".into(), message, ..ReportedError::default() };
        let url = reqwest::Url::parse("http://h/v1").expect("an address");
        let told = Fault::Status(401, error).for_caller(None, &Secrets::of(&url, Some(&key), []));
        assert!(!told.reason.contains("Incorrect"));
        assert!(told.detail.contains("Incorrect key [key] or [key]"), "{}", told.detail);
        assert!(!told.detail.contains("secret-key-1") && !told.detail.contains("sk-abc"));
        assert!(!told.detail.contains('\n') && told.detail.chars().count() < 300);
    }
}
