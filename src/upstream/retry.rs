//! When a request is sent once more, and after what pause.

use std::time::{Duration, SystemTime};

use rand::RngExt;
use reqwest::header::{HeaderMap, HeaderName, RETRY_AFTER};

/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause of our own choosing.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// The longest pause on the server's word. Somebody is waiting for the answer: a longer one is their decision.
pub const LONGEST_OBEYED: Duration = Duration::from_secs(10);

/// The longest wait that is told to a client.
pub const LONGEST_TOLD: Duration = Duration::from_secs(120);

/// What a response says about trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Advice {
    /// `x-should-retry`
    pub should_retry: Option<bool>,
    /// `retry-after-ms`, else `Retry-After`.
    pub wait: Option<Duration>,
}

impl Advice {
    /// Reads a response's headers. `now` is what an HTTP date is counted from.
    pub fn read(headers: &HeaderMap, now: SystemTime) -> Self {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let should_retry = match text(HeaderName::from_static("x-should-retry")) {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        };
        let millis = text(HeaderName::from_static("retry-after-ms")).and_then(|it| it.parse::<f64>().ok());
        let wait =
            millis.and_then(|it| seconds(it / 1_000.0)).or_else(|| text(RETRY_AFTER).and_then(|it| after(it, now)));
        Self { should_retry, wait }
    }

    /// Whether a response of this status may be followed by another attempt.
    pub fn allows(&self, status: u16) -> bool {
        self.should_retry.unwrap_or(matches!(status, 408 | 409 | 429 | 500..=599))
    }

    /// The pause before attempt `attempt` + 1 (the first one is 0): the server's, or one of our own with jitter.
    pub fn pause(&self, attempt: u32) -> Duration {
        self.wait.unwrap_or_else(|| {
            let full = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(attempt)).min(LONGEST_PAUSE);
            full.mul_f64(rand::rng().random_range(0.75..=1.0))
        })
    }
}

fn after(text: &str, now: SystemTime) -> Option<Duration> {
    match text.parse::<f64>() {
        Ok(number) => seconds(number),
        Err(_) => Some(httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default()),
    }
}

/// Seconds as a header gives them; a negative or endless wait is none.
fn seconds(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number).ok()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn advice(headers: &[(&'static str, &'static str)]) -> Advice {
        let now = httpdate::parse_http_date("Fri, 15 May 2026 15:34:21 GMT").expect("a date");
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        Advice::read(&headers, now)
    }

    #[test]
    fn a_wait_is_read_in_every_form() {
        let wait = |headers: &[(&'static str, &'static str)]| advice(headers).wait.map(|it| it.as_millis());
        assert_eq!(wait(&[("retry-after", "3")]), Some(3_000));
        assert_eq!(wait(&[("retry-after", "0.5")]), Some(500));
        assert_eq!(wait(&[("retry-after", "Fri, 15 May 2026 15:34:28 GMT")]), Some(7_000));
        assert_eq!(wait(&[("retry-after", "Fri, 15 May 2026 15:34:00 GMT")]), Some(0), "a date that has passed");
        assert_eq!(wait(&[("retry-after-ms", "250"), ("retry-after", "9")]), Some(250));
        assert_eq!(wait(&[("retry-after-ms", "soon"), ("retry-after", "9")]), Some(9_000));
        assert_eq!(wait(&[("retry-after", "-3")]), None);
        assert_eq!(wait(&[("retry-after", "NaN")]), None);
        assert_eq!(wait(&[("retry-after", "later")]), None);
        assert_eq!(wait(&[]), None);
    }

    #[test]
    fn only_passing_faults_are_tried_again() {
        let plain = advice(&[]);
        for status in [408, 409, 429, 500, 502, 503, 504, 529] {
            assert!(plain.allows(status), "{status}");
        }
        for status in [301, 400, 401, 403, 404, 413, 422] {
            assert!(!plain.allows(status), "{status}");
        }
    }

    #[test]
    fn the_server_has_the_last_word() {
        assert!(!advice(&[("x-should-retry", "false")]).allows(503));
        assert!(advice(&[("x-should-retry", "true")]).allows(400));
        assert!(advice(&[("x-should-retry", "perhaps")]).allows(503));
    }

    #[test]
    fn pauses_double_up_to_their_bound_and_are_jittered() {
        for (attempt, full) in [(0, 500), (1, 1_000), (2, 2_000), (4, 8_000), (5, 8_000), (60, 8_000)] {
            for _ in 0..20 {
                let pause = Advice::default().pause(attempt).as_millis();
                assert!(pause <= full && pause * 4 >= full * 3, "attempt {attempt}: {pause}");
            }
        }
        assert_eq!(advice(&[("retry-after", "3")]).pause(0), Duration::from_secs(3));
    }
}
