//! Whoever answers, as the settings ask for, and what models cost.

use std::sync::Arc;

use sophie_actors::backend::{Backend, Demo};
use sophie_actors::ledger::{Price, Prices};
use sophie_actors::metrics::Metrics;
use sophie_actors::options::DATA_PER_TEXT;

use super::AppError;
use crate::auth::patterns::Pattern;
use crate::settings::{AiBackend, AiSettings, BackendSettings, PriceSettings, Secret, Settings};
use crate::upstream::{BackendKey, DEFAULT_BASE_URL, MemberOptions, OpenAiOptions, Patience, Router, RouterOptions};

/// Whoever answers, and the same as a router if it is one.
pub(super) type Answering = (Arc<dyn Backend>, Option<Arc<Router>>);

/// Whoever answers, after a router that did: it counts for nothing until it enters.
pub(super) fn after(
    before: Option<&Router>,
    settings: &Settings,
    metrics: &Metrics,
    prices: Prices,
) -> Result<Answering, AppError> {
    let ai = &settings.ai;
    if settings.ai_backend() == AiBackend::Demo {
        return Ok((Arc::new(Demo::default()), None));
    }
    let options = RouterOptions {
        members: members(ai),
        model: ai.answers.model.clone(),
        total_seconds: ai.answers.total_seconds,
        patience: Patience::default(),
        prices,
    };
    let wrong = |(name, bad)| AppError::Settings(format!("the AI backend {name:?} cannot be used: {bad}"));
    let router = Arc::new(Router::after(before, options, metrics).map_err(wrong)?);
    if !router.serves(&ai.answers.model) {
        log::warn!(
            event = "model_without_backend", setting = "ai.model", model = ai.answers.model;
            "no backend has the model that answers are asked of"
        );
    }
    if !ai.backends.is_empty() && !ai.backends.iter().any(BackendSettings::is_that_of_ai) {
        for (setting, is_set) in [("ai.api_key", !ai.api_key.is_empty()), ("ai.base_url", !ai.base_url.is_empty())] {
            if is_set {
                log::warn!(
                    event = "setting_without_effect", setting, because = "ai.backends";
                    "a setting has no effect beside another one"
                );
            }
        }
    }
    Ok((router.clone(), Some(router)))
}

/// The backends, each as it is reached.
pub(crate) fn members(ai: &AiSettings) -> Vec<MemberOptions> {
    ai.backends().iter().map(|of| member(of, ai)).collect()
}

fn member(of: &BackendSettings, ai: &AiSettings) -> MemberOptions {
    let url = match of.base_url.as_str() {
        "" => DEFAULT_BASE_URL.to_owned(),
        _ => of.base_url.to_string(),
    };
    let header = |(name, value): (&String, &Secret)| Some((name.clone(), BackendKey::new(value.expose())?));
    let reach = OpenAiOptions {
        name: of.name.clone(),
        base_url: of.base_url.as_str().to_owned(),
        api: of.api.unwrap_or_default(),
        api_key: BackendKey::new(of.api_key.expose()),
        headers: of.headers.iter().filter_map(header).collect(),
        model: of.model.clone(),
        connect_seconds: of.connect_seconds.unwrap_or(ai.connect_seconds),
        first_chunk_seconds: of.first_chunk_seconds.unwrap_or(ai.first_chunk_seconds),
        idle_seconds: of.idle_seconds.unwrap_or(ai.idle_seconds),
        total_seconds: ai.answers.total_seconds,
        retries: of.retries.unwrap_or(ai.retries),
        max_answer_bytes: ai.answers.max_answer_bytes.saturating_mul(DATA_PER_TEXT),
        max_event_bytes: ai.max_event_bytes,
    };
    MemberOptions { name: of.name.clone(), models: of.models.clone(), url, reach }
}

/// What models cost: the first table that matches counts.
pub(super) fn prices(settings: &Settings) -> Prices {
    let of = |table: &PriceSettings| {
        let PriceSettings { prompt_per_million, completion_per_million, .. } = *table;
        (Pattern::from(table.name.as_str()), Price { prompt_per_million, completion_per_million })
    };
    let prices: Vec<_> = settings.ai.prices.iter().map(of).collect();
    Arc::new(move |model| prices.iter().find(|(pattern, _)| pattern.matches(model)).map(|(_, price)| *price))
}
