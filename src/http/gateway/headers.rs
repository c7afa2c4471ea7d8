//! The headers of the gateway: what a caller wishes of the cache, and what is told of cache and limits.

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use sophie_actors::admission::{Quota, Remaining};
use sophie_actors::answers::{GenerationOrigin, Reuse};
use sophie_actors::protocol::CacheStatus;

use super::GatewayError;
use super::sharing::Wishes;

const TTL: HeaderName = HeaderName::from_static("x-sophie-cache-ttl");
const RESUME: HeaderName = HeaderName::from_static("x-sophie-resume");
const CACHE: HeaderName = HeaderName::from_static("x-sophie-cache");
const REQUESTS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
const TOKENS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

/// The longest that an answer can be kept, in seconds: a year, as in the settings.
const LONGEST_TTL: u64 = 31_536_000;

/// What a request wishes of the cache: `Cache-Control: no-cache`, `no-store` and `max-age`, `x-sophie-cache-ttl: SECONDS`.
///
/// # Errors
/// The time is not one.
pub fn wishes(headers: &HeaderMap) -> Result<Wishes, GatewayError> {
    let (mut reuse, mut asks) = (Reuse::FREE, false);
    let values = headers.get_all(header::CACHE_CONTROL).filter_map(|value| value.to_str().ok());
    for directive in values.flat_map(|value| value.split(',')).map(str::trim) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        if name.eq_ignore_ascii_case("no-cache") {
            reuse.read = false;
        } else if name.eq_ignore_ascii_case("no-store") {
            reuse.write = false;
        } else if name.eq_ignore_ascii_case("max-age")
            && let Ok(seconds) = value.trim_matches('"').parse::<u64>()
        {
            // An answer that is no second old is none that is kept.
            (reuse.read, asks) = (reuse.read && seconds > 0, asks || seconds > 0);
            reuse.max_age_seconds = Some(seconds);
        }
    }
    if let Some(value) = headers.get(TTL) {
        let seconds = value.to_str().ok().and_then(|text| text.trim().parse().ok());
        let seconds = seconds.filter(|seconds| (1..=LONGEST_TTL).contains(seconds));
        let wrong =
            || GatewayError::invalid(&format!("x-sophie-cache-ttl is a number of seconds from 1 to {LONGEST_TTL}."));
        reuse.ttl_seconds = Some(seconds.ok_or_else(wrong)?);
        asks = true;
    }
    Ok(Wishes { reuse, asks })
}

/// Whether the caller wants to come back to the answer: `x-sophie-resume: 1`.
///
/// # Errors
/// It says something else.
pub fn resumes(headers: &HeaderMap) -> Result<bool, GatewayError> {
    match headers.get(RESUME).map(|value| value.as_bytes().trim_ascii()) {
        None | Some(b"0") => Ok(false),
        Some(b"1") => Ok(true),
        Some(_) => Err(GatewayError::invalid("x-sophie-resume is 1 or 0.")),
    }
}

/// Tells how an answer came about, and its age if it was kept.
pub fn tell_origin(headers: &mut HeaderMap, status: CacheStatus, origin: GenerationOrigin) {
    headers.insert(CACHE, HeaderValue::from_static(status.as_str()));
    if let GenerationOrigin::Cache { age_seconds } = origin {
        headers.insert(header::AGE, age_seconds.into());
    }
}

/// Tells what is left of the limits, in OpenAI's words.
pub fn tell_left(headers: &mut HeaderMap, left: &Remaining) {
    for (names, quota) in [(REQUESTS, &left.requests), (TOKENS, &left.tokens)] {
        let Some(Quota { limit, remaining, reset_ms }) = quota else { continue };
        let [limit_name, remaining_name, reset_name] = names;
        headers.insert(limit_name, (*limit).into());
        headers.insert(remaining_name, (*remaining).into());
        if let Ok(reset) = HeaderValue::from_str(&span(*reset_ms)) {
            headers.insert(reset_name, reset);
        }
    }
}

/// A time as OpenAI writes it: `250ms`, `1s`, `6m0s`, `1h0m0s`.
fn span(ms: u64) -> String {
    if ms > 0 && ms < 1_000 {
        return format!("{ms}ms");
    }
    let seconds = ms.div_ceil(1_000);
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&'static str, &'static str)]) -> Result<Wishes, GatewayError> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        wishes(&headers)
    }

    #[test]
    fn the_cache_is_used_as_the_caller_wishes() {
        let wished = |pairs| asked(pairs).map(|wishes| (wishes.reuse, wishes.asks)).unwrap();
        assert_eq!(wished(&[]), (Reuse::FREE, false));
        let old = Reuse { max_age_seconds: Some(0), ..Reuse::FRESH };
        assert_eq!(wished(&[("cache-control", "max-age=0, No-Cache")]), (old, false));
        assert_eq!(wished(&[("cache-control", "Max-Age=0")]), (old, false));
        let young = Reuse { max_age_seconds: Some(60), ..Reuse::FREE };
        assert_eq!(wished(&[("cache-control", "max-age=\"60\"")]), (young, true));
        assert_eq!(wished(&[("cache-control", "max-age=soon, max-stale=3")]), (Reuse::FREE, false));
        assert_eq!(wished(&[("cache-control", "no-cache, no-store")]), (Reuse::NOTHING, false));
        assert_eq!(wished(&[("cache-control", "no-cache"), ("cache-control", "no-store")]), (Reuse::NOTHING, false));
        let long = Reuse { ttl_seconds: Some(60), ..Reuse::FREE };
        assert_eq!(wished(&[("x-sophie-cache-ttl", " 60 ")]), (long, true));
        for bad in ["", "0", "-1", "1.5", "soon", "31536001"] {
            assert!(asked(&[("x-sophie-cache-ttl", bad)]).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_are_written_as_openai_writes_them() {
        let written = [0, 1, 999, 1_000, 1_001, 59_000, 360_000, 3_600_000, 3_725_000].map(span);
        assert_eq!(written, ["0s", "1ms", "999ms", "1s", "2s", "59s", "6m0s", "1h0m0s", "1h2m5s"]);
    }

    #[test]
    fn what_is_not_limited_is_not_told() {
        let mut headers = HeaderMap::new();
        let requests = Some(Quota { limit: 5, remaining: 4, reset_ms: 3_000 });
        tell_left(&mut headers, &Remaining { requests, tokens: None });
        assert_eq!(headers.len(), 3);
        assert_eq!(headers.get(&REQUESTS[2]).unwrap(), "3s");
    }
}
