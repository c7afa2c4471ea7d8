//! What can go wrong with the backend, and how much of it a client and the log are told.

use std::time::Duration;

use sophie_actors::backend::{BackendError, ReportedError};
use sophie_actors::protocol::ErrorCode;

use super::refusal;
use super::retry::LONGEST_TOLD;
use super::secrets::Secrets;

/// When trying again makes sense if the backend does not say.
const TRY_AGAIN: Duration = Duration::from_secs(5);

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
}

/// What a refusal by the backend means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The account is not usable.
    Account,
    /// Against its content rules.
    Filtered,
    /// More than the model can read.
    TooLong,
    /// It does not have the model.
    NoModel,
    /// Not a request that it takes.
    Rejected,
    /// It gave up waiting.
    Slow,
    /// Too many requests.
    Limited,
    /// It is not where it is looked for.
    Elsewhere,
    /// It has trouble of its own.
    Down,
}

impl Meaning {
    /// The codes and types are those of OpenAI, Azure, OpenRouter, vLLM and LiteLLM; they say more than the status.
    fn of(status: Option<u16>, error: &ReportedError) -> Self {
        for name in [error.code.as_str(), error.kind.as_str()] {
            match name {
                "insufficient_quota"
                | "billing_hard_limit_reached"
                | "billing_not_active"
                | "account_deactivated"
                | "invalid_api_key"
                | "authentication_error"
                | "permission_error" => return Self::Account,
                "content_filter" | "content_policy_violation" => return Self::Filtered,
                "context_length_exceeded" => return Self::TooLong,
                "model_not_found"
                | "model_not_available"
                | "invalid_model"
                | "DeploymentNotFound"
                | "ModelNotFoundError" => return Self::NoModel,
                _ => {}
            }
        }
        let status = status.or_else(|| error.code.parse().ok());
        if matches!(status, None | Some(400 | 404 | 422)) && lacks_model(error) {
            return Self::NoModel;
        }
        if is_elsewhere(status, error) {
            return Self::Elsewhere;
        }
        match (status, error.kind.as_str()) {
            (Some(401..=403), _) => Self::Account,
            (Some(408), _) => Self::Slow,
            (Some(429), _) | (None, "rate_limit_error" | "rate_limit_exceeded") => Self::Limited,
            (Some(409), _) => Self::Down,
            (Some(400..=499), _) | (None, "invalid_request_error" | "BadRequestError") => Self::Rejected,
            _ => Self::Down,
        }
    }

    /// The code, a sentence for clients, and when trying again makes sense.
    pub fn words(self) -> (ErrorCode, &'static str, Option<Duration>) {
        use ErrorCode::{AiRejected, AiTimeout, AiUnavailable};
        match self {
            Self::Account => (
                AiUnavailable,
                "this service's AI account is not usable right now; its operator has to look at it",
                None,
            ),
            Self::Filtered => (AiRejected, "the AI service declined this because of its content rules", None),
            Self::TooLong => (AiRejected, "this conversation is too long for the AI model; begin a new one", None),
            Self::NoModel => (AiRejected, "the AI service does not have the model that was asked for", None),
            Self::Rejected => (AiRejected, "the AI service refused this request", None),
            Self::Slow => (AiTimeout, "the AI service did not answer in time; try again", Some(TRY_AGAIN)),
            Self::Limited => (AiUnavailable, "the AI service is busy; try again in a moment", Some(TRY_AGAIN)),
            Self::Elsewhere => (
                AiUnavailable,
                "the AI service is not at the address that is set for it (does base_url end in /v1?); its operator has to look at it",
                None,
            ),
            Self::Down => (AiUnavailable, "the AI service is having trouble; try again in a moment", Some(TRY_AGAIN)),
        }
    }
}

