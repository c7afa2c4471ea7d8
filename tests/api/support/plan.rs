//! What a long test is told: its seed and its length. Without a word it is the short one that is part of every run.

use std::env;
use std::time::Duration;

/// `SOPHIE_SEED`, or the short test's.
pub fn seed(short: u64) -> u64 {
    number("SOPHIE_SEED").unwrap_or(short)
}

/// `SOPHIE_SOAK_SECONDS`, or the short test's.
pub fn seconds(short: Duration) -> Duration {
    number("SOPHIE_SOAK_SECONDS").map_or(short, Duration::from_secs)
}

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number: {text}")))
}
