//! The public keys that tokens are signed with, fetched from the issuer and kept.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use tokio::time::Instant;

use super::AuthError;
use crate::settings::{ServiceUrl, SettingsError};

/// Bytes of the largest answer: some hundred keys.
const MAX_BYTES: usize = 256 * 1024;
/// How long a fetch may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// When keys are fetched anew.
#[derive(Clone, Copy)]
struct Pace {
    /// The least time between two fetches: whoever sends tokens with made-up key ids must not make us hammer the issuer.
    between: Duration,
    /// The same while no keys were ever had, since nobody can come in until then.
    before_first: Duration,
    /// The age at which keys are fetched anew though they are known, so that a key that was withdrawn does not stay for ever.
    fresh: Duration,
}

const PACE: Pace =
    Pace { between: Duration::from_secs(30), before_first: Duration::from_secs(5), fresh: Duration::from_secs(600) };

/// One public key and the algorithms that it may be used with.
pub struct Key {
    kid: Option<String>,
    algorithms: Vec<Algorithm>,
    decoding: DecodingKey,
}

impl Key {
    /// What verifies with it.
    pub fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }

    /// Reads a JSON Web Key; none if it is not for verifying signatures with, or of a kind that is not known. Its algorithms follow
    /// from its type; a symmetric key has no place among public ones.
    fn read(jwk: &Jwk) -> Option<Self> {
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        if jwk.common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
            return None;
        }
        let mut algorithms = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => vec![RS256, RS384, RS512, PS256, PS384, PS512],
            AlgorithmParameters::EllipticCurve(key) => match key.curve {
                EllipticCurve::P256 => vec![ES256],
                EllipticCurve::P384 => vec![ES384],
                _ => return None,
            },
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => vec![EdDSA],
            _ => return None,
        };
        if let Some(only) = &jwk.common.key_algorithm {
            let only: Algorithm = only.to_string().parse().ok()?;
            algorithms.retain(|algorithm| *algorithm == only);
        }
        let decoding = DecodingKey::from_jwk(jwk).ok()?;
        (!algorithms.is_empty()).then(|| Self { kid: jwk.common.key_id.clone(), algorithms, decoding })
    }
}

#[derive(Default)]
struct Kept {
    keys: Vec<Arc<Key>>,
    fetched: Option<Instant>,
    attempted: Option<Instant>,
    failed: bool,
}

impl Kept {
    fn named(&self, kid: Option<&str>) -> Vec<Arc<Key>> {
        self.keys.iter().filter(|key| kid.is_none() || key.kid.as_deref() == kid).cloned().collect()
    }
}

/// The keys at one address.
pub struct Jwks {
    url: ServiceUrl,
    client: reqwest::Client,
    pace: Pace,
    kept: Mutex<Kept>,
    /// Held by the one who fetches; the others wait for what they bring.
    fetching: tokio::sync::Mutex<()>,
}

impl Jwks {
    /// The keys at this address; fetched when first asked for.
    pub fn at(url: &ServiceUrl) -> Result<Self, SettingsError> {
        Self::paced(url, PACE)
    }

    fn paced(url: &ServiceUrl, pace: Pace) -> Result<Self, SettingsError> {
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| SettingsError::new("auth.jwks_url", format!("no HTTP client for it: {error}")))?;
        let (kept, fetching) = Default::default();
        Ok(Self { url: url.clone(), client, pace, kept, fetching })
    }

    /// The keys that a token with this header may be signed with; all that fit if it names none.
    pub async fn keys(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Vec<Arc<Key>>, AuthError> {
        let (mut named, fresh) = {
            let kept = self.kept();
            (kept.named(kid), kept.fetched.is_some_and(|at| at.elapsed() < self.pace.fresh))
        };
        if named.is_empty() {
            let _turn = self.fetching.lock().await;
            named = self.kept().named(kid);
            if named.is_empty() && self.is_due() {
                self.refresh().await;
                named = self.kept().named(kid);
            }
        } else if !fresh
            && let Ok(_turn) = self.fetching.try_lock()
            && self.is_due()
        {
            self.refresh().await;
            named = self.kept().named(kid);
        }
        if named.is_empty() {
            let failed = self.kept().failed;
            return Err(if failed { AuthError::Unavailable } else { AuthError::Invalid("its key is not known") });
        }
        named.retain(|key| key.algorithms.contains(&algorithm));
        if named.is_empty() { Err(AuthError::Invalid("its algorithm does not fit its key")) } else { Ok(named) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_due(&self) -> bool {
        let kept = self.kept();
        let gap = if kept.fetched.is_some() { self.pace.between } else { self.pace.before_first };
        kept.attempted.is_none_or(|at| at.elapsed() >= gap)
    }

    async fn refresh(&self) {
        {
            let mut kept = self.kept();
            kept.attempted = Some(Instant::now());
            // Until it is known better: whoever drops this future must not leave a success behind.
            kept.failed = true;
        }
        match self.fetch().await {
            Ok(keys) => {
                log::info!(
                    event = "jwks_fetched", url:% = self.url, keys = keys.len();
                    "the public keys for tokens were fetched"
                );
                *self.kept() =
                    Kept { keys, fetched: Some(Instant::now()), attempted: Some(Instant::now()), failed: false };
            }
            Err(reason) => log::warn!(
                event = "jwks_failed", url:% = self.url, reason;
                "the public keys for tokens cannot be fetched"
            ),
        }
    }

    /// Asks for the keys once, whatever is known, and keeps nothing. Returns how many can be used.
    ///
    /// # Errors
    /// Why there are none.
    pub async fn count(&self) -> Result<usize, String> {
        Ok(self.fetch().await?.len())
    }

    async fn fetch(&self) -> Result<Vec<Arc<Key>>, String> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<serde_json::Value>,
        }
        let said = |error: reqwest::Error| error.without_url().to_string();
        let mut answer =
            self.client.get(self.url.as_str()).send().await.map_err(said)?.error_for_status().map_err(said)?;
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(said)? {
            if body.len() + piece.len() > MAX_BYTES {
                return Err(format!("more than {MAX_BYTES} bytes"));
            }
            body.extend_from_slice(&piece);
        }
        let document: Document = serde_json::from_slice(&body).map_err(|_| "not a JWK set".to_owned())?;
        // A key of a kind that we do not know must not keep us from the others.
        let known = document.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let keys: Vec<_> = known.filter_map(|jwk| Key::read(&jwk)).map(Arc::new).collect();
        if keys.is_empty() { Err("no key in it that tokens can be verified with".to_owned()) } else { Ok(keys) }
    }
}

#[cfg(test)]
mod tests;
