//! What a run is asked with, beside the text of its question.

use sophie_actors::answers::AskedWith;
use sophie_actors::dialects::UserMessage;
use sophie_actors::dialects::agui::request::RunRequest;
use sophie_actors::openai::{ChatMessage, MessagePart};

use crate::http::ApiError;

/// Whether a backend may be shown what a question brings. It would fetch what stands at an address, and be led by strangers to what only it
/// can reach.
///
/// # Errors
/// 400.
pub(super) fn check(question: &UserMessage) -> Result<(), ApiError> {
    let is_here = |part: &MessagePart| match part {
        MessagePart::ImageUrl { image_url } => image_url.url.starts_with("data:"),
        MessagePart::Text { .. } | MessagePart::File { .. } => true,
    };
    match question.parts.iter().all(is_here) {
        true => Ok(()),
        false => {
            Err(ApiError::bad_request("an image comes with its message, as `data`; none is fetched from an address"))
        }
    }
}

/// What there is of it. `behind`: the calls of tools behind the question and their results. `is_trusted`: the client is believed in what was
/// said before, where the log is empty.
pub(super) fn of(
    asked: &RunRequest,
    behind: Vec<ChatMessage>,
    model: Option<&str>,
    is_trusted: bool,
) -> Option<Box<AskedWith>> {
    let question = &asked.question;
    let with = AskedWith {
        earlier: if is_trusted { asked.earlier.clone() } else { Vec::new() },
        parts: if question.has_files() { question.parts.clone() } else { Vec::new() },
        behind,
        tools: asked.tools.clone(),
        context: asked.context.clone(),
        about: None,
        model: model.map(str::to_owned),
    };
    (with != AskedWith::default()).then(|| Box::new(with))
}
