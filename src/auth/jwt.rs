//! JSON Web Tokens: their claims, checking them, and minting them for development.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use sophie_actors::ids::UserId;

use super::{AuthError, unix_now};

/// A longer token does not come from an issuer: request lines end at 8 KiB in most servers, headers at 16 KiB.
const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// The one fault for which another key may do better.
pub const WRONG_SIGNATURE: AuthError = AuthError::Invalid("its signature is wrong");

const NO_USER: AuthError = AuthError::Invalid("its sub must name the user: 1 to 256 characters, none of control");

/// What Sophie reads in a token.
#[derive(Debug, Clone, Serialize)]
pub struct Claims {
    /// The user.
    pub sub: String,
    /// When it ends, in Unix seconds.
    pub exp: u64,
    /// When it was issued, in Unix seconds. A token that is minted without one gets the time of now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<u64>,
    /// Patterns of groups that may be joined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// Patterns of sessions that may be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<Vec<String>>,
}

/// What a token must say beside its user and its end; empty for what is not asked for.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// For whom it is meant: one of these.
    pub audience: Vec<String>,
    /// Who issued it.
    pub issuer: String,
}

impl Expected {
    fn check(&self, raw: &RawClaims) -> Result<(), AuthError> {
        let meant = |audience: &Value| audience.as_str().is_some_and(|it| self.audience.iter().any(|own| own == it));
        let for_us = match &raw.aud {
            Some(Value::Array(many)) => many.iter().any(meant),
            Some(one) => meant(one),
            None => false,
        };
        if !self.audience.is_empty() && !for_us {
            return Err(AuthError::Invalid("it is for another audience"));
        }
        let by_ours = raw.iss.as_ref().and_then(Value::as_str) == Some(self.issuer.as_str());
        if !self.issuer.is_empty() && !by_ours {
            return Err(AuthError::Invalid("it is by another issuer"));
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct RawClaims {
    sub: Option<String>,
    exp: Option<Number>,
    nbf: Option<Number>,
    iat: Option<Number>,
    aud: Option<Value>,
    iss: Option<Value>,
    groups: Option<Vec<String>>,
    sessions: Option<Vec<String>>,
}

/// A token's header, not yet verified: tells which key to try. `alg: none` is no algorithm and is refused here.
pub fn header(token: &str) -> Result<Header, AuthError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(AuthError::Invalid("it is too long"));
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| AuthError::Invalid("it is not a signed JWT"))?;
    // RFC 7515, 4.1.11: what is critical and not understood makes a token invalid, and we understand none of it.
    if header.crit.is_some() {
        return Err(AuthError::Invalid("it has critical extensions"));
    }
    Ok(header)
}

/// Verifies a token's signature with this key and algorithm, and its claims at the time `now` (Unix seconds), without leeway.
pub fn verify(
    token: &str,
    key: &DecodingKey,
    algorithm: Algorithm,
    expected: &Expected,
    now: u64,
) -> Result<Claims, AuthError> {
    let mut validation = Validation::new(algorithm);
    // Claims are checked below, on a clock that tests can set, and with the second of `exp` itself being too late (RFC 7519, 4.1.4).
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let decoded = jsonwebtoken::decode::<RawClaims>(token, key, &validation);
    let raw = decoded.map_err(|error| match error.kind() {
        ErrorKind::InvalidSignature => WRONG_SIGNATURE,
        ErrorKind::InvalidAlgorithm => AuthError::Invalid("its algorithm does not fit its key"),
        _ => AuthError::Invalid("its claims cannot be read"),
    })?;
    let raw = raw.claims;
    expected.check(&raw)?;

    let sub = raw.sub.filter(|sub| UserId::parse(sub).is_ok()).ok_or(NO_USER)?;
    let exp = raw.exp.as_ref().and_then(seconds).ok_or(AuthError::Invalid("it must have an exp"))?;
    if exp <= now {
        return Err(AuthError::Expired);
    }
    if let Some(from) = &raw.nbf {
        let from = seconds(from).ok_or(AuthError::Invalid("its nbf is no time"))?;
        if from > now {
            return Err(AuthError::Invalid("it is not valid yet"));
        }
    }
    // How far an issuer's clock may be ahead is no matter here: it makes nothing newer than now (`rights.rs`).
    let iat = match &raw.iat {
        Some(issued) => Some(seconds(issued).ok_or(AuthError::Invalid("its iat is no time"))?),
        None => None,
    };
    Ok(Claims { sub, exp, iat, groups: raw.groups, sessions: raw.sessions })
}

/// Signs a token with HS256.
pub fn mint(secret: &str, claims: &Claims) -> Result<String, jsonwebtoken::errors::Error> {
    let issued = Claims { iat: claims.iat.or(Some(unix_now())), ..claims.clone() };
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &issued, &EncodingKey::from_secret(secret.as_bytes()))
}