/// Whether an error says that there is no such model.
fn lacks_model(error: &ReportedError) -> bool {
    let message = error.message.to_ascii_lowercase();
    let named =
        [&error.kind, &error.code].iter().any(|name| matches!(name.as_str(), "not_found_error" | "NotFoundError"));
    if named && !is_nothing_here(&message) {
        return true;
    }
    // "The model `x` does not exist", "model 'x' not found", "models/x is not found", "x is not a valid model ID".
    let after = message.find("model").map(|at| &message[at..]);
    let missing =
        ["not found", "not exist", "n't exist", "unknown model", "no such model", "not supported by any provider"];
    after.is_some_and(|after| {
        let sentence = after.split(". ").next().unwrap_or_default();
        missing.iter().any(|words| sentence.contains(words))
    }) || ["no such model", "unknown model", "not a valid model", "invalid model name"]
        .iter()
        .any(|it| message.contains(it))
}

/// Whether an error says that there is nothing at this path at all.
fn is_nothing_here(message: &str) -> bool {
    let message = message.trim().trim_end_matches('.').to_ascii_lowercase();
    let bare = [
        "",
        "not found",
        "file not found",
        "page not found",
        "resource not found",
        "404 not found",
        "404 page not found",
    ];
    bare.contains(&message.as_str()) || message.starts_with("invalid url") || message.starts_with("unknown request url")
}

/// Whether whoever answered is not the service that was meant: a wrong path, a web server, a proxy.
fn is_elsewhere(status: Option<u16>, error: &ReportedError) -> bool {
    if error.code == "unknown_url" {
        return true;
    }
    match status {
        Some(300..=399 | 405) => true,
        Some(404) => !error.object.is_object() || is_nothing_here(&error.message),
        // These say by themselves what is the matter, also as a page.
        Some(401 | 402 | 407 | 408 | 413 | 429 | 500..) | None => false,
        Some(_) => refusal::is_page(&error.beginning),
    }
}

