//! `[ai]` as typed data: who answers, and how the backend is reached.

use serde::Deserialize;
use sophie_actors::openai::Api;
use sophie_actors::options::AnswerOptions;

use super::backends::BackendSettings;
use super::secret::{Secret, ServiceUrl};
use super::sections::Settings;

/// `[ai]`: how the backend is reached, and the core's options about answers.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "each is described in settings.toml")]
pub struct AiSettings {
    pub backend: AiChoice,
    pub base_url: ServiceUrl,
    pub api: Api,
    pub api_key: Secret,
    pub connect_seconds: u64,
    pub first_chunk_seconds: u64,
    pub headers_seconds: u64,
    pub idle_seconds: u64,
    pub max_event_bytes: usize,
    pub retries: u32,
    pub backends: Vec<BackendSettings>,
    pub currency: String,
    pub prices: Vec<PriceSettings>,
    #[serde(flatten)]
    pub answers: AnswerOptions,
}

/// One table of `[[ai.prices]]`, for the models that its name matches.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "each is described in docs/settings.md")]
pub struct PriceSettings {
    pub name: String,
    pub prompt_per_million: f64,
    pub completion_per_million: f64,
}

/// `ai.backend` as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AiChoice {
    /// OpenAI if a key, an address or a table of backends is set.
    Auto,
    /// An OpenAI-compatible API.
    Openai,
    /// The built-in one.
    Demo,
}

/// Which backend answers, with `auto` decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AiBackend {
    /// The built-in one.
    Demo,
    /// An OpenAI-compatible API.
    OpenAi,
}

impl Settings {
    /// Which backend answers.
    pub fn ai_backend(&self) -> AiBackend {
        match self.ai.backend {
            AiChoice::Demo => AiBackend::Demo,
            AiChoice::Openai => AiBackend::OpenAi,
            AiChoice::Auto if self.ai.names_a_backend() => AiBackend::OpenAi,
            AiChoice::Auto => AiBackend::Demo,
        }
    }
}

impl AiSettings {
    /// Whether anything says where answers come from.
    pub fn names_a_backend(&self) -> bool {
        !(self.api_key.is_empty() && self.base_url.is_empty() && self.backends.is_empty())
    }
}
