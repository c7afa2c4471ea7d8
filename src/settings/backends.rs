//! `[[ai.backends]]`: several AI backends, in the order in which they are tried.

use std::collections::BTreeMap;

use reqwest::header::HeaderName;
use serde::Deserialize;
use sophie_actors::openai::Api;

use super::ai::AiSettings;
use super::forms::{MODELS, every_model, is_model, is_name};
use super::rule::Rule;
use super::rules::{API, HTTP, RETRIES, SECONDS, TOKEN};
use super::secret::{Secret, ServiceUrl};
use super::tables::Tables;

/// Headers that belong to the request as it is made.
pub(super) const OWN_HEADERS: &[&str] = &[
    "accept",
    "connection",
    "content-length",
    "content-type",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What a table may hold.
pub const BACKENDS: Tables = Tables {
    keys: &[
        ("name", Rule::Text("1 to 64 of A-Z a-z 0-9 _ - .", |t| is_name(t, "_-."))),
        ("models", Rule::List(&Rule::Text(MODELS, is_model))),
        ("model", Rule::Text("empty, or the name of a model without spaces at its ends", |t| t == t.trim())),
        ("base_url", HTTP),
        ("api", API),
        ("api_key", TOKEN),
        (
            "headers",
            Rule::Named(
                "names of headers that are not the request's own, each with a text of visible ASCII",
                |name| HeaderName::from_bytes(name.as_bytes()).is_ok_and(|name| !OWN_HEADERS.contains(&name.as_str())),
                &Rule::Secret("visible ASCII", |t| t.bytes().all(|b| b.is_ascii_graphic() || b == b' ')),
            ),
        ),
        ("connect_seconds", SECONDS),
        ("first_chunk_seconds", SECONDS),
        ("idle_seconds", SECONDS),
        ("retries", RETRIES),
    ],
    needed: &[],
};

/// One table. What each key means stands in `docs/settings.md`.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "each is described in docs/settings.md")]
pub struct BackendSettings {
    pub name: String,
    #[serde(default = "every_model")]
    pub models: Vec<String>,
    #[serde(default)]
    pub model: String,
    #[serde(default)]
    pub base_url: ServiceUrl,
    pub api: Option<Api>,
    #[serde(default)]
    pub api_key: Secret,
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    pub connect_seconds: Option<u64>,
    pub first_chunk_seconds: Option<u64>,
    pub idle_seconds: Option<u64>,
    pub retries: Option<u32>,
}

impl BackendSettings {
    /// Whether it says neither where it is nor who asks: both are then those of `[ai]`. Never one of the two alone, which could
    /// bring a key to where it does not belong.
    pub fn is_that_of_ai(&self) -> bool {
        self.base_url.is_empty() && self.api_key.is_empty() && self.headers.is_empty()
    }
}

impl AiSettings {
    /// The backends in force: those of the tables, or the one of `[ai]` itself. Address and key are filled in.
    pub fn backends(&self) -> Vec<BackendSettings> {
        let own = BackendSettings {
            name: "openai".to_owned(),
            models: every_model(),
            model: String::new(),
            base_url: self.base_url.clone(),
            api: Some(self.api),
            api_key: self.api_key.clone(),
            headers: BTreeMap::new(),
            connect_seconds: None,
            first_chunk_seconds: None,
            idle_seconds: None,
            retries: None,
        };
        if self.backends.is_empty() {
            return vec![own];
        }
        let filled = |table: &BackendSettings| {
            let mut table = table.clone();
            if table.is_that_of_ai() {
                (table.base_url, table.api_key) = (own.base_url.clone(), own.api_key.clone());
                table.api = table.api.or(own.api);
            }
            table
        };
        self.backends.iter().map(filled).collect()
    }
}