impl Fault {
    /// Whether it is a field of the request that the backend does not take.
    pub fn refuses(&self, field: &str) -> bool {
        let Self::Status(400.., error) = self else { return false };
        let param = error.object.get("param").and_then(|param| param.as_str()).unwrap_or_default();
        // Some fall over it.
        let refuses = matches!(self.meaning(), Meaning::Rejected | Meaning::Down);
        refuses && (error.message.contains(field) || param.contains(field))
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

    /// The fault in words. `wait` is the backend's own word on when to come back; `secrets` are kept out of it.
    pub fn told(&self, wait: Option<Duration>, secrets: &Secrets) -> BackendError {
        let (code, reason, usual) = match self {
            Self::Connection(_) => {
                (ErrorCode::AiUnavailable, "the AI service cannot be reached; try again in a moment", Some(TRY_AGAIN))
            }
            Self::Timeout(stage) => (ErrorCode::AiTimeout, stage.words(), None),
            Self::Status(..) | Self::Reported(_) => self.meaning().words(),
            Self::Unreadable(_) => {
                (ErrorCode::AiUnavailable, "the AI service answered in a way that cannot be read", None)
            }
            Self::Broken(_) => (ErrorCode::Interrupted, "the answer was cut off; try again", None),
            Self::Overlong => (ErrorCode::Interrupted, "the answer grew too long and was cut off", None),
        };
        let refusal = match self {
            Self::Status(status, error) => refusal::of(Some(*status), self.meaning(), error, secrets),
            Self::Reported(error) => refusal::of(None, self.meaning(), error, secrets),
            _ => None,
        };
        let wait = usual.map(|usual| wait.unwrap_or(usual).min(LONGEST_TOLD));
        BackendError {
            code,
            reason: reason.to_owned(),
            retried: false,
            retry_after_ms: wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            detail: self.detail(secrets),
            refusal,
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
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::ApiKey;

    fn told(fault: Fault, wait: Option<Duration>) -> BackendError {
        fault.told(wait, &Secrets::default())
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
    fn who_answers_in_another_way_is_not_the_service_that_was_meant() {
        let said = |body: &str| refusal::reported(body.as_bytes());
        let page = "<html><head><title>Welcome</title></head></html>";
        for (status, body) in [
            (404, r#"{"detail":"Not Found"}"#),
            (404, "404 page not found"),
            (404, page),
            (404, ""),
            (404, r#"{"message":"no Route matched with those values"}"#),
            (404, r#"{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}"#),
            (404, r#"{"error":{"code":"404","message":"Resource not found"}}"#),
            (404, r#"{"error":{"message":"Invalid URL (POST /chat/completions)","type":"invalid_request_error"}}"#),
            (405, r#"{"detail":"Method Not Allowed"}"#),
            (301, ""),
            (308, page),
            (200, page),
            (400, page),
            (403, page),
        ] {
            let fault = Fault::Status(status, said(body));
            assert_eq!(fault.meaning(), Meaning::Elsewhere, "{status} {body}");
            let told = told(fault, None);
            assert!(told.detail.contains("does base_url end in /v1?") && told.code == ErrorCode::AiUnavailable);
        }
        for (status, body) in
            [(401, page), (413, page), (429, page), (502, page), (404, r#"{"error":{"message":"no"}}"#)]
        {
            assert_ne!(Fault::Status(status, said(body)).meaning(), Meaning::Elsewhere, "{status} {body}");
        }
    }

    #[test]
    fn a_model_that_is_missing_is_known_by_many_words() {
        for (status, body) in [
            (404, r#"{"error":{"message":"model \"x\" not found, try pulling it first","type":"api_error"}}"#),
            (404, r#"{"error":"model 'x' not found"}"#),
            (404, r#"{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","code":404}"#),
            (404, r#"{"type":"error","error":{"type":"not_found_error","message":"model: x"}}"#),
            (
                404,
                r#"[{"error":{"code":404,"message":"models/x is not found for API version v1","status":"NOT_FOUND"}}]"#,
            ),
            (404, r#"{"detail":"Model x not found"}"#),
            (400, r#"{"error":{"message":"Model Not Exist","type":"invalid_request_error"}}"#),
            (400, r#"{"error":{"message":"x is not a valid model ID","code":400}}"#),
            (400, r#"{"object":"error","message":"Invalid model: x","type":"invalid_model","code":"1500"}"#),
        ] {
            assert_eq!(Fault::Status(status, refusal::reported(body.as_bytes())).meaning(), Meaning::NoModel, "{body}");
        }
        for message in
            ["This model's maximum context length is 4096 tokens", "The tool was not found", "bad model parameter"]
        {
            let body = format!(r#"{{"error":{{"message":"{message}"}}}}"#);
            assert_eq!(
                Fault::Status(400, refusal::reported(body.as_bytes())).meaning(),
                Meaning::Rejected,
                "{message}"
            );
        }
    }

    #[test]
    fn a_field_that_is_refused_is_known() {
        for body in [
            r#"{"error":{"message":"Unknown parameter: 'stream_options'."}}"#,
            r#"{"error":{"message":"no","param":"stream_options"}}"#,
            r#"{"detail":[{"loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}"#,
            "stream_options is not supported",
        ] {
            assert!(Fault::Status(422, refusal::reported(body.as_bytes())).refuses("stream_options"), "{body}");
        }
        let other = r#"{"detail":[{"loc":["body","n"],"msg":"no","input":{"stream_options":{}}}]}"#;
        assert!(!Fault::Status(422, refusal::reported(other.as_bytes())).refuses("stream_options"));
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
        let key = ApiKey::new("secret-key-1").expect("a key");
        let message = format!("Incorrect key secret-key-1 or sk-abc***xyz\nforged=line {}", "é".repeat(500));
        let error = ReportedError { kind: "secret-key-1".into(), message, ..ReportedError::default() };
        let url = reqwest::Url::parse("http://h/v1").expect("an address");
        let told = Fault::Status(401, error).told(None, &Secrets::of(&url, Some(&key), []));
        assert!(!told.reason.contains("Incorrect"));
        assert!(told.detail.contains("Incorrect key [key] or [key]"), "{}", told.detail);
        assert!(!told.detail.contains("secret-key-1") && !told.detail.contains("sk-abc"));
        assert!(!told.detail.contains('\n') && told.detail.chars().count() < 300);
    }
}
