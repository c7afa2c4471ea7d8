//! The application decides who comes in: it is asked by HTTP, with what the caller's browser sent, and its answers are
//! kept in the general cache.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header;
use reqwest::redirect::Policy;
use serde_json::json;
use sha2::{Digest, Sha256};
use sophie_actors::ids::{RequestId, SessionId, hex};
use sophie_actors::metrics::Metrics;
use sophie_actors::store::GeneralCache;
use tokio::time::{Instant, timeout};

use super::grant::{Grant, GrantEntry};
use super::unix_now;
use crate::settings::{ServiceUrl, Settings, SettingsError};
use crate::trace_context;

/// How long the application has for its whole answer, a second try on a connection that it had closed included.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes of the largest answer.
const MAX_BYTES: usize = 64 * 1024;

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
        Some(format!("sophie:hook:{}", hex(digest)))
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

/// A kept answer that ends within so many seconds is asked for anew: who came in by it would be shown out at once, and told not to come
/// back, though the application lets them in.
const ENDS_SOON: u64 = 1;

/// The application's door.
pub struct Hook {
    url: ServiceUrl,
    cookies: Vec<String>,
    client: reqwest::Client,
    cache: Arc<dyn GeneralCache>,
    keep_seconds: u64,
    asking: Asking,
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
        Ok(Self { url, cookies, client, cache, keep_seconds, asking: Asking::default(), metrics })
    }

    /// Its address; prints without credentials.
    pub fn url(&self) -> &ServiceUrl {
        &self.url
    }

    /// What the application says of a caller in a session, or said a short while ago.
    pub async fn ask(&self, session: &SessionId, address: IpAddr, headers: &CallerHeaders) -> Verdict {
        let Some(entry) = headers.entry(&self.cookies) else { return self.request(session, address, headers).await };
        if let Some(grant) = self.kept_grant(&entry, session).await {
            return Verdict::Granted(grant);
        }
        let turn = self.asking.turn(&entry, session);
        let _turn = turn.wait().await;
        match self.kept_grant(&entry, session).await {
            Some(grant) => Verdict::Granted(grant),
            None => self.ask_and_keep(&entry, session, address, headers).await,
        }
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
        match &verdict {
            Verdict::Granted(grant) => {
                // Another session's answer that is kept in the same moment may get lost: that one is asked for again.
                let mut kept = self.kept(entry).await;
                kept.take_in(session, grant, self.keep_seconds);
                self.keep(entry, &kept).await;
            }
            // Who has logged out must not come in by what was said before.
            Verdict::Unknown | Verdict::Forbidden => {
                let mut kept = self.kept(entry).await;
                let known = kept.clone();
                kept.forget(session, verdict == Verdict::Unknown);
                if kept != known {
                    self.keep(entry, &kept).await;
                }
            }
            Verdict::Unavailable => {}
        }
        verdict
    }

    async fn keep(&self, entry: &str, kept: &GrantEntry) {
        // An entry that is over at once takes the place of the one before.
        if let Err(error) = self.cache.set(entry, &json!(kept), kept.seconds_left().max(1)).await {
            log::debug!(error:%; "an answer of the hook was not kept");
        }
    }

    async fn kept_grant(&self, entry: &str, session: &SessionId) -> Option<Grant> {
        let grant = self.kept(entry).await.grant_of(session).cloned()?;
        if grant.expires_at.is_some_and(|at| at <= unix_now() + ENDS_SOON) {
            return None;
        }
        self.count("cached");
        Some(grant)
    }

    /// What is kept of a caller.
    async fn kept(&self, entry: &str) -> GrantEntry {
        let (started, general) = (Instant::now(), &self.metrics.dependencies.general);
        match self.cache.get(entry).await {
            Ok(value) => {
                general.worked();
                value.map(GrantEntry::read).unwrap_or_default()
            }
            Err(error) => {
                log::debug!(error:%; "the general cache was not read");
                general.failed(started, &error.to_string());
                GrantEntry::default()
            }
        }
    }

    async fn request(&self, session: &SessionId, address: IpAddr, headers: &CallerHeaders) -> Verdict {
        let started = Instant::now();
        let span = RequestId::span().begin_client("auth.hook");
        let exchange = RequestId::within(RequestId::current_under(&span), self.exchange(session, address, headers));
        let asked = timeout(TIMEOUT, exchange).await;
        let verdict = asked.unwrap_or_else(|_| Err(format!("no answer within {} s", TIMEOUT.as_secs())));
        match &verdict {
            Ok(_) => self.metrics.dependencies.hook.worked(),
            Err(reason) => {
                span.fail("unavailable");
                let reason = format!("POST {}: {reason}", self.url);
                self.metrics.dependencies.hook.failed(started, &reason);
            }
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
        // With its causes: "error sending request" alone helps nobody. The address stands before it.
        let said = |error: reqwest::Error| {
            let error = error.without_url();
            let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
            causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
        };
        let body = json!({"session": session, "address": address, "origin": headers.origin});
        let send = || {
            let mut request = trace_context::tell(self.client.post(self.url.as_str()).json(&body));
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

/// Who is being asked about: equal questions at once are asked once.
#[derive(Default)]
struct Asking(Mutex<HashMap<Question, Arc<tokio::sync::Mutex<()>>>>);

/// A caller's entry, and the session that is asked about.
type Question = (String, SessionId);

impl Asking {
    fn turn(&self, entry: &str, session: &SessionId) -> Turn<'_> {
        let key = (entry.to_owned(), session.clone());
        let mut asking = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = asking.entry(key.clone()).or_default().clone();
        Turn { asking: self, key, lock }
    }
}

/// A place among those who ask the same. Given up also by whoever goes away while they wait.
struct Turn<'a> {
    asking: &'a Asking,
    key: Question,
    lock: Arc<tokio::sync::Mutex<()>>,
}

impl Turn<'_> {
    async fn wait(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.lock.lock().await
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut asking = self.asking.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's and ours: nobody else waits.
        if Arc::strong_count(&self.lock) <= 2 {
            asking.remove(&self.key);
        }
    }
}

mod trial;

#[cfg(test)]
mod tests;
