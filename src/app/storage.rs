//! Where things are kept, as the settings ask for, and the way to Django.

use std::sync::Arc;

use sophie_actors::channel_layer::{self, LayerOptions, NoLayer};
use sophie_actors::ids::NodeKey;
use sophie_actors::metrics::Metrics;
use sophie_actors::redis::{Bound, Bounds, Budgets, RedisHealth};
use sophie_actors::store::memory::{self, MemoryOptions};
use sophie_actors::store::redis::RedisOptions;
use sophie_actors::store::{Stores, redis};

use super::AppError;
use crate::settings::{ChannelLayer, Settings};

/// Where things are kept, and the way to Django.
pub(super) struct Storage {
    pub(super) stores: Stores,
    pub(super) layer: Arc<dyn channel_layer::ChannelLayer>,
    pub(super) redis: Option<RedisHealth>,
}

/// Connects to whatever the settings name.
pub(super) async fn stores(settings: &Settings, budgets: Budgets, metrics: &Metrics) -> Result<Storage, AppError> {
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
        return Ok(Storage { stores: memory::stores(options), layer: Arc::new(NoLayer), redis: None });
    }
    let channel = &settings.channel;
    let bounds = Bounds {
        main: Bound::new("channel.max_connections", channel.max_connections),
        cache: Bound::new("cache.max_connections", settings.cache.max_connections),
        general: Bound::new("general_cache.max_connections", settings.general_cache.max_connections),
    };
    let node_key = channel_layer::key_on_first_shard(settings.layer_urls().len());
    log::info!(
        event = "node_key", key = node_key.as_str();
        "the others know this node by its key, and so does the channel layer"
    );
    let layer = layer_options(settings, node_key.clone(), bounds.main.clone());
    let options = redis_options(settings, node_key, budgets, bounds);
    let wrong = |error: sophie_actors::store::StoreError| AppError::Settings(error.to_string());
    let (stores, health) = redis::connect(options, &metrics.dependencies).await.map_err(wrong)?;
    let layer = match channel.layer {
        ChannelLayer::Core => channel_layer::core(layer, metrics.clone()).await,
        ChannelLayer::Pubsub => channel_layer::pubsub(layer, metrics.clone()).await,
    }
    .map_err(wrong)?;
    Ok(Storage { stores, layer, redis: Some(health) })
}

/// The databases as the settings have them.
pub(crate) fn redis_options(settings: &Settings, node_key: NodeKey, budgets: Budgets, bounds: Bounds) -> RedisOptions {
    let (session, cache) = (&settings.session, &settings.cache.options);
    RedisOptions {
        url: settings.redis_url().as_str().to_owned(),
        general_url: settings.general_cache_redis_url().as_str().to_owned(),
        cache_url: settings.cache_redis_url().as_str().to_owned(),
        prefix: settings.redis.prefix.clone(),
        channel_prefix: settings.channel.prefix.clone(),
        node_key,
        log_events: session.log_events,
        log_seconds: session.log_seconds,
        group_expiry_seconds: settings.channel.group_expiry_seconds,
        cache_ttl_seconds: cache.ttl_seconds,
        cache_max_entry_bytes: cache.max_entry_bytes,
        worker: settings.channel.worker_kinds(),
        wait_replicas: settings.redis.wait_replicas,
        budgets,
        bounds,
    }
}

/// The channel layer as the settings have it.
pub(crate) fn layer_options(settings: &Settings, node_key: NodeKey, bound: Bound) -> LayerOptions {
    let channel = &settings.channel;
    LayerOptions {
        hosts: settings.layer_urls().iter().map(|host| host.as_str().to_owned()).collect(),
        prefix: channel.prefix.clone(),
        capacity: channel.capacity,
        expiry_seconds: channel.expiry_seconds,
        group_expiry_seconds: channel.group_expiry_seconds,
        encryption_keys: channel.encryption_keys.iter().map(|key| key.expose().to_owned()).collect(),
        serializer: channel.serializer.into(),
        node_key,
        bound,
    }
}
