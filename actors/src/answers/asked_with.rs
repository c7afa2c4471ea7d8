//! What an assistant is asked with beside the text of a question: what no other protocol than the asker's own has words for.

use crate::openai::{BackendRequest, ChatMessage, ImageUrl, MessagePart, estimate_tokens};
use crate::protocol::Image;

/// What a question is asked with. It is for this one answer: the group's log has the texts alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AskedWith {
    /// What was said before, as the asker tells it. It counts where the log has nothing before the question.
    pub earlier: Vec<ChatMessage>,
    /// The parts of the question, where it is more than a text.
    pub parts: Vec<MessagePart>,
    /// What came after the question: the tools that an earlier answer to it asked for, and their results.
    pub behind: Vec<ChatMessage>,
    /// The tools that may be asked for: each a JSON text, as a chat completion has it.
    pub tools: Vec<String>,
    /// What the asker's page says of the state of things; joins the system prompt.
    pub context: Option<String>,
    /// What only the asker's dialect understands; recorded with the answer.
    pub about: Option<String>,
    /// The model, in place of `ai.model`.
    pub model: Option<String>,
}

impl AskedWith {
    /// What a question with images is asked with; nothing without any.
    pub fn images(text: &str, images: &[Image]) -> Option<Box<Self>> {
        (!images.is_empty()).then(|| Box::new(Self { parts: parts(text, images), ..Self::default() }))
    }

    /// Whether it says anything of what was said beside the question.
    pub fn has_history(&self) -> bool {
        !self.earlier.is_empty() || !self.behind.is_empty()
    }

    /// About how many tokens it adds to a question.
    pub fn estimated_tokens(&self) -> u64 {
        let question = (!self.parts.is_empty()).then(|| ChatMessage::of_parts("user", self.parts.clone()));
        let messages = self.earlier.iter().chain(&question).chain(&self.behind);
        let messages: Vec<String> = messages.filter_map(|message| serde_json::to_string(message).ok()).collect();
        let mut request = BackendRequest::new("", &messages);
        self.offer_tools(&mut request);
        request.estimated_tokens() + self.context.as_deref().map_or(0, estimate_tokens)
    }

    /// Puts the tools into a request, if there are any.
    pub(super) fn offer_tools(&self, request: &mut BackendRequest) {
        if !self.tools.is_empty() {
            request.body.set_text("tools", format!("[{}]", self.tools.join(",")));
        }
    }
}

/// A text and its images, as a model is shown them.
pub(super) fn parts(text: &str, images: &[Image]) -> Vec<MessagePart> {
    let text = MessagePart::Text { text: text.to_owned() };
    let image = |image: &Image| MessagePart::ImageUrl { image_url: ImageUrl { url: image.url.clone(), detail: None } };
    std::iter::once(text).chain(images.iter().map(image)).collect()
}
