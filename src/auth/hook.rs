//! The application decides who comes in: it is asked by HTTP, with what the caller's browser sent, and its answers are
//! kept in the general cache.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header;
use reqwest::redirect::Policy;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use sophie_actors::ids::SessionId;
use sophie_actors::metrics::Metrics;
use sophie_actors::store::GeneralCache;
use tokio::time::{Instant, timeout};

use super::unix_now;
use crate::settings::{ServiceUrl, Settings, SettingsError};

/// How long the application has for its whole answer, a second try on a connection that it had closed included.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes of the largest answer.
const MAX_BYTES: usize = 64 * 1024;
/// Characters of the longest context: what is more is cut. It goes with every question.
const MAX_CONTEXT_CHARS: usize = 8_000;
/// Characters of the longest user: it becomes part of Redis keys.
const MAX_USER_CHARS: usize = 256;

/// What a caller's browser sent.
#[derive(Debug, Clone, Default)]
pub struct CallerHeaders {
    /// `Cookie`
    pub cookie: Option<String>,
    /// `Authorization`; a token that came another way stands here as a bearer's.
    pub authorization: Option<String>,
    /// `Origin`
    pub origin: Option<String>,
}

impl CallerHeaders {
    /// The name of its entry in the general cache; none for a caller who shows nothing. `cookies` are those that count; all
    /// if there are none.
    fn entry(&self, cookies: &[String]) -> Option<String> {
        // Sorted: browsers send the same cookies in different orders, by their paths and when each was set.
        let mut shown: Vec<&str> = self.cookie.as_deref().unwrap_or_default().split(';').map(str::trim).collect();
        shown.retain(|pair| {
            let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
            !pair.is_empty() && (cookies.is_empty() || cookies.iter().any(|it| it == name))
        });
        shown.sort_unstable();
        let (cookie, authorization) = (shown.join("; "), self.authorization.as_deref().unwrap_or_default());
        if cookie.is_empty() && authorization.is_empty() {
            return None;
        }
        let digest = Sha256::digest(format!("{cookie}\n{authorization}"));
        Some(digest.iter().fold("sophie:hook:".to_owned(), |name, byte| format!("{name}{byte:02x}")))
    }
}

/// What the application says of a caller. Also the form of an entry of the cache, where `expires_at` stands for `expires_in`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Who it is.
    #[serde(deserialize_with = "user")]
    pub user: String,
    /// Patterns of groups that may be joined; none: home groups only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// Patterns of sessions that may be used; none: any that nobody else owns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<Vec<String>>,
    /// What the model is told of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Seconds from the answer on that it holds.
    #[serde(default, skip_serializing)]
    expires_in: Option<u64>,
    /// When it ends, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

/// A user is a text, or a number as Django's primary keys are.
fn user<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum User {
        Text(String),
        Number(u64),
    }
    let user = match User::deserialize(from)? {
        User::Text(text) => text,
        User::Number(number) => number.to_string(),
    };
    let legal = !user.trim().is_empty() && user.chars().count() <= MAX_USER_CHARS;
    if legal { Ok(user) } else { Err(serde::de::Error::custom("user must be 1 to 256 characters")) }
}

impl Grant {
    fn read(json: &[u8]) -> Result<Self, String> {
        let mut grant: Self =
            serde_json::from_slice(json).map_err(|error| format!("not the JSON it must be: {error}"))?;
        grant.settle();
        Ok(grant)
    }

    /// Gives it its end as a point in time, and its context a length that a model can be told.
    fn settle(&mut self) {
        if let Some(seconds) = self.expires_in.take() {
            self.expires_at = Some(unix_now().saturating_add(seconds));
        }
        if let Some((cut, _)) = self.context.as_deref().and_then(|text| text.char_indices().nth(MAX_CONTEXT_CHARS)) {
            log::warn!("event=hook_context_cut user={:?} limit_chars={MAX_CONTEXT_CHARS}", self.user);
            self.context.as_mut().into_iter().for_each(|text| text.truncate(cut));
        }
    }

    fn seconds_left(&self) -> Option<u64> {
        self.expires_at.map(|at| at.saturating_sub(unix_now()))
    }
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Let in.
    Granted(Grant),
    /// 401: not known.
    Unknown,
    /// 403: known, and not let in.
    Forbidden,
    /// The application did not answer, or not as it should.
    Unavailable,
}

