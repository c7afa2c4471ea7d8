//! What a running program takes over when its settings are read again, and what of them needs a restart.

use super::layers::Layers;
use super::rules::RULES;
use super::sections::Settings;
use super::{Loaded, SettingsError, check};

/// The settings that are taken over, by `section.key`; every other one needs a restart. `docs/settings.md` has the same list.
const TAKEN: &[&str] = &[
    "server.allowed_origins",
    "server.frame_ancestors",
    "server.hosts",
    "admin.token",
    "admin.view_token",
    "auth.jwt_secret",
    "auth.jwks_url",
    "auth.audience",
    "auth.issuer",
    "auth.hook_url",
    "auth.hook_cookies",
    "auth.api_keys",
    "auth.key",
    "limits.enabled",
    "limits.user_messages_per_minute",
    "limits.user_burst",
    "limits.user_tokens_per_hour",
    "limits.address_messages_per_minute",
    "limits.address_tokens_per_hour",
    "limits.group_messages_per_minute",
    "limits.group_tokens_per_hour",
    "limits.service_messages_per_minute",
    "limits.service_tokens_per_hour",
    "limits.answers_per_session",
    "limits.answers_at_once",
    "limits.connects_per_minute",
    "limits.reads_per_minute",
    "limits.joins_per_minute",
    "limits.key_requests_per_minute",
    "limits.key_burst",
    "ai.backend",
    "ai.base_url",
    "ai.api",
    "ai.api_key",
    "ai.model",
    "ai.system_prompt",
    "ai.history_tokens",
    "ai.max_answer_bytes",
    "ai.max_event_bytes",
    "ai.connect_seconds",
    "ai.first_chunk_seconds",
    "ai.headers_seconds",
    "ai.idle_seconds",
    "ai.total_seconds",
    "ai.retries",
    "ai.abandon_seconds",
    "ai.show_reasoning",
    "ai.backends",
    "ai.currency",
    "ai.prices",
    "page.name",
    "page.color",
    "page.greeting",
    "page.examples",
    "page.language",
    "log.level",
    "log.format",
];

/// What settings that were read again change of those in force.
pub struct Changes {
    /// What is in force once they are taken over: the new values of what can be taken, the old ones of the rest.
    pub settings: Settings,
    /// The same with where each value came from.
    pub origins: Layers,
    /// The settings that are taken over, by `section.key`.
    pub taken: Vec<&'static str>,
    /// Those that differ and stay as they are until a restart.
    pub needs_restart: Vec<&'static str>,
}

impl Changes {
    /// What `newer` changes of the settings in force.
    ///
    /// # Errors
    /// `newer` could not be started with, or what would be in force cannot be meant.
    pub fn between(in_force: &Layers, newer: &Loaded) -> Result<Self, SettingsError> {
        newer.settings.refuse_open_listening()?;
        let differs = |key: &str| {
            let kind = |layers: &Layers| layers.value(key).map(|value| value.kind);
            kind(in_force) != kind(&newer.origins)
        };
        let changed = RULES.iter().map(|(key, _)| *key).filter(|key| differs(key));
        let (taken, needs_restart) = changed.partition(|key| is_taken(key));
        let origins = in_force.taking(&newer.origins, is_taken)?;
        let settings: Settings = origins.typed()?;
        check::check(&settings, &origins)?;
        settings.refuse_open_listening()?;
        Ok(Self { settings, origins, taken, needs_restart })
    }

    /// Whether one of these is taken over.
    pub fn takes_any(&self, keys: &[&str]) -> bool {
        self.taken.iter().any(|key| keys.contains(key))
    }
}

fn is_taken(key: &str) -> bool {
    TAKEN.contains(&key)
}

#[cfg(test)]
mod tests;
