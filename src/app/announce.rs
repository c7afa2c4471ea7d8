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
    log::info!("sophie {} serves node={node} chat_page={scheme}://{address}/", env!("CARGO_PKG_VERSION"));
    if settings.redis.enabled {
        log::info!("groups, logs and limits are in Redis url={:?}", settings.redis_url());
    } else {
        log::info!("everything is in memory, on this node alone: set USE_REDIS=true and REDIS_URL to keep it in Redis");
    }
    match backend {
        "demo" => log::info!("the built-in demo answers: set OPENAI_API_KEY or OPENAI_BASE_URL to ask a model"),
        _ => {
            let names: Vec<String> = settings.ai.backends().into_iter().map(|backend| backend.name).collect();
            log::info!("answers come from a model backends={} model={}", names.join(","), settings.ai.answers.model);
        }
    }
    if let Some(token) = admin.generated() {
        log::info!("admin token for this run: {token} (set admin.token to choose one)");
    }
}