/// The application's door.
pub struct Hook {
    url: ServiceUrl,
    cookies: Vec<String>,
    client: reqwest::Client,
    cache: Arc<dyn GeneralCache>,
    keep_seconds: u64,
    /// Who is being asked about: equal questions at once are asked once.
    asking: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    metrics: Metrics,
}

impl Hook {
    /// The hook of the settings.
    pub fn from(settings: &Settings, cache: Arc<dyn GeneralCache>, metrics: Metrics) -> Result<Self, SettingsError> {
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            // Application servers close idle connections after a few seconds, gunicorn after two.
            .pool_idle_timeout(Duration::from_secs(1))
            .build()
            .map_err(|error| SettingsError::new("auth.hook_url", format!("no HTTP client for it: {error}")))?;
        let keep_seconds = settings.general_cache.ttl_seconds;
        metrics.dependencies.hook.in_use();
        let (url, cookies) = (settings.auth.hook_url.clone(), settings.auth.hook_cookies.clone());
        Ok(Self { url, cookies, client, cache, keep_seconds, asking: Mutex::default(), metrics })
    }

    /// What the application says of a caller, or said a short while ago.
    pub async fn ask(&self, session: &SessionId, address: IpAddr, headers: &CallerHeaders) -> Verdict {
        let Some(entry) = headers.entry(&self.cookies) else { return self.request(session, address, headers).await };
        if let Some(kept) = self.kept(&entry).await {
            return Verdict::Granted(kept);
        }
        let turn = self.turn(&entry);
        let verdict = {
            let _turn = turn.lock().await;
            match self.kept(&entry).await {
                Some(kept) => Verdict::Granted(kept),
                None => self.ask_and_keep(&entry, session, address, headers).await,
            }
        };
        self.end_turn(&entry, turn);
        verdict
    }

    /// What the application says now, whatever it said before.
    pub async fn ask_anew(&self, session: &SessionId, address: IpAddr, headers: &CallerHeaders) -> Verdict {
        match headers.entry(&self.cookies) {
            Some(entry) => self.ask_and_keep(&entry, session, address, headers).await,
            None => self.request(session, address, headers).await,
        }
    }

    async fn ask_and_keep(
        &self,
        entry: &str,
        session: &SessionId,
        address: IpAddr,
        headers: &CallerHeaders,
    ) -> Verdict {
        let verdict = self.request(session, address, headers).await;
        if let Verdict::Granted(grant) = &verdict {
            let seconds = grant.seconds_left().map_or(self.keep_seconds, |left| left.min(self.keep_seconds));
            if seconds > 0
                && let Err(error) = self.cache.set(entry, &json!(grant), seconds).await
            {
                log::debug!("hook answer not kept error={error}");
            }
        }
        verdict
    }

    async fn kept(&self, entry: &str) -> Option<Grant> {
        let (started, general) = (Instant::now(), &self.metrics.dependencies.general);
        let value = match self.cache.get(entry).await {
            Ok(value) => {
                general.worked();
                value?
            }
            Err(error) => {
                log::debug!("general cache not read error={error}");
                general.failed(started, &error.to_string());
                return None;
            }
        };
        // The application may have written it itself: what is not a grant is no answer.
        let mut grant: Grant = serde_json::from_value(value).ok()?;
        grant.settle();
        let good = grant.seconds_left() != Some(0);
        good.then(|| {
            self.count("cached");
            grant
        })
    }

    fn turn(&self, entry: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        asking.entry(entry.to_owned()).or_default().clone()
    }

    fn end_turn(&self, entry: &str, turn: Arc<tokio::sync::Mutex<()>>) {
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's and ours: nobody else waits.
        if Arc::strong_count(&turn) <= 2 {
            asking.remove(entry);
        }
    }

    async fn request(&self, session: &SessionId, address: IpAddr, headers: &CallerHeaders) -> Verdict {
        let started = Instant::now();
        let asked = timeout(TIMEOUT, self.exchange(session, address, headers)).await;
        let verdict = asked.unwrap_or_else(|_| Err(format!("no answer within {} s", TIMEOUT.as_secs())));
        match &verdict {
            Ok(_) => self.metrics.dependencies.hook.worked(),
            Err(reason) => self.metrics.dependencies.hook.failed(started, reason),
        }
        let verdict = verdict.unwrap_or(Verdict::Unavailable);
        self.count(match verdict {
            Verdict::Granted(_) => "granted",
            Verdict::Unknown | Verdict::Forbidden => "refused",
            Verdict::Unavailable => "failed",
        });
        verdict
    }

