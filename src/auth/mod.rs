//! Who a caller is, and what they may join.

pub mod address;
pub mod bearer;
pub mod credentials;
pub mod doors;
pub mod grant;
pub mod hook;
pub mod jwks;
pub mod jwt;
pub mod origin;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, DecodingKey};
use sophie_actors::ids::{GroupName, SessionId, UserId};
use sophie_actors::metrics::Metrics;
pub use sophie_actors::patterns;
use sophie_actors::patterns::Pattern;
use sophie_actors::repeated::Repeated;
use sophie_actors::rights::{Issued, Rights, Shown};
use sophie_actors::store::GeneralCache;

use crate::settings::{AuthMode, Settings, SettingsError};
use grant::Grant;
use hook::{CallerHeaders, Hook, Verdict};
use jwks::Jwks;
use jwt::{Claims, Expected};

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

/// Why a caller is not let in. The texts are for the client; nothing of the token is in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No token where one is needed.
    #[error("a token is needed: send it as Authorization: Bearer, as subprotocol bearer.T or as ?token=")]
    Missing,
    /// A token that is not good; the text says why.
    #[error("the token is not valid: {0}")]
    Invalid(&'static str),
    /// A token whose time has passed.
    #[error("the token has expired: get a new one")]
    Expired,
    /// The application does not know them.
    #[error("the application does not know you: log in there first")]
    Unknown,
    /// The application knows them and does not let them in.
    #[error("the application does not let you in here")]
    Forbidden,
    /// It cannot be told now: the keys cannot be fetched, or the application does not answer.
    #[error("who you are cannot be checked at the moment: try again")]
    Unavailable,
}

impl AuthError {
    /// The HTTP status: 503 where it cannot be told, 403 for who is known and not let in, else 401.
    pub fn status(self) -> u16 {
        match self {
            Self::Unavailable => 503,
            Self::Forbidden => 403,
            _ => 401,
        }
    }

    /// In the words of the log.
    fn reason(self) -> &'static str {
        match self {
            Self::Missing => "no token",
            Self::Invalid(why) => why,
            Self::Expired => "it has expired",
            Self::Unknown => "the application does not know the caller",
            Self::Forbidden => "the application does not let the caller in",
            Self::Unavailable => "it cannot be checked at the moment",
        }
    }
}

/// Anybody may be refused as often as they like.
static REFUSED: Repeated = Repeated::of(module_path!(), log::Level::Info);

/// A caller who was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who they are.
    pub user: UserId,
    /// What they have shown of what they may join; `None` for a guest.
    pub shown: Option<Shown>,
    /// The sessions that their token lets them use; `None` is any that nobody else owns. Without meaning for a guest.
    pub sessions: Option<Vec<Pattern>>,
    /// When that ends, in Unix seconds: from this second on it is over.
    pub expires_at: Option<u64>,
    /// What the application says of them, for the model.
    pub context: Option<String>,
    /// Whether nobody had to say who they are (mode none).
    pub guest: bool,
}

/// Whether a caller may use a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionRule {
    /// Yes, whoever owns it.
    Allowed,
    /// No.
    Refused,
    /// Yes, unless another user owns it; who owns nothing yet becomes the owner.
    IfUnowned,
}

impl Identity {
    fn guest(session: &SessionId) -> Self {
        Self { user: UserId::guest(session), shown: None, sessions: None, expires_at: None, context: None, guest: true }
    }

    fn from_claims(claims: Claims, context: Option<String>) -> Self {
        Self {
            user: UserId::from(claims.sub.as_str()),
            shown: Some(Shown {
                rights: Rights::to(&claims.groups.unwrap_or_default()),
                issued: claims.iat.map_or_else(|| Issued::Now(unix_now()), Issued::At),
                until: Some(claims.exp),
            }),
            sessions: claims.sessions.map(patterns),
            expires_at: Some(claims.exp),
            context,
            guest: false,
        }
    }

