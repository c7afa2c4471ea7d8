//! The public keys that tokens are verified with: whether they are where they are looked for.

use super::finding::{Area, Finding};
use crate::auth::jwks::Jwks;
use crate::settings::{AuthMode, Settings};

const SUBJECT: &str = "auth.jwks_url";

pub(super) async fn findings(settings: &Settings) -> Vec<Finding> {
    let url = &settings.auth.jwks_url;
    if settings.auth.mode != AuthMode::Jwt || url.is_empty() {
        return Vec::new();
    }
    let counted = match Jwks::at(url) {
        Ok(jwks) => jwks.count().await,
        Err(error) => Err(error.to_string()),
    };
    vec![match counted {
        Ok(keys) => Finding::ok("jwks_ok", Area::Jwks, SUBJECT, format!("{url} has {keys} keys for tokens")),
        Err(reason) => Finding::fault(
            "jwks_broken",
            Area::Jwks,
            SUBJECT,
            format!("{url}: {reason}"),
            "nobody with a token of its keys comes in",
            "set the address of the issuer's JWK set (jwks_uri in its openid-configuration), and see that this machine reaches it",
        ),
    }]
}
