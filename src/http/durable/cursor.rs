//! The cursor of live reads: it changes with time, so that what a proxy has stored of one is not given to the next.

use std::time::{SystemTime, UNIX_EPOCH};

/// The beginning of the count, 2024-10-09T00:00:00Z, in Unix seconds, as Durable Streams has it.
const BEGAN: u64 = 1_728_432_000;
/// Seconds that one cursor lasts.
const LASTS: u64 = 20;

/// The cursor of a reply to a reader who showed one: always a larger one than that.
pub(super) fn next(shown: Option<&str>) -> u64 {
    after(shown, SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs()))
}

fn after(shown: Option<&str>, now: u64) -> u64 {
    let current = now.saturating_sub(BEGAN) / LASTS;
    // What is no number was not given out here, and counts for nothing.
    match shown.and_then(|text| text.parse::<u64>().ok()) {
        Some(shown) if shown >= current => shown.saturating_add(1),
        _ => current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_grows_with_time_and_with_each_reply() {
        let now = BEGAN + 105;
        assert_eq!(after(None, now), 5);
        for (shown, then) in [("4", 5), ("5", 6), ("70", 71), ("x", 5), ("-1", 5), ("18446744073709551615", u64::MAX)] {
            assert_eq!(after(Some(shown), now), then, "{shown}");
        }
    }
}
