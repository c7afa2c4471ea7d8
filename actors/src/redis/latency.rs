//! How long the calls to one database took of late.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use prometheus::Histogram;

/// Calls that are remembered: enough for a p99, and a page of memory.
const CALLS: usize = 1_024;
/// A place that no call has taken yet.
const NONE: u32 = u32::MAX;

/// The last calls, each in microseconds; those that ran out of time count with the time that they had.
pub(crate) struct Latency {
    calls: Box<[AtomicU32]>,
    next: AtomicUsize,
    /// The figure that has all of them.
    seconds: Histogram,
}

/// Half of the last calls took no longer than `p50`, all but one in a hundred no longer than `p99`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantiles {
    /// The median.
    pub p50: Duration,
    /// Nearly the longest.
    pub p99: Duration,
}

impl Latency {
    pub(crate) fn new(seconds: Histogram) -> Self {
        Self { calls: (0..CALLS).map(|_| AtomicU32::new(NONE)).collect(), next: AtomicUsize::new(0), seconds }
    }

    pub(crate) fn record(&self, took: Duration) {
        self.seconds.observe(took.as_secs_f64());
        let took = u32::try_from(took.as_micros()).unwrap_or(NONE).min(NONE - 1);
        let at = self.next.fetch_add(1, Ordering::Relaxed) % CALLS;
        self.calls[at].store(took, Ordering::Relaxed);
    }

    /// `None` before the first call.
    pub(crate) fn quantiles(&self) -> Option<Quantiles> {
        let calls = self.calls.iter().map(|call| call.load(Ordering::Relaxed));
        let mut calls: Vec<u32> = calls.filter(|call| *call != NONE).collect();
        calls.sort_unstable();
        let last = calls.len().checked_sub(1)?;
        let at = |percent: usize| Duration::from_micros(calls[last * percent / 100].into());
        Some(Quantiles { p50: at(50), p99: at(99) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn quantiles_are_those_of_the_last_calls() {
        let seconds = Metrics::new().dependencies.calls("main");
        let latency = Latency::new(seconds.clone());
        assert_eq!(latency.quantiles(), None);
        latency.record(Duration::from_secs(10_000));
        for ms in 0..CALLS as u64 {
            latency.record(Duration::from_millis(ms % 101));
        }
        let quantiles = latency.quantiles().expect("calls");
        assert!(quantiles.p50.abs_diff(Duration::from_millis(50)) <= Duration::from_millis(1), "{quantiles:?}");
        assert_eq!(seconds.get_sample_count(), CALLS as u64 + 1);
        assert!(quantiles.p99.abs_diff(Duration::from_millis(99)) <= Duration::from_millis(1), "{quantiles:?}");
    }
}
