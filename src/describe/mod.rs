//! What this service says of itself to programs: the OpenAPI document of its HTTP, the AsyncAPI document of its WebSockets. Both are
//! assembled from the parts in `parts/`, one for each subject, which lie beside each other as JSON: what is sent over both is described
//! once. Knows nothing of HTTP servers.

mod assembly;
mod part;
mod references;
#[cfg(test)]
mod tests;

use serde_json::Value;
use sha2::{Digest, Sha256};
use sophie_actors::ids::hex;

pub use part::USUAL_CHAT_PATH;

/// One document.
#[derive(Debug)]
pub struct Document {
    /// What it says.
    pub value: Value,
    /// The same as it is sent.
    pub text: String,
    /// A strong validator for `ETag`, quotes included.
    pub etag: String,
}

/// Both documents.
#[derive(Debug)]
pub struct Documents {
    /// OpenAPI 3.1.
    pub openapi: Document,
    /// AsyncAPI 3.
    pub asyncapi: Document,
}

impl Documents {
    /// Those of a service whose chats of the AI SDK are at `chat_path`.
    pub fn new(chat_path: &str) -> Self {
        let parts = part::all(chat_path);
        let document = |value: Value| {
            let text = value.to_string();
            let etag = format!("\"{}\"", hex(&Sha256::digest(text.as_bytes())[..12]));
            Document { value, text, etag }
        };
        Self { openapi: document(assembly::openapi(&parts)), asyncapi: document(assembly::asyncapi(&parts)) }
    }
}
