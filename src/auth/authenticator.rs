//! Finding out who callers are, in the way that `auth.mode` says.

use std::net::IpAddr;
use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey};
use sophie_actors::ids::SessionId;
use sophie_actors::metrics::Metrics;
use sophie_actors::repeated::{Line, Repeated};
use sophie_actors::store::GeneralCache;

use super::hook::{CallerHeaders, Hook, Verdict};
use super::jwks::Jwks;
use super::jwt::{self, Claims, Expected};
use super::{AuthError, Identity, unix_now};
use crate::settings::{AuthMode, Settings, SettingsError};

/// What a caller shows.
#[derive(Clone)]
pub struct Credentials {
    /// The bearer token, if one was sent.
    pub token: Option<String>,
    /// The session that they ask for.
    pub session: SessionId,
    /// Where they come from.
    pub address: IpAddr,
    /// What their browser sent: for the application to decide by.
    pub headers: CallerHeaders,
}

impl Credentials {
    /// What the application is shown: a token that came by another way stands where tokens stand.
    fn for_the_application(&self) -> CallerHeaders {
        let mut headers = self.headers.clone();
        if let Some(token) = self.token.as_deref().filter(|token| !token.is_empty()) {
            headers.authorization = Some(format!("Bearer {token}"));
        }
        headers
    }
}

/// Anybody may be refused as often as they like. Operators know the lines by this target, whichever file they come from.
static REFUSED: Repeated = Repeated::of("sophie::auth", log::Level::Info);

/// Finds out who callers are, in the way that `auth.mode` says.
pub struct Authenticator(By);

enum By {
    /// Everyone is a guest.
    Nothing,
    /// Tokens; the application may be asked for their users' context.
    Tokens(Box<TokenKeys>, Option<Hook>),
    /// The application.
    Application(Hook),
}

struct TokenKeys {
    expected: Expected,
    secret: Option<DecodingKey>,
    jwks: Option<Jwks>,
}

/// Whether the application's last answers count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Yes, as long as they are kept.
    Kept,
    /// No: the caller has come to be asked about anew.
    Anew,
}

impl Authenticator {
    /// Set up as `[auth]` says; what the application says is kept in `cache`. The process's TLS provider must be installed
    /// before, see [`crate::tls::install`].
    pub fn from(settings: &Settings, cache: Arc<dyn GeneralCache>, metrics: Metrics) -> Result<Self, SettingsError> {
        let auth = &settings.auth;
        let hook = || Hook::from(settings, cache, metrics);
        Ok(Self(match auth.mode {
            AuthMode::None => By::Nothing,
            AuthMode::Hook => By::Application(hook()?),
            AuthMode::Jwt => {
                let secret = (!auth.jwt_secret.is_empty())
                    .then(|| DecodingKey::from_secret(auth.jwt_secret.expose().as_bytes()));
                let jwks = if auth.jwks_url.is_empty() { None } else { Some(Jwks::at(&auth.jwks_url)?) };
                let hook = if auth.hook_url.is_empty() { None } else { Some(hook()?) };
                let expected = Expected { audience: auth.audience.clone(), issuer: auth.issuer.clone() };
                if jwks.is_some() && expected.audience.is_empty() {
                    log::warn!(
                        event = "audience_not_checked", setting = "auth.jwks_url", missing = "auth.audience";
                        "tokens that the issuer made for other applications come in here too"
                    );
                }
                By::Tokens(Box::new(TokenKeys { expected, secret, jwks }), hook)
            }
        }))
    }

    /// Who the caller is. Also for a caller who is already in and shows something new: whether its user is still the same is for
    /// the session to compare.
    pub async fn authenticate(&self, credentials: Credentials, ask: Freshness) -> Result<Identity, AuthError> {
        let identity = self.identify(&credentials, ask).await;
        if let Err(error) = &identity {
            let Credentials { session, address, .. } = &credentials;
            REFUSED.log(error.reason(), || {
                let asked = match &self.0 {
                    By::Application(hook) => Some(hook.url()),
                    _ => None,
                };
                let line = Line::of("caller_refused", "somebody is not let in").with("reason", error.reason());
                line.with("address", address).with("session", session).with_some("hook", asked)
            });
        }
        identity
    }

    /// Whether a token is good, where tokens say who callers are; whatever the session is.
    ///
    /// # Errors
    /// It is not.
    pub async fn check_token(&self, token: Option<&str>) -> Result<(), AuthError> {
        let By::Tokens(keys, _) = &self.0 else { return Ok(()) };
        let token = token.filter(|token| !token.is_empty()).ok_or(AuthError::Missing)?;
        keys.verify(token).await.map(|_| ())
    }

    async fn identify(&self, credentials: &Credentials, ask: Freshness) -> Result<Identity, AuthError> {
        match &self.0 {
            By::Nothing => Ok(Identity::guest(&credentials.session)),
            By::Tokens(keys, hook) => {
                let token = credentials.token.as_deref().filter(|token| !token.is_empty()).ok_or(AuthError::Missing)?;
                let claims = keys.verify(token).await?;
                // A token is enough to come in: an application that does not answer only goes unheard.
                let context = match hook {
                    Some(hook) => match ask_application(hook, credentials, ask).await {
                        Verdict::Granted(grant) => grant.context,
                        _ => None,
                    },
                    None => None,
                };
                Ok(Identity::from_claims(claims, context))
            }
            By::Application(hook) => match ask_application(hook, credentials, ask).await {
                Verdict::Granted(grant) => Ok(Identity::from_grant(grant)),
                Verdict::Unknown => Err(AuthError::Unknown),
                Verdict::Forbidden => Err(AuthError::Forbidden),
                Verdict::Unavailable => Err(AuthError::Unavailable),
            },
        }
    }
}

async fn ask_application(hook: &Hook, credentials: &Credentials, ask: Freshness) -> Verdict {
    let headers = credentials.for_the_application();
    match ask {
        Freshness::Kept => hook.ask(&credentials.session, credentials.address, &headers).await,
        Freshness::Anew => hook.ask_anew(&credentials.session, credentials.address, &headers).await,
    }
}

impl TokenKeys {
    async fn verify(&self, token: &str) -> Result<Claims, AuthError> {
        let header = jwt::header(token)?;
        // The kind of key follows from where it came from, never from the token: a public key is no HMAC secret.
        match (header.alg, &self.secret, &self.jwks) {
            (Algorithm::HS256, Some(secret), _) => jwt::verify(token, secret, header.alg, &self.expected, unix_now()),
            (Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512, ..) | (_, _, None) => {
                Err(AuthError::Invalid("its algorithm is not accepted here"))
            }
            (algorithm, _, Some(jwks)) => {
                let keys = jwks.keys(header.kid.as_deref(), algorithm).await?;
                let mut outcome = Err(AuthError::Invalid("it is not signed by a known key"));
                for key in keys {
                    outcome = jwt::verify(token, key.decoding(), algorithm, &self.expected, unix_now());
                    if !matches!(outcome, Err(jwt::WRONG_SIGNATURE)) {
                        break;
                    }
                }
                outcome
            }
        }
    }
}
