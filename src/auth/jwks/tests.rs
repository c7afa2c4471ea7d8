//! Keys from an issuer that answers as it is told.

use std::sync::atomic::{AtomicUsize, Ordering};

use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::tests::authenticator;
use super::super::{Authenticator, Credentials, Freshness, Identity};
use super::*;
use crate::auth::jwt::{self, Claims};
use crate::auth::unix_now;
use crate::settings::Settings;
use crate::settings::tests::load;

const RSA: &str = include_str!("../test_keys/rsa.pem");
const P256: &str = include_str!("../test_keys/p256.pem");
const P384: &str = include_str!("../test_keys/p384.pem");
const ED25519: &str = include_str!("../test_keys/ed25519.pem");

const PATIENT: Pace = Pace { between: Duration::from_secs(3600), ..PACE };
const EAGER: Pace = Pace { between: Duration::ZERO, before_first: Duration::ZERO, fresh: Duration::from_secs(3600) };

fn signer(algorithm: Algorithm) -> EncodingKey {
    match algorithm {
        Algorithm::ES256 => EncodingKey::from_ec_pem(P256.as_bytes()),
        Algorithm::ES384 => EncodingKey::from_ec_pem(P384.as_bytes()),
        Algorithm::EdDSA => EncodingKey::from_ed_pem(ED25519.as_bytes()),
        _ => EncodingKey::from_rsa_pem(RSA.as_bytes()),
    }
    .unwrap()
}

/// The public key as issuers publish it, without `alg`, which many leave out.
fn public(kid: &str, algorithm: Algorithm) -> Value {
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&signer(algorithm), algorithm).unwrap()).unwrap();
    let fields = jwk.as_object_mut().unwrap();
    fields.remove("alg");
    fields.insert("kid".into(), kid.into());
    jwk
}

fn signed(kid: Option<&str>, algorithm: Algorithm) -> String {
    let mut header = Header::new(algorithm);
    header.kid = kid.map(str::to_owned);
    let claims = json!({"sub": "alice", "exp": unix_now() + 60});
    jsonwebtoken::encode(&header, &claims, &signer(algorithm)).unwrap()
}

/// An HTTP server that counts, and answers what it was told last.
struct Issuer {
    url: ServiceUrl,
    answer: Arc<Mutex<(u16, String)>>,
    asked: Arc<AtomicUsize>,
}

impl Issuer {
    async fn with(keys: &[Value]) -> Self {
        crate::tls::install();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap()).into();
        let answer = Arc::new(Mutex::new((200, json!({ "keys": keys }).to_string())));
        let asked = Arc::new(AtomicUsize::new(0));
        let (told, count) = (answer.clone(), asked.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await.unwrap());
                }
                count.fetch_add(1, Ordering::SeqCst);
                let (status, body) = told.lock().unwrap().clone();
                let head =
                    format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                // Whoever has read enough may be gone.
                let _written = stream.write_all(format!("{head}{body}").as_bytes()).await;
            }
        });
        Self { url, answer, asked }
    }

    fn publish(&self, status: u16, body: String) {
        *self.answer.lock().unwrap() = (status, body);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn settings(url: &ServiceUrl) -> Settings {
    let environment = [("SOPHIE__AUTH__MODE", "jwt"), ("SOPHIE__AUTH__JWKS_URL", url.as_str())];
    load(&environment).unwrap().settings
}

async fn ask(authenticator: &Authenticator, token: String) -> Result<Identity, AuthError> {
    let session = sophie_actors::ids::SessionId::parse("s1").unwrap();
    let (address, headers) = ("127.0.0.1".parse().unwrap(), Default::default());
    let credentials = Credentials { token: Some(token), session, address, headers };
    tokio::time::timeout(Duration::from_secs(10), authenticator.authenticate(credentials, Freshness::Kept))
        .await
        .unwrap()
}

#[tokio::test]
async fn tokens_of_every_kind_of_key_are_accepted() {
    use Algorithm::{ES256, ES384, EdDSA, PS256, RS256, RS512};
    let kinds = [("r", RS256), ("r", RS512), ("r", PS256), ("a", ES256), ("b", ES384), ("c", EdDSA)];
    let unusable = [json!({"kty": "AKP", "kid": "x"}), json!({"kty": "oct", "kid": "o", "k": "c2VjcmV0"}), json!(7)];
    let mut keys = unusable.to_vec();
    keys.extend([public("r", RS256), public("a", ES256), public("b", ES384), public("c", EdDSA)]);
    let issuer = Issuer::with(&keys).await;
    let authenticator = authenticator(&settings(&issuer.url));
    for (kid, algorithm) in kinds {
        let identity = ask(&authenticator, signed(Some(kid), algorithm)).await;
        assert_eq!(identity.map(|identity| identity.user.to_string()).as_deref(), Ok("alice"), "{algorithm:?}");
    }
    assert!(ask(&authenticator, signed(None, ES384)).await.is_ok(), "without a key id the one that fits is tried");
    assert_eq!(issuer.asked(), 1, "the keys are kept");
}

#[tokio::test]
async fn a_key_is_used_for_what_it_is_only() {
    let key = public("r", Algorithm::RS256);
    let mut encrypting = public("e", Algorithm::ES256);
    encrypting["use"] = "enc".into();
    let mut bound = public("b", Algorithm::RS256);
    bound["alg"] = "RS512".into();
    let issuer = Issuer::with(&[key.clone(), encrypting, bound]).await;
    let authenticator = authenticator(&settings(&issuer.url));
    let refused = async |token| matches!(ask(&authenticator, token).await, Err(AuthError::Invalid(_)));

    let claims = json!({"sub": "mallory", "exp": unix_now() + 60});
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("r".into());
    let modulus = key["n"].as_str().unwrap();
    let forged = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(modulus.as_bytes())).unwrap();
    assert!(refused(forged).await, "a public key is no HMAC secret");
    assert!(refused(signed(Some("r"), Algorithm::ES256)).await, "the algorithm does not fit the key");
    assert!(refused(signed(Some("e"), Algorithm::ES256)).await, "a key for encryption verifies nothing");
    assert!(refused(signed(Some("b"), Algorithm::RS256)).await, "the key is bound to another algorithm");
    assert!(ask(&authenticator, signed(Some("b"), Algorithm::RS512)).await.is_ok());
    let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIiwiZXhwIjo0MTAyNDQ0ODAwfQ.".to_owned();
    assert!(refused(unsigned).await);
}

