//! An answer as a client sees it, and the program with an AI server of the test's own.

use serde_json::{Value, json};
use sophie_kit::ai_server::AiServer;

use super::{Mode, TestApp, TestSocket};

/// The program with a scripted AI server behind it.
pub async fn start_with_ai(mode: Mode, environment: &[(&str, &str)]) -> (AiServer, TestApp) {
    let ai = AiServer::start().await;
    let url = ai.base_url();
    let mut all = vec![
        ("SOPHIE__AI__BACKEND", "openai"),
        ("OPENAI_BASE_URL", url.as_str()),
        ("OPENAI_API_KEY", "a-key-of-the-tests"),
        ("SOPHIE__AI__RETRIES", "0"),
    ];
    all.extend(environment);
    let app = TestApp::patient(mode, &all).await;
    (ai, app)
}

/// One whole answer.
#[derive(Debug)]
pub struct Answer {
    /// `answer.start`
    pub start: Value,
    /// What the deltas made.
    pub text: String,
    /// `answer.end` or `answer.error`
    pub end: Value,
}

impl Answer {
    /// Asks, and reads all of the answer.
    pub async fn to(socket: &mut TestSocket, id: &str, question: &str) -> Self {
        let ack = socket.ask(id, json!({"type": "message.send", "text": question})).await;
        assert_eq!(ack["type"], "ack", "{ack}");
        Self::of(socket, &ack["message"]).await
    }

    /// Reads the answer to a message from its start to its end, and checks that it is whole: every delta at its offset, in order,
    /// the text of the end no other than theirs. Events of other kinds are passed over.
    pub async fn of(socket: &mut TestSocket, message: &Value) -> Self {
        let start = loop {
            let start = socket.event_of("answer.start").await;
            if start["message"] == *message {
                break start;
            }
        };
        assert!(start["model"].as_str().is_some_and(|model| !model.is_empty()), "{start}");
        Self::rest(socket, start, String::new()).await
    }

    /// Reads what follows when `text` has come already.
    pub async fn rest(socket: &mut TestSocket, start: Value, mut text: String) -> Self {
        loop {
            let event = socket.event().await;
            if event["answer"] != start["answer"] {
                continue;
            }
            assert_eq!(event["group"], start["group"]);
            match event["type"].as_str() {
                Some("answer.delta") => {
                    assert_eq!(event["offset"], text.chars().count(), "{event}");
                    text += event["text"].as_str().expect("text");
                }
                Some("answer.end" | "answer.error") => {
                    assert_eq!(event["text"], text, "{event}");
                    assert!(event["seq"].is_u64(), "{event}");
                    return Self { start, text, end: event };
                }
                _ => panic!("{event}"),
            }
        }
    }
}