    fn from_grant(grant: Grant) -> Self {
        let issued = grant.issued();
        Self {
            user: UserId::from(grant.user.as_str()),
            shown: Some(Shown {
                rights: Rights::to(&grant.groups.unwrap_or_default()),
                issued,
                until: grant.expires_at,
            }),
            sessions: grant.sessions.map(patterns),
            expires_at: grant.expires_at,
            context: grant.context,
            guest: false,
        }
    }

    /// Whether a session `own` of this caller may join a group by what this caller has shown: its home group always. A guest joins any
    /// but other sessions' home groups; a token what its patterns match.
    pub fn may_join(&self, group: &GroupName, own: &SessionId) -> bool {
        if group == &own.home() {
            return true;
        }
        self.shown.as_ref().map_or(group.home_of().is_none(), |shown| shown.rights.allow(group, own))
    }

    /// Whether this caller may use a session.
    pub fn session_rule(&self, session: &SessionId) -> SessionRule {
        match &self.sessions {
            _ if self.guest => SessionRule::Allowed,
            None => SessionRule::IfUnowned,
            Some(patterns) if patterns.iter().any(|pattern| pattern.matches(session.as_str())) => SessionRule::Allowed,
            Some(_) => SessionRule::Refused,
        }
    }
}

fn patterns(texts: Vec<String>) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern::from(text.as_str())).collect()
}

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
pub enum Ask {
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
                        "auth.jwks_url stands without auth.audience: tokens that its issuer made for other \
                         applications come in here too"
                    );
                }
                By::Tokens(Box::new(TokenKeys { expected, secret, jwks }), hook)
            }
        }))
    }

    /// Who the caller is. Also for a caller who is already in and shows something new: whether its user is still the same is for
    /// the session to compare.
    pub async fn authenticate(&self, credentials: Credentials, ask: Ask) -> Result<Identity, AuthError> {
        let identity = self.identify(&credentials, ask).await;
        if let Err(error) = &identity {
            let Credentials { session, address, .. } = &credentials;
            REFUSED.log(error.reason(), || {
                let asked = match &self.0 {
                    By::Application(hook) => format!(" hook={}", hook.url()),
                    _ => String::new(),
                };
                let reason = error.reason();
                format!("event=caller_refused reason=\"{reason}\" address={address} session={session}{asked}")
            });
        }
        identity
    }

    async fn identify(&self, credentials: &Credentials, ask: Ask) -> Result<Identity, AuthError> {
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

async fn ask_application(hook: &Hook, credentials: &Credentials, ask: Ask) -> Verdict {
    let headers = credentials.for_the_application();
    match ask {
        Ask::Kept => hook.ask(&credentials.session, credentials.address, &headers).await,
        Ask::Anew => hook.ask_anew(&credentials.session, credentials.address, &headers).await,
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

/// Seconds since 1970, as tokens count.
pub fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs())
}

#[cfg(test)]
pub(crate) mod tests {
    use sophie_actors::store::memory;
    use sophie_kit::stores::memory_options;

    use super::*;
    use crate::settings::tests::load;

    /// An authenticator that keeps what it learns in memory.
    pub fn authenticator(settings: &Settings) -> Authenticator {
        Authenticator::from(settings, memory::stores(memory_options()).general, Metrics::new()).unwrap()
    }

    fn session(name: &str) -> SessionId {
        SessionId::parse(name).unwrap()
    }

    fn group(name: &str) -> GroupName {
        GroupName::parse(name).unwrap()
    }

    async fn ask(environment: &[(&str, &str)], token: Option<&str>) -> Result<Identity, AuthError> {
        let authenticator = authenticator(&load(environment).unwrap().settings);
        let (token, address) = (token.map(str::to_owned), "127.0.0.1".parse().unwrap());
        let headers = CallerHeaders::default();
        authenticator.authenticate(Credentials { token, session: session("s1"), address, headers }, Ask::Kept).await
    }

    const JWT: &[(&str, &str)] = &[("SOPHIE__AUTH__MODE", "jwt"), ("SOPHIE__AUTH__JWT_SECRET", "a secret of tests")];

    fn token(groups: Option<&[&str]>, sessions: Option<&[&str]>) -> String {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let claims = Claims {
            sub: "alice".into(),
            exp: unix_now() + 60,
            iat: None,
            groups: groups.map(texts),
            sessions: sessions.map(texts),
        };
        jwt::mint("a secret of tests", &claims).unwrap()
    }

    #[tokio::test]
    async fn without_accounts_everyone_is_the_guest_of_their_session() {
        let guest = ask(&[], None).await.unwrap();
        assert_eq!(guest.user.as_str(), "guest:s1");
        assert_eq!(guest.expires_at, None);
        assert_eq!(guest.session_rule(&session("s1")), SessionRule::Allowed);
        assert!(guest.may_join(&group("team-7"), &session("s1")));
        assert!(guest.may_join(&group("chat_s1"), &session("s1")));
        assert!(!guest.may_join(&group("chat_s2"), &session("s1")));
    }

    #[tokio::test]
    async fn a_token_says_who_and_what() {
        let alice = ask(JWT, Some(&token(Some(&["team-*", "chat_s9"]), Some(&["s?"])))).await.unwrap();
        assert_eq!(alice.user.as_str(), "alice");
        assert!(alice.expires_at.unwrap() > unix_now());
        assert!(alice.may_join(&group("team-7"), &session("s1")));
        assert!(alice.may_join(&group("chat_s1"), &session("s1")));
        assert!(alice.may_join(&group("chat_s9"), &session("s1")), "the token says so");
        assert!(!alice.may_join(&group("chat_s2"), &session("s1")));
        assert!(!alice.may_join(&group("other"), &session("s1")));
        let all = ask(JWT, Some(&token(Some(&["*"]), None))).await.unwrap();
        assert!(all.may_join(&group("other"), &session("s1")));
        assert!(!all.may_join(&group("chat_s9"), &session("s1")), "a star opens no home group");
        assert_eq!(alice.session_rule(&session("s1")), SessionRule::Allowed);
        assert_eq!(alice.session_rule(&session("s10")), SessionRule::Refused);
    }

    #[tokio::test]
    async fn a_token_without_patterns_gives_home_groups_and_unowned_sessions() {
        let alice = ask(JWT, Some(&token(None, None))).await.unwrap();
        assert!(alice.may_join(&group("chat_s1"), &session("s1")));
        assert!(!alice.may_join(&group("team-7"), &session("s1")));
        assert_eq!(alice.session_rule(&session("s1")), SessionRule::IfUnowned);
        let nobody = ask(JWT, Some(&token(Some(&[]), Some(&[])))).await.unwrap();
        assert_eq!(nobody.session_rule(&session("s1")), SessionRule::Refused);
    }

    #[tokio::test]
    async fn no_token_and_a_foreign_token_are_refused() {
        assert_eq!(ask(JWT, None).await, Err(AuthError::Missing));
        assert_eq!(ask(JWT, Some("")).await, Err(AuthError::Missing));
        assert!(matches!(ask(JWT, Some("rubbish")).await, Err(AuthError::Invalid(_))));
        let claims = Claims { sub: "a".into(), exp: unix_now() + 60, iat: None, groups: None, sessions: None };
        let foreign = jwt::mint("another secret", &claims).unwrap();
        assert!(matches!(ask(JWT, Some(&foreign)).await, Err(AuthError::Invalid(_))));
        assert_eq!(AuthError::Unavailable.status(), 503);
        assert_eq!(
            [AuthError::Missing, AuthError::Unknown, AuthError::Forbidden].map(AuthError::status),
            [401, 401, 403]
        );
    }
}
