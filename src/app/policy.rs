//! Whom the node lets in and who answers, as the settings say at the start and after each time that they are read again.

use std::sync::Arc;
use std::time::Duration;

use sophie_actors::metrics::Metrics;
use sophie_actors::store::Stores;

use super::{AppError, announce};
use crate::auth::Authenticator;
use crate::auth::bearer::{AdminToken, ApiKeys, Operators};
use crate::auth::doors::{Doors, is_loopback};
use crate::auth::origin::OriginRule;
use crate::http::{PageConfig, Policy};
use crate::settings::{AuthMode, Changes, Settings};
use crate::upstream::Router;

/// What the authenticator is made of. While none of it changes it stays, with the public keys that it has fetched.
const OF_AUTHENTICATOR: &[&str] =
    &["auth.jwt_secret", "auth.jwks_url", "auth.audience", "auth.issuer", "auth.hook_url", "auth.hook_cookies"];

/// That of the start.
pub(super) fn first(
    settings: &Settings,
    stores: &Stores,
    metrics: &Metrics,
    router: Option<Arc<Router>>,
) -> Result<Policy, AppError> {
    let admin = Arc::new(AdminToken::from(settings));
    Ok(of(settings, authenticator(settings, stores, metrics)?, admin, router))
}

/// That which comes after another one.
pub(super) fn after(
    before: &Policy,
    changes: &Changes,
    (stores, metrics): (&Stores, &Metrics),
    router: Option<Arc<Router>>,
) -> Result<Policy, AppError> {
    let settings = &changes.settings;
    let authenticator = match changes.takes_any(OF_AUTHENTICATOR) {
        true => authenticator(settings, stores, metrics)?,
        false => before.authenticator.clone(),
    };
    // A token that was made up at the start holds until one is set.
    let admin = match changes.takes_any(&["admin.token"]) {
        true => Arc::new(AdminToken::from(settings)),
        false => before.operators.admin.clone(),
    };
    Ok(of(settings, authenticator, admin, router))
}

/// Says what operators have to know of it, once it is in force.
pub(super) fn tell(before: &Policy, now: &Policy) {
    if !Arc::ptr_eq(&before.operators.admin, &now.operators.admin) {
        announce::admin_token(&now.operators.admin);
    }
}

fn authenticator(settings: &Settings, stores: &Stores, metrics: &Metrics) -> Result<Arc<Authenticator>, AppError> {
    let authenticator = Authenticator::from(settings, stores.general.clone(), metrics.clone());
    authenticator.map(Arc::new).map_err(|error| AppError::Settings(error.to_string()))
}

fn of(
    settings: &Settings,
    authenticator: Arc<Authenticator>,
    admin: Arc<AdminToken>,
    router: Option<Arc<Router>>,
) -> Policy {
    Policy {
        authenticator,
        origins: OriginRule::from(&settings.server.allowed_origins),
        doors: Doors::from(settings),
        operators: Operators::from(settings, admin),
        api_keys: ApiKeys::from(settings),
        open_to_applications: settings.auth.mode == AuthMode::None && is_loopback(settings.server.bind.ip()),
        router,
        currency: settings.ai.currency.clone(),
        headers_within: Duration::from_secs(settings.ai.headers_seconds),
        page: PageConfig::from(settings),
    }
}