    async fn exchange(&self, session: &SessionId, address: IpAddr, headers: &CallerHeaders) -> Result<Verdict, String> {
        let said = |error: reqwest::Error| error.without_url().to_string();
        let body = json!({"session": session, "address": address, "origin": headers.origin});
        let send = || {
            let mut request = self.client.post(self.url.as_str()).json(&body);
            for (name, value) in [(header::COOKIE, &headers.cookie), (header::AUTHORIZATION, &headers.authorization)] {
                if let Some(value) = value {
                    request = request.header(name, value);
                }
            }
            request.send()
        };
        let mut answer = match send().await {
            // A connection that was kept and that the application has just closed: asking again is free of consequences.
            Err(error) if error.is_request() && !error.is_connect() => send().await.map_err(said)?,
            answer => answer.map_err(said)?,
        };
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED => return Ok(Verdict::Unknown),
            StatusCode::FORBIDDEN => return Ok(Verdict::Forbidden),
            status => return Err(format!("status {status}; 200, 401 or 403 is expected")),
        }
        let mut json = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(said)? {
            if json.len() + piece.len() > MAX_BYTES {
                return Err(format!("more than {MAX_BYTES} bytes"));
            }
            json.extend_from_slice(&piece);
        }
        Grant::read(&json).map(Verdict::Granted)
    }

    fn count(&self, outcome: &str) {
        self.metrics.hook_requests.with_label_values(&[outcome]).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_django_writes_them() {
        let grant = |json: &str| Grant::read(json.as_bytes());
        assert_eq!(grant(r#"{"user": 7}"#).unwrap().user, "7");
        let full = grant(r#"{"user":"a","groups":["team-*"],"sessions":[],"context":"c","expires_in":60,"more":1}"#);
        let full = full.unwrap();
        assert_eq!((full.groups, full.sessions), (Some(vec!["team-*".to_owned()]), Some(vec![])));
        assert!(full.expires_at.is_some_and(|at| at >= unix_now() + 59));
        for wrong in ["", "[]", "{}", r#"{"user":""}"#, r#"{"user":null}"#, r#"{"user":"a","groups":"x"}"#] {
            assert!(grant(wrong).is_err(), "{wrong}");
        }
        assert!(grant(&format!(r#"{{"user":"{}"}}"#, "u".repeat(257))).is_err());
    }

    #[test]
    fn a_long_context_is_cut_between_characters() {
        let json = json!({"user": "a", "context": "ä".repeat(MAX_CONTEXT_CHARS + 1)}).to_string();
        let grant = Grant::read(json.as_bytes()).unwrap();
        assert_eq!(grant.context.map(|text| text.chars().count()), Some(MAX_CONTEXT_CHARS));
    }

    #[test]
    fn what_is_kept_has_its_end_as_a_point_in_time() {
        let grant = Grant::read(br#"{"user":"a","expires_in":60}"#).unwrap();
        let kept = json!(grant);
        assert!(kept.get("expires_in").is_none() && kept["expires_at"].is_u64(), "{kept}");
        assert_eq!(serde_json::from_value::<Grant>(kept).unwrap(), grant);
    }

    #[test]
    fn the_entry_is_what_a_django_site_computes() {
        // python3 -c 'import hashlib; print(hashlib.sha256(b"sessionid=abc\n").hexdigest())'
        let digest = "a8299ef464d6e6a999655481d6258b9ea395ec84d6a5e0ce8ad2f0ccdb678b69";
        let headers = CallerHeaders { cookie: Some("sessionid=abc".into()), ..CallerHeaders::default() };
        assert_eq!(headers.entry(&[]), Some(format!("sophie:hook:{digest}")));
        assert_eq!(CallerHeaders::default().entry(&[]), None);
    }

    #[test]
    fn the_order_of_cookies_does_not_matter_and_only_those_that_count_do() {
        let entry = |cookie: &str, count: &[&str]| {
            let headers = CallerHeaders { cookie: Some(cookie.into()), ..CallerHeaders::default() };
            headers.entry(&count.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(entry("b=2; a=1", &[]), entry("a=1;b=2", &[]));
        assert_ne!(entry("a=1; b=2", &[]), entry("a=1", &[]));
        assert_eq!(entry("_ga=9; sessionid=abc; theme=dark", &["sessionid"]), entry("sessionid=abc", &[]));
        assert_ne!(entry("sessionid=abd", &["sessionid"]), entry("sessionid=abc", &["sessionid"]));
        assert_eq!(entry("theme=dark; xsessionid=abc", &["sessionid"]), None, "shows nothing that counts");
    }
}
