//! API keys of applications, as `auth.api_keys` lists them.

use super::Secret;

/// One API key as it is written in the settings.
pub struct ListedKey {
    /// What it is called in logs and figures; empty if it has no name.
    pub name: String,
    pub(crate) key: Secret,
}

impl ListedKey {
    /// Reads `KEY` or `name:KEY`. What stands before the first colon is a name if it is 1 to 64 of `A-Z a-z 0-9 _ - .`.
    pub fn parse(text: &str) -> Option<Self> {
        let named = text.split_once(':').filter(|(name, _)| {
            (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
        });
        let (name, key) = named.unwrap_or(("", text));
        is_key(key).then(|| Self { name: name.to_owned(), key: Secret::from(key) })
    }

    /// Whether it is this key.
    pub fn is(&self, key: &Secret) -> bool {
        self.key == *key
    }
}

/// Whether a text can be an API key: it must fit into a header.
pub fn is_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())
}