/// A NumericDate, which may have a fraction. What lies before 1970 is none.
fn seconds(number: &Number) -> Option<u64> {
    number
        .as_u64()
        .or_else(|| number.as_f64().filter(|value| value.is_finite() && *value >= 0.0).map(|value| value as u64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn checked_with(algorithm: Algorithm, claims: &Value) -> Result<Claims, AuthError> {
        let token = jsonwebtoken::encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(b"s")).unwrap();
        verify(&token, &DecodingKey::from_secret(b"s"), Algorithm::HS256, &Expected::default(), NOW)
    }

    fn checked(claims: Value) -> Result<Claims, AuthError> {
        checked_with(Algorithm::HS256, &claims)
    }

    #[test]
    fn exp_is_required_and_has_no_leeway() {
        assert!(checked(json!({"sub": "a", "exp": NOW + 1})).is_ok());
        assert!(checked(json!({"sub": "a", "exp": (NOW + 1) as f64 + 0.5})).is_ok());
        assert_eq!(checked(json!({"sub": "a", "exp": NOW})).unwrap_err(), AuthError::Expired);
        assert_eq!(checked(json!({"sub": "a", "exp": 0})).unwrap_err(), AuthError::Expired);
        for exp in [json!(null), json!("soon"), json!(-1), json!([NOW + 1])] {
            assert!(matches!(checked(json!({"sub": "a", "exp": exp})), Err(AuthError::Invalid(_))));
        }
        assert!(matches!(checked(json!({"sub": "a"})), Err(AuthError::Invalid(_))));
    }

    #[test]
    fn nbf_is_respected() {
        assert!(checked(json!({"sub": "a", "exp": NOW + 9, "nbf": NOW})).is_ok());
        assert!(matches!(checked(json!({"sub": "a", "exp": NOW + 9, "nbf": NOW + 1})), Err(AuthError::Invalid(_))));
        assert!(matches!(checked(json!({"sub": "a", "exp": NOW + 9, "nbf": "x"})), Err(AuthError::Invalid(_))));
    }

    #[test]
    fn audience_and_issuer_are_checked_where_they_are_set() {
        let expected = Expected { audience: vec!["chat".into(), "desk".into()], issuer: "https://id".into() };
        let checked = |mut claims: Value| {
            claims["sub"] = "a".into();
            claims["exp"] = (NOW + 9).into();
            let token =
                jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(b"s")).unwrap();
            verify(&token, &DecodingKey::from_secret(b"s"), Algorithm::HS256, &expected, NOW)
        };
        for aud in [json!("chat"), json!(["shop", "desk"])] {
            assert!(checked(json!({"aud": aud, "iss": "https://id"})).is_ok(), "{aud}");
        }
        for aud in [json!(null), json!("shop"), json!("cha"), json!([]), json!(["shop"]), json!(7), json!({"chat": 1})]
        {
            let refused = checked(json!({"aud": aud, "iss": "https://id"})).unwrap_err();
            assert_eq!(refused, AuthError::Invalid("it is for another audience"), "{aud}");
        }
        for iss in [json!(null), json!("https://id/"), json!(["https://id"]), json!("")] {
            let refused = checked(json!({"aud": "chat", "iss": iss})).unwrap_err();
            assert_eq!(refused, AuthError::Invalid("it is by another issuer"), "{iss}");
        }
    }

    #[test]
    fn iat_may_be_missing_or_ahead_and_is_a_time() {
        assert_eq!(checked(json!({"sub": "a", "exp": NOW + 9})).unwrap().iat, None);
        assert_eq!(checked(json!({"sub": "a", "exp": NOW + 9, "iat": NOW as f64 + 0.5})).unwrap().iat, Some(NOW));
        assert_eq!(checked(json!({"sub": "a", "exp": NOW + 9, "iat": NOW + 5})).unwrap().iat, Some(NOW + 5));
        for iat in [json!("x"), json!(-1), json!([NOW])] {
            assert!(matches!(checked(json!({"sub": "a", "exp": NOW + 9, "iat": iat})), Err(AuthError::Invalid(_))));
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        let token = |claims: Value, secret: &[u8]| {
            jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret)).unwrap()
        };
        let refused = |token: String| {
            let key = DecodingKey::from_secret(b"s");
            verify(&token, &key, Algorithm::HS256, &Expected::default(), NOW).unwrap_err()
        };
        assert_eq!(refused(token(json!({"sub": "a", "exp": NOW + 9}), b"other")), WRONG_SIGNATURE);
        let unreadable = refused(token(json!({"sub": "a", "exp": NOW + 9, "groups": "x"}), b"s"));
        assert_eq!(unreadable, AuthError::Invalid("its claims cannot be read"));
    }

    #[test]
    fn sub_is_a_text_that_is_not_empty() {
        for sub in [json!(""), json!(" "), json!(7), json!(null), json!("a\nb"), json!("a".repeat(257))] {
            assert!(matches!(checked(json!({"sub": sub, "exp": NOW + 9})), Err(AuthError::Invalid(_))), "{sub}");
        }
        assert!(matches!(checked(json!({"exp": NOW + 9})), Err(AuthError::Invalid(_))));
    }

    #[test]
    fn patterns_are_lists_of_texts_or_absent() {
        let claims = checked(json!({"sub": "a", "exp": NOW + 9, "groups": ["x*"], "aud": "other"})).unwrap();
        assert_eq!((claims.groups, claims.sessions), (Some(vec!["x*".to_owned()]), None));
        assert!(checked(json!({"sub": "a", "exp": NOW + 9, "groups": "x*"})).is_err());
        assert!(checked(json!({"sub": "a", "exp": NOW + 9, "sessions": [1]})).is_err());
    }

    #[test]
    fn another_algorithm_than_the_key_is_for_is_refused() {
        let claims = json!({"sub": "a", "exp": NOW + 9});
        assert!(matches!(checked_with(Algorithm::HS512, &claims), Err(AuthError::Invalid(_))));
    }

    #[test]
    fn unsigned_tokens_and_rubbish_have_no_header() {
        // {"alg":"none"} . {"sub":"a","exp":4102444800} .
        for token in ["eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIiwiZXhwIjo0MTAyNDQ0ODAwfQ.", "", "a.b", "a.b.c", "ü.ü.ü"] {
            assert!(matches!(header(token), Err(AuthError::Invalid(_))), "{token}");
        }
        assert!(matches!(header(&"a".repeat(20_000)), Err(AuthError::Invalid(_))));
        let mut critical = Header::new(Algorithm::HS256);
        critical.crit = Some(vec!["b64".into()]);
        let token = jsonwebtoken::encode(&critical, &json!({}), &EncodingKey::from_secret(b"s")).unwrap();
        assert!(matches!(header(&token), Err(AuthError::Invalid(_))));
    }

    #[test]
    fn a_changed_token_is_refused() {
        let claims = Claims { sub: "a".into(), exp: NOW + 9, iat: None, groups: None, sessions: None };
        let token = mint("s", &claims).unwrap();
        let key = DecodingKey::from_secret(b"s");
        assert!(verify(&token, &key, Algorithm::HS256, &Expected::default(), NOW).is_ok());
        let (signed, signature) = token.rsplit_once('.').unwrap();
        assert!(verify(&format!("{signed}x.{signature}"), &key, Algorithm::HS256, &Expected::default(), NOW).is_err());
        assert!(verify(&format!("{signed}."), &key, Algorithm::HS256, &Expected::default(), NOW).is_err());
    }
}
