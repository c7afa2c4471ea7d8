//! What the settings ask for: a backend and stores.

use std::sync::Arc;

use sophie_actors::backend::{Backend, Demo};
use sophie_actors::channel_layer::{self, LayerOptions, NoLayer};
use sophie_actors::ledger::{Price, Prices};
use sophie_actors::metrics::Metrics;
use sophie_actors::options::DATA_PER_TEXT;
use sophie_actors::redis::{Bound, Bounds, Budgets, RedisHealth};
use sophie_actors::store::memory::{self, MemoryOptions};
use sophie_actors::store::redis::RedisOptions;
use sophie_actors::store::{Stores, redis};

use super::AppError;
use crate::auth::patterns::Pattern;
use crate::settings::{AiBackend, AiSettings, BackendSettings, ChannelLayer, PriceSettings, Secret, Settings};
use crate::upstream::{BackendKey, DEFAULT_BASE_URL, MemberOptions, OpenAiOptions, Patience, Router, RouterOptions};

/// Whoever answers, and the same as a router if it is one.
type Answering = (Arc<dyn Backend>, Option<Arc<Router>>);

/// Whoever answers.
pub(super) fn backend(settings: &Settings, metrics: &Metrics) -> Result<Answering, AppError> {
    let ai = &settings.ai;
    if settings.ai_backend() == AiBackend::Demo {
        return Ok((Arc::new(Demo::default()), None));
    }
    let options = RouterOptions {
        members: ai.backends().iter().map(|of| member(of, ai)).collect(),
        model: ai.answers.model.clone(),
        total_seconds: ai.answers.total_seconds,
        patience: Patience::default(),
    };
    let wrong = |(name, bad)| AppError::Settings(format!("the AI backend {name:?} cannot be used: {bad}"));
    let router = Arc::new(Router::new(options, metrics).map_err(wrong)?);
    if !router.serves(&ai.answers.model) {
        log::warn!("event=model_without_backend setting=ai.model model={:?}", ai.answers.model);
    }
    if !ai.backends.is_empty() && !ai.backends.iter().any(BackendSettings::is_that_of_ai) {
        for (setting, is_set) in [("ai.api_key", !ai.api_key.is_empty()), ("ai.base_url", !ai.base_url.is_empty())] {
            if is_set {
                log::warn!("event=setting_without_effect setting={setting} because=ai.backends");
            }
        }
    }
    Ok((router.clone(), Some(router)))
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

/// Where things are kept, and the way to Django.
pub(super) struct Kept {
    pub(super) stores: Stores,
    pub(super) layer: Arc<dyn channel_layer::ChannelLayer>,
    pub(super) redis: Option<RedisHealth>,
}

/// Connects to whatever the settings name.
pub(super) async fn stores(settings: &Settings, budgets: Budgets, metrics: &Metrics) -> Result<Kept, AppError> {
    let (session, cache) = (&settings.session, &settings.cache.options);
    if !settings.redis.enabled {
        let options = MemoryOptions {
            log_events: session.log_events,
            log_seconds: session.log_seconds,
            cache_bytes: cache.memory_bytes,
            cache_ttl_seconds: cache.ttl_seconds,
            cache_max_entry_bytes: cache.max_entry_bytes,
            group_expiry_seconds: settings.channel.group_expiry_seconds,
        };
        return Ok(Kept { stores: memory::stores(options), layer: Arc::new(NoLayer), redis: None });
    }
    let channel = &settings.channel;
    let hosts: Vec<String> = settings.layer_urls().iter().map(|host| host.as_str().to_owned()).collect();
    let node_key = channel_layer::key_on_first_shard(hosts.len());
    let bounds = Bounds {
        main: Bound::new("channel.max_connections", channel.max_connections),
        cache: Bound::new("cache.max_connections", settings.cache.max_connections),
        general: Bound::new("general_cache.max_connections", settings.general_cache.max_connections),
    };
    let bound = bounds.main.clone();
    let options = RedisOptions {
        url: settings.redis_url().as_str().to_owned(),
        general_url: settings.general_cache_redis_url().as_str().to_owned(),
        cache_url: settings.cache_redis_url().as_str().to_owned(),
        prefix: settings.redis.prefix.clone(),
        channel_prefix: settings.channel.prefix.clone(),
        node_key: node_key.clone(),
        log_events: session.log_events,
        log_seconds: session.log_seconds,
        group_expiry_seconds: settings.channel.group_expiry_seconds,
        cache_ttl_seconds: cache.ttl_seconds,
        cache_max_entry_bytes: cache.max_entry_bytes,
        worker: settings.channel.worker_kinds(),
        wait_replicas: settings.redis.wait_replicas,
        budgets,
        bounds,
    };
    let wrong = |error: sophie_actors::store::StoreError| AppError::Settings(error.to_string());
    let (stores, health) = redis::connect(options, &metrics.dependencies).await.map_err(wrong)?;
    let layer = LayerOptions {
        hosts,
        prefix: channel.prefix.clone(),
        capacity: channel.capacity,
        expiry_seconds: channel.expiry_seconds,
        group_expiry_seconds: channel.group_expiry_seconds,
        encryption_keys: channel.encryption_keys.iter().map(|key| key.expose().to_owned()).collect(),
        serializer: channel.serializer.into(),
        node_key,
        bound,
    };
    let layer = match channel.layer {
        ChannelLayer::Core => channel_layer::core(layer, metrics.clone()).await,
        ChannelLayer::Pubsub => channel_layer::pubsub(layer, metrics.clone()).await,
    }
    .map_err(wrong)?;
    Ok(Kept { stores, layer, redis: Some(health) })
}
