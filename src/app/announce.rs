//! What an operator wants to know first: where this node listens, who may come in, and what it goes by.

use std::net::SocketAddr;

use sophie_actors::ids::NodeId;

use crate::auth::bearer::AdminToken;
use crate::auth::doors::is_loopback;
use crate::settings::{AuthMode, Settings};
use crate::upstream::DEFAULT_BASE_URL;

pub(super) fn announce(settings: &Settings, addresses: &[SocketAddr], node: &NodeId, backend: &str) {
    let address = addresses.first().map(ToString::to_string).unwrap_or_default();
    let scheme = if settings.server.has_tls() { "https" } else { "http" };
    log::info!(
        event = "start", version = env!("CARGO_PKG_VERSION"), node:%, chat_page = format!("{scheme}://{address}/");
        "sophie serves"
    );
    let operators = addresses.get(1).or(addresses.first()).map(ToString::to_string);
    log::info!(
        event = "admin", listens = operators, apart = addresses.len() > 1;
        "operators, probes and metrics are answered"
    );
    storage(settings);
    traces(settings);
    doors(settings);
    answers(settings, backend);
}

/// Says which admin token was made up, if one was.
pub(super) fn admin_token(admin: &AdminToken) {
    if let Some(token) = admin.generated() {
        log::info!(event = "admin_token", token; "an admin token for this run, set admin.token to choose one");
    }
}

/// Where things are kept. Passwords are masked.
fn storage(settings: &Settings) {
    if !settings.redis.enabled {
        log::info!(
            event = "storage", redis = false;
            "everything is in memory, on this node alone: set USE_REDIS and REDIS_URL to keep it in Redis"
        );
        return;
    }
    let layer: Vec<String> = settings.layer_urls().iter().map(ToString::to_string).collect();
    log::info!(
        event = "storage", redis = true, url:% = settings.redis_url(), cache:% = settings.cache_redis_url(),
        general:% = settings.general_cache_redis_url(), layer = layer.join(" ");
        "groups, logs and limits are in Redis"
    );
}

/// Where traces go, if anywhere.
fn traces(settings: &Settings) {
    let otel = &settings.otel;
    if !otel.endpoint.is_empty() {
        log::info!(
            event = "tracing", endpoint:% = otel.endpoint, sample_ratio = otel.sample_ratio, content = otel.content;
            "traces are sent to their receiver"
        );
    }
}

/// Who may come in.
fn doors(settings: &Settings) {
    let auth = &settings.auth;
    let some = |url: &crate::settings::ServiceUrl| (!url.is_empty()).then(|| url.to_string());
    let mode = match auth.mode {
        AuthMode::None => "none",
        AuthMode::Jwt => "jwt",
        AuthMode::Hook => "hook",
    };
    log::info!(
        event = "auth", mode, open = auth.open, jwks = some(&auth.jwks_url), hook = some(&auth.hook_url);
        "this is how callers of chats say who they are"
    );
    let keys = auth.api_keys.len() + auth.key.len();
    let to = match keys {
        0 if auth.mode == AuthMode::None && is_loopback(settings.server.bind.ip()) => "this machine",
        0 => "nobody",
        _ => "holders of a key",
    };
    log::info!(event = "gateway", keys, open_to = to; "applications may ask by the API");
}

/// Who answers.
fn answers(settings: &Settings, backend: &str) {
    if backend == "demo" {
        log::info!(
            event = "backend", backend;
            "the built-in demo answers: set OPENAI_API_KEY or OPENAI_BASE_URL to ask a model"
        );
        return;
    }
    for backend in settings.ai.backends() {
        let url = if backend.base_url.is_empty() { DEFAULT_BASE_URL.to_owned() } else { backend.base_url.to_string() };
        log::info!(
            event = "backend", backend = backend.name, url, model = settings.ai.answers.model;
            "answers come from a model"
        );
    }
}
