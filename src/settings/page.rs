//! `[page]`: how the chat page presents itself.

use serde::Deserialize;

/// Examples that the page has room for.
pub(super) const MOST_EXAMPLES: usize = 8;

/// `[page]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[allow(missing_docs, reason = "each is described in settings.toml")]
pub struct PageSettings {
    pub name: String,
    pub color: String,
    pub greeting: String,
    pub examples: Vec<String>,
    pub language: String,
}

impl PageSettings {
    /// What cannot be shown, if anything.
    pub(super) fn fault(&self) -> Option<String> {
        (self.examples.len() > MOST_EXAMPLES).then(|| format!("must be at most {MOST_EXAMPLES}"))
    }
}