#[tokio::test]
async fn a_secret_and_public_keys_may_be_used_side_by_side() {
    let issuer = Issuer::with(&[public("r", Algorithm::RS256)]).await;
    let environment = [
        ("SOPHIE__AUTH__MODE", "jwt"),
        ("SOPHIE__AUTH__JWKS_URL", issuer.url.as_str()),
        ("SOPHIE__AUTH__JWT_SECRET", "shared"),
    ];
    let authenticator = authenticator(&load(&environment).unwrap().settings);
    let claims = Claims { sub: "bob".into(), exp: unix_now() + 60, iat: None, groups: None, sessions: None };
    assert!(ask(&authenticator, jwt::mint("shared", &claims).unwrap()).await.is_ok());
    assert_eq!(issuer.asked(), 0);
    assert!(ask(&authenticator, signed(Some("r"), Algorithm::RS256)).await.is_ok());
}

#[tokio::test]
async fn an_unknown_key_id_is_looked_up_but_not_over_and_over() {
    let issuer = Issuer::with(&[public("old", Algorithm::ES256)]).await;
    let eager = Jwks::paced(&issuer.url, EAGER).unwrap();
    assert!(eager.keys(Some("old"), Algorithm::ES256).await.is_ok());
    issuer.publish(200, json!({"keys": [public("new", Algorithm::ES256)]}).to_string());
    assert!(eager.keys(Some("new"), Algorithm::ES256).await.is_ok(), "the issuer has changed its key");
    assert_eq!(issuer.asked(), 2);

    let patient = Jwks::paced(&issuer.url, PATIENT).unwrap();
    assert!(patient.keys(Some("new"), Algorithm::ES256).await.is_ok());
    for kid in ["made", "up", "ids"] {
        assert!(matches!(patient.keys(Some(kid), Algorithm::ES256).await, Err(AuthError::Invalid(_))));
    }
    assert_eq!(issuer.asked(), 3);
}

#[tokio::test]
async fn many_who_ask_at_once_share_one_fetch() {
    let issuer = Issuer::with(&[public("r", Algorithm::ES256)]).await;
    let jwks = Jwks::paced(&issuer.url, EAGER).unwrap();
    let all = futures_util::future::join_all((0..20).map(|_| jwks.keys(Some("r"), Algorithm::ES256))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn keys_outlast_an_issuer_that_is_down() {
    let issuer = Issuer::with(&[public("r", Algorithm::ES256)]).await;
    let stale_at_once = Pace { fresh: Duration::ZERO, ..EAGER };
    let jwks = Jwks::paced(&issuer.url, stale_at_once).unwrap();
    assert!(jwks.keys(Some("r"), Algorithm::ES256).await.is_ok());
    for (status, body) in [(500, "{}".to_owned()), (200, "rubbish".to_owned()), (200, "x".repeat(MAX_BYTES + 1))] {
        issuer.publish(status, body);
        let before = issuer.asked();
        assert!(jwks.keys(Some("r"), Algorithm::ES256).await.is_ok());
        assert_eq!(issuer.asked(), before + 1, "it was asked in vain");
        assert_eq!(jwks.keys(Some("other"), Algorithm::ES256).await.err(), Some(AuthError::Unavailable));
    }
}

#[tokio::test]
async fn without_any_key_it_cannot_be_told() {
    let issuer = Issuer::with(&[]).await;
    let authenticator = authenticator(&settings(&issuer.url));
    assert_eq!(ask(&authenticator, signed(Some("r"), Algorithm::ES256)).await, Err(AuthError::Unavailable));
    assert_eq!(ask(&authenticator, signed(Some("r"), Algorithm::ES256)).await, Err(AuthError::Unavailable));
    assert_eq!(issuer.asked(), 1, "not asked again at once");
}
