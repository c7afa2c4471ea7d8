//! What a backend must never be quoted with: the key, the values of its headers, and, to clients, where it is.

use std::fmt;
use std::sync::Arc;

use reqwest::Url;

/// What a header's value must have, in bytes, to be worth hiding: a short one (`true`, `v2`) is in every other sentence.
const SECRET_BYTES: usize = 8;

/// A key that is shown to nobody but the backend.
#[derive(Clone, PartialEq, Eq)]
pub struct BackendKey(Arc<str>);

impl BackendKey {
    /// A key; `None` if the text is blank (a local server needs none).
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.into()))
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BackendKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}

/// All that is to be kept out of a text from a backend. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    keys: Arc<[BackendKey]>,
    /// `host` and `host:port`, the longer first.
    places: Arc<[String]>,
}

impl Secrets {
    /// The secrets of a backend at `url`.
    pub fn of<'a>(url: &Url, key: Option<&'a BackendKey>, headers: impl IntoIterator<Item = &'a BackendKey>) -> Self {
        let values = headers.into_iter().filter(|value| value.expose().len() >= SECRET_BYTES);
        let host = url.host_str().unwrap_or_default().to_owned();
        let with_port = url.port().map(|port| format!("{host}:{port}"));
        // A name without a dot (`ollama`) may be a word of any sentence.
        let password = url.password().and_then(BackendKey::new);
        let places = with_port.into_iter().chain(host.contains('.').then_some(host));
        let keys = key.into_iter().chain(values).cloned().chain(password);
        Self { keys: keys.collect(), places: places.collect() }
    }

    /// The text without keys: those of this backend, and whatever else looks like one.
    pub fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for key in self.keys.iter() {
            text = text.replace(key.expose(), "[key]");
        }
        replace_words(&text, |word| has_mark(word, "sk-").then_some("[key]"))
    }

    /// The same for a client's eyes: without addresses and the names of accounts, too.
    pub fn hide_all(&self, text: &str) -> String {
        let mut text = self.hide(text);
        for place in self.places.iter() {
            text = text.replace(place.as_str(), "[address]");
        }
        let accounts = ["org-", "proj_"];
        replace_words(&text, |word| accounts.iter().any(|mark| has_mark(word, mark)).then_some("[account]"))
    }
}

/// Whether `mark` begins a name within the word: it is not the end of another one, such as in `task-`.
fn has_mark(word: &str, mark: &str) -> bool {
    word.match_indices(mark).any(|(at, _)| {
        let within = word[..at].chars().next_back().is_some_and(char::is_alphanumeric);
        let names = word[at + mark.len()..].chars().next().is_some_and(|c| c.is_alphanumeric() || c == '*');
        !within && names
    })
}

fn replace_words(text: &str, replace: impl Fn(&str) -> Option<&'static str>) -> String {
    let words = text.split_inclusive(char::is_whitespace).map(|piece| {
        let word = piece.trim_end();
        replace(word).map_or_else(|| piece.to_owned(), |other| format!("{other}{}", &piece[word.len()..]))
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        let (key, header) = (BackendKey::new("hunter2").unwrap(), BackendKey::new("a-long-secret").unwrap());
        let short = BackendKey::new("2024").unwrap();
        Secrets::of(&Url::parse("http://llm.internal:8000/v1").unwrap(), Some(&key), [&header, &short])
    }

    #[test]
    fn keys_are_hidden_wherever_they_stand() {
        let hidden = secrets().hide("no hunter2, a-long-secret,\n\"sk-abc\" key=sk-abc** in 2024: a task-force");
        assert_eq!(hidden, "no [key], [key],\n[key] [key] in 2024: a task-force");
    }

    #[test]
    fn a_client_sees_neither_addresses_nor_accounts() {
        let hidden =
            secrets().hide_all("at http://llm.internal:8000/v1 (llm.internal) for org-abc and proj_x, an org- chart");
        assert_eq!(hidden, "at http://[address]/v1 ([address]) for [account] and [account] an org- chart");
    }
}
