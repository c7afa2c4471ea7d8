//! What the server's clock shows, for what happened on this node a moment ago. How long a call was on its way cannot be known, but the
//! quickest of several tells it best: no reply shows less than the truth. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// How long a sample counts: clocks drift, and servers are replaced.
const FRESH: Duration = Duration::from_secs(60);

/// The difference between the server's clock and this process's, as the quickest call of late showed it.
#[derive(Debug)]
pub(super) struct Clock {
    base: Instant,
    /// Server's Unix microseconds less those since `base`, and when that was seen.
    ahead: Option<(i64, Instant)>,
}

impl Clock {
    /// `now` is any moment.
    pub(super) fn new(now: Instant) -> Self {
        Self { base: now, ahead: None }
    }

    /// Whether something is known of the server's clock.
    pub(super) fn is_known(&self, now: Instant) -> bool {
        self.ahead.is_some_and(|(_, seen)| now.saturating_duration_since(seen) < FRESH)
    }

    /// A call that was begun at `asked` was carried out when the server's clock showed so many Unix microseconds.
    pub(super) fn note(&mut self, asked: Instant, server_us: i64) {
        let ahead = server_us.saturating_sub(self.since_base(asked));
        if !self.is_known(asked) || self.ahead.is_some_and(|(least, _)| ahead < least) {
            self.ahead = Some((ahead, asked));
        }
    }

    /// What the server's clock showed at `then`, in Unix microseconds.
    pub(super) fn at(&self, then: Instant) -> i64 {
        self.ahead.map_or(0, |(ahead, _)| ahead).saturating_add(self.since_base(then))
    }

    fn since_base(&self, then: Instant) -> i64 {
        let us = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        match then.checked_duration_since(self.base) {
            Some(since) => us(since),
            None => -us(self.base - then),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quickest_call_of_late_counts() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let mut clock = Clock::new(start + ms(500));
        assert!(!clock.is_known(start));
        // The server's clock shows 1 s at the start; the calls are on their way for 300, 2 and 80 ms.
        for (asked, way) in [(0, 300), (1_000, 2), (2_000, 80)] {
            clock.note(start + ms(asked), (1_000 + asked as i64 + way) * 1_000);
        }
        assert_eq!(clock.at(start), 1_002_000);
        assert_eq!(clock.at(start + ms(4_000)), 5_002_000);
        // Much later another one does: the server may be another one.
        let later = start + ms(1_000) + FRESH;
        assert!(!clock.is_known(later));
        clock.note(later, 7_000_000);
        assert_eq!(clock.at(later), 7_000_000);
    }
}
