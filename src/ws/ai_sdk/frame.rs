//! The frames of the `WebSocketChatTransport`. Nothing else may be sent: its client closes on whatever it does not know, with all of its
//! streams.

use serde::Serialize;
use sophie_actors::dialects::BadRequest;
use sophie_actors::dialects::ui::UiChunk;
use sophie_actors::dialects::ui::request::UiRequest;
use sophie_actors::ids::SessionId;
use sophie_actors::openai::Body;

/// The longest name of a request, in bytes. The client draws 16 letters.
const LONGEST_NAME: usize = 256;

/// What a client sends.
#[derive(Debug, PartialEq)]
pub(super) struct Sent {
    /// The name of the request, which all that is said of it bears.
    pub(super) request: String,
    pub(super) asks: Result<Asks, BadRequest>,
}

/// What it asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Asks {
    /// An answer.
    Send(Box<UiRequest>),
    /// The answer that there is.
    Resume {
        chat: SessionId,
        /// The number of the first chunk: the client passes over those that it believes to have.
        first: u64,
    },
    /// That a request be over.
    Abort,
}

impl Sent {
    /// Reads a frame. `None`: it is not even clear what it belongs to.
    pub(super) fn read(text: &str) -> Option<Self> {
        let frame = Body::parse(&text.into()).ok()?;
        let kind = frame.text("type")?;
        let request = frame.text("requestId").filter(|name| !name.is_empty() && name.len() <= LONGEST_NAME)?;
        let asks = match &*kind {
            "send" => {
                let added = frame.object("body").unwrap_or_default();
                UiRequest::read(&frame, &added).map(|asked| Asks::Send(Box::new(asked)))
            }
            "resume" => resume(&frame),
            "abort" => Ok(Asks::Abort),
            _ => Err(BadRequest::expected("type", "'send', 'resume' or 'abort'")),
        };
        Some(Self { request, asks })
    }
}

fn resume(frame: &Body) -> Result<Asks, BadRequest> {
    let chat = frame.text("id").ok_or_else(|| BadRequest::missing("id"))?;
    let chat = SessionId::parse(&chat).map_err(|bad| BadRequest::new("id", &bad.to_string()))?;
    let expected = || BadRequest::expected("lastSequence", "a whole number from 0");
    let first = match frame.get("lastSequence").filter(|last| *last != "null") {
        None => 0,
        Some(last) => last.parse::<u64>().ok().and_then(|last| last.checked_add(1)).ok_or_else(expected)?,
    };
    Ok(Asks::Resume { chat, first })
}

/// What a client is told.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub(super) enum Told<'a> {
    /// A resume has found an answer.
    Start { request_id: &'a str },
    /// A chunk of it.
    Chunk {
        request_id: &'a str,
        /// Counted for each request, when it is sent.
        sequence: u64,
        chunk: &'a UiChunk,
    },
    /// It is through.
    End { request_id: &'a str },
    /// It cannot be answered, or not to its end.
    Error { request_id: &'a str, error_text: String },
    /// There is nothing to resume.
    NoActive { request_id: &'a str },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(text: &str) -> Result<Asks, BadRequest> {
        Sent::read(text).expect("of a request").asks
    }

    #[test]
    fn frames_are_read() {
        let send = r#"{"type":"send","requestId":"r","id":"c","trigger":"submit-message","headers":{},"body":{},
            "messages":[{"id":"1","role":"user","parts":[{"type":"text","text":"hi"}]}]}"#;
        assert!(matches!(asks(send), Ok(Asks::Send(asked)) if asked.question.text() == "hi"));
        let resume =
            |last: &str| asks(&format!(r#"{{"type":"resume","requestId":"r","id":"c","headers":{{}}{last}}}"#));
        let chat = SessionId::parse("c").expect("legal");
        assert_eq!(resume(""), Ok(Asks::Resume { chat: chat.clone(), first: 0 }));
        assert_eq!(resume(r#","lastSequence":6"#), Ok(Asks::Resume { chat, first: 7 }));
        assert_eq!(resume(r#","lastSequence":-1"#).expect_err("refused").field, "lastSequence");
        assert_eq!(asks(r#"{"type":"abort","requestId":"r"}"#), Ok(Asks::Abort));
        assert_eq!(asks(r#"{"type":"hello","requestId":"r"}"#).expect_err("refused").field, "type");
        assert_eq!(asks(r#"{"type":"resume","requestId":"r","id":"a b"}"#).expect_err("refused").field, "id");
    }

    #[test]
    fn what_belongs_to_no_request_is_none() {
        for text in
            ["", "[]", "1", "{}", r#"{"type":"send"}"#, r#"{"requestId":"r"}"#, r#"{"type":"abort","requestId":""}"#]
        {
            assert_eq!(Sent::read(text), None, "{text}");
        }
        assert_eq!(Sent::read(&format!(r#"{{"type":"abort","requestId":"{}"}}"#, "x".repeat(257))), None);
    }

    #[test]
    fn what_is_told_has_the_words_of_the_client() {
        let chunk = UiChunk::StartStep;
        let told = [
            (Told::Start { request_id: "r" }, r#"{"type":"start","requestId":"r"}"#),
            (
                Told::Chunk { request_id: "r", sequence: 0, chunk: &chunk },
                r#"{"type":"chunk","requestId":"r","sequence":0,"chunk":{"type":"start-step"}}"#,
            ),
            (Told::End { request_id: "r" }, r#"{"type":"end","requestId":"r"}"#),
            (
                Told::Error { request_id: "r", error_text: "No.".to_owned() },
                r#"{"type":"error","requestId":"r","errorText":"No."}"#,
            ),
            (Told::NoActive { request_id: "r" }, r#"{"type":"no-active","requestId":"r"}"#),
        ];
        for (told, json) in told {
            assert_eq!(serde_json::to_string(&told).expect("JSON"), json);
        }
    }
}
