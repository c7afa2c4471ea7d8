//! What somebody says, in a chat of another protocol.

use crate::openai::{ChatMessage, File, ImageUrl, MessagePart};
use crate::protocol::{Image, ImageLimits};

/// A message of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserMessage {
    /// Its id, which the client gave it: the same message sent again has the same.
    pub id: String,
    /// Texts, images and files.
    pub parts: Vec<MessagePart>,
}

impl UserMessage {
    /// Its text: that of all its parts, each in a line of its own.
    pub fn text(&self) -> String {
        let text = |part: &MessagePart| match part {
            MessagePart::Text { text } => Some(text.clone()),
            _ => None,
        };
        self.parts.iter().filter_map(text).collect::<Vec<_>>().join("\n")
    }

    /// Its text as a log has it, which keeps no files: those that come without a text are named.
    pub fn said(&self) -> String {
        let text = self.text();
        if !text.trim().is_empty() {
            return text;
        }
        let name = |part: &MessagePart| match part {
            MessagePart::Text { .. } => None,
            MessagePart::ImageUrl { .. } => Some("[image]".to_owned()),
            MessagePart::File { file } => Some(format!("[{}]", file.filename.as_deref().unwrap_or("file"))),
        };
        self.parts.iter().filter_map(name).collect::<Vec<_>>().join(" ")
    }

    /// Its images, as a log keeps them: as many as may be, of those that may be kept.
    pub fn images(&self, limits: ImageLimits) -> Vec<Image> {
        let image = |part: &MessagePart| match part {
            MessagePart::ImageUrl { image_url } => Some(Image { url: image_url.url.clone(), name: None }),
            _ => None,
        };
        let may = |image: &Image| limits.check(std::slice::from_ref(image)).is_ok();
        self.parts.iter().filter_map(image).filter(may).take(limits.most).collect()
    }

    /// Whether there is more in it than text.
    pub fn has_files(&self) -> bool {
        self.parts.iter().any(|part| !matches!(part, MessagePart::Text { .. }))
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        !self.has_files() && self.text().trim().is_empty()
    }

    /// The same as a message of a chat completion.
    pub fn to_chat(&self) -> ChatMessage {
        ChatMessage::of_parts("user", self.parts.clone())
    }
}

/// A file that a stranger brings, as a backend is shown it: only what is all in the address. What stands elsewhere the backend would fetch,
/// and so be led to what only it can reach.
pub fn file_part(media_type: &str, url: &str, filename: Option<&str>) -> Option<MessagePart> {
    if !url.starts_with("data:") {
        return None;
    }
    if media_type == "image" || media_type.starts_with("image/") {
        return Some(MessagePart::ImageUrl { image_url: ImageUrl { url: url.to_owned(), detail: None } });
    }
    let file = File { filename: filename.map(str::to_owned), file_data: url.to_owned() };
    Some(MessagePart::File { file })
}
