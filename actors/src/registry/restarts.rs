//! How often a session may fail: at most [`MAX_RESTARTS`] times in [`WINDOW`]. Pure: `now` is an argument.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::ids::SessionId;

/// Restarts that a session is given within [`WINDOW`].
pub const MAX_RESTARTS: usize = 3;
/// The time in which failures count.
pub const WINDOW: Duration = Duration::from_secs(60);

/// The failures of all sessions.
#[derive(Debug, Default)]
pub struct Restarts(HashMap<SessionId, VecDeque<Instant>>);

impl Restarts {
    /// Notes a failure. Whether the session may be restarted.
    pub fn failed(&mut self, session: &SessionId, now: Instant) -> bool {
        let failures = self.0.entry(session.clone()).or_default();
        failures.push_back(now);
        forget(failures, now);
        failures.len() <= MAX_RESTARTS
    }

    /// Whether the session may be opened.
    pub fn allow(&mut self, session: &SessionId, now: Instant) -> bool {
        let Some(failures) = self.0.get_mut(session) else { return true };
        forget(failures, now);
        let allowed = failures.len() <= MAX_RESTARTS;
        if failures.is_empty() {
            self.0.remove(session);
        }
        allowed
    }

    /// Forgets sessions whose failures are all old.
    pub fn sweep(&mut self, now: Instant) {
        self.0.retain(|_, failures| {
            forget(failures, now);
            !failures.is_empty()
        });
    }
}

fn forget(failures: &mut VecDeque<Instant>, now: Instant) {
    while failures.front().is_some_and(|at| now.duration_since(*at) >= WINDOW) {
        failures.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fourth_failure_within_a_minute_is_one_too_many() {
        let session = SessionId::parse("s").expect("legal");
        let start = Instant::now();
        let mut restarts = Restarts::default();
        for second in 0..3 {
            assert!(restarts.failed(&session, start + Duration::from_secs(second)));
        }
        assert!(restarts.allow(&session, start + Duration::from_secs(4)));
        assert!(!restarts.failed(&session, start + Duration::from_secs(5)));
        assert!(!restarts.allow(&session, start + Duration::from_secs(6)));
        assert!(restarts.allow(&session, start + WINDOW + Duration::from_secs(1)), "failures are forgotten");
    }
}
