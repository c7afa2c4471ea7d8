//! Who asks: the holder of an API key, or anybody where none is needed.

use std::sync::Arc;

use actix_web::HttpRequest;
use sophie_actors::answers::Scope;
use sophie_actors::ledger::Asker;
use sophie_actors::options::CacheScope;

use super::{GatewayError, State};
use crate::auth::bearer::KeyHolder;
use crate::http::Outsider;

/// The caller of a request.
///
/// # Errors
/// The node is going, or the request does not bear a good key.
pub fn of(request: &HttpRequest, state: &State) -> Result<Arc<KeyHolder>, GatewayError> {
    if state.is_draining() {
        return Err(GatewayError::draining());
    }
    state.application(request).map_err(|outsider| match outsider {
        Outsider::ForeignPage => GatewayError::foreign_page(),
        Outsider::Shut(shut) => GatewayError::shut(shut),
        Outsider::NoKey if state.policy().api_keys.is_empty() => GatewayError::no_key(
            "This service has no API keys yet: set auth.api_keys, or [[auth.key]], in its settings.",
        ),
        Outsider::NoKey => GatewayError::no_key(
            "An API key is needed: `Authorization: Bearer KEY`, with a key of auth.api_keys or [[auth.key]].",
        ),
    })
}

/// The caller as the ledger knows it.
pub fn asker(holder: &KeyHolder) -> Asker {
    Asker { user: format!("key:{}", holder.name), group: None }
}

/// Whom the caller shares answers with.
pub fn scope(state: &State, holder: &KeyHolder) -> Scope {
    match state.gateway.cache.scope {
        CacheScope::Global => Scope::Global,
        // Without keys there is one application, and this machine is its.
        _ if state.policy().api_keys.is_empty() => Scope::Global,
        CacheScope::Auto | CacheScope::Group | CacheScope::User => Scope::Key(holder.digest.clone()),
    }
}
