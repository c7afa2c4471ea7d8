//! What an operator wants to know first.

use std::net::SocketAddr;

use sophie_actors::ids::NodeId;

use crate::auth::bearer::AdminToken;
use crate::settings::Settings;

/// Says who serves where, what it keeps where, who answers.
pub(super) fn announce(
    settings: &Settings,
    addresses: &[SocketAddr],
    node: &NodeId,
    backend: &str,
    admin: &AdminToken,
) {
    let address = addresses.first().map(ToString::to_string).unwrap_or_default();
    let scheme = if settings.server.has_tls() { "https" } else { "http" };
    log::info!(
        event = "start", version = env!("CARGO_PKG_VERSION"), node:%, chat_page = format!("{scheme}://{address}/");
        "sophie serves"
    );
    if settings.redis.enabled {
        log::info!(event = "storage", redis = true, url:% = settings.redis_url(); "groups, logs and limits are in Redis");
    } else {
        log::info!(
            event = "storage", redis = false;
            "everything is in memory, on this node alone: set USE_REDIS and REDIS_URL to keep it in Redis"
        );
    }
    match backend {
        "demo" => log::info!(
            event = "backend", backends = "demo";
            "the built-in demo answers: set OPENAI_API_KEY or OPENAI_BASE_URL to ask a model"
        ),
        _ => {
            let names: Vec<String> = settings.ai.backends().into_iter().map(|backend| backend.name).collect();
            log::info!(
                event = "backend", backends = names.join(","), model = settings.ai.answers.model;
                "answers come from a model"
            );
        }
    }
    if let Some(token) = admin.generated() {
        log::info!(event = "admin_token", token; "an admin token for this run, set admin.token to choose one");
    }
}
