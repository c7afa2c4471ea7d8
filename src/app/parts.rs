//! What the settings ask for: a backend and stores.

use std::sync::Arc;

use sophie_actors::backend::{Backend, Demo};
use sophie_actors::ids::NodeId;
use sophie_actors::layer::{self, LayerOptions, NodeKey};
use sophie_actors::metrics::Metrics;
use sophie_actors::store::Stores;
use sophie_actors::store::memory::{self, MemoryOptions};
use sophie_actors::store::redis::{self, Budgets, RedisHealth, RedisOptions};

use super::AppError;
use crate::settings::{AiBackend, ChannelLayer, Settings};
use crate::upstream::{ApiKey, OpenAi, OpenAiOptions};

pub(super) fn backend(settings: &Settings) -> Result<Arc<dyn Backend>, AppError> {
    let ai = &settings.ai;
    match settings.ai_backend() {
        AiBackend::Demo => Ok(Arc::new(Demo::default())),
        AiBackend::OpenAi => {
            let options = OpenAiOptions {
                base_url: ai.base_url.as_str().to_owned(),
                api_key: ApiKey::new(ai.api_key.expose()),
                connect_seconds: ai.connect_seconds,
                first_chunk_seconds: ai.first_chunk_seconds,
                idle_seconds: ai.idle_seconds,
                total_seconds: ai.answers.total_seconds,
                retries: ai.retries,
                max_answer_bytes: ai.answers.max_answer_bytes,
            };
            let backend = OpenAi::new(options).map_err(|error| AppError::Settings(error.to_string()))?;
            Ok(Arc::new(backend))
        }
    }
}

pub(super) async fn stores(
    settings: &Settings,
    node: &NodeId,
    budgets: Budgets,
    metrics: &Metrics,
) -> Result<(Stores, Option<RedisHealth>), AppError> {
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
        return Ok((memory::stores(options), None));
    }
    let channel = &settings.channel;
    let hosts: Vec<String> = match channel.hosts.as_slice() {
        [] => vec![settings.redis_url().as_str().to_owned()],
        hosts => hosts.iter().map(|host| host.as_str().to_owned()).collect(),
    };
    let node_key = NodeKey::on_first_shard(hosts.len());
    let options = RedisOptions {
        url: settings.redis_url().as_str().to_owned(),
        general_url: settings.general_cache_redis_url().as_str().to_owned(),
        cache_url: settings.cache_redis_url().as_str().to_owned(),
        prefix: settings.redis.prefix.clone(),
        channel_prefix: settings.channel.prefix.clone(),
        node: node.clone(),
        node_key: node_key.clone(),
        log_events: session.log_events,
        log_seconds: session.log_seconds,
        group_expiry_seconds: settings.channel.group_expiry_seconds,
        cache_ttl_seconds: cache.ttl_seconds,
        cache_max_entry_bytes: cache.max_entry_bytes,
        worker: settings.channel.worker_kinds(),
        budgets,
    };
    let wrong = |error: sophie_actors::store::StoreError| AppError::Settings(error.to_string());
    let (mut stores, health) = redis::connect(options, &metrics.dependencies).await.map_err(wrong)?;
    let layer = LayerOptions {
        hosts,
        prefix: channel.prefix.clone(),
        capacity: channel.capacity,
        expiry_seconds: channel.expiry_seconds,
        group_expiry_seconds: channel.group_expiry_seconds,
        encryption_keys: channel.encryption_keys.iter().map(|key| key.expose().to_owned()).collect(),
        serializer: channel.serializer.into(),
        node_key,
    };
    stores.layer = match channel.layer {
        ChannelLayer::Core => layer::core(layer, metrics.clone()).await,
        ChannelLayer::Pubsub => layer::pubsub(layer, metrics.clone()).await,
    }
    .map_err(wrong)?;
    Ok((stores, Some(health)))
}
