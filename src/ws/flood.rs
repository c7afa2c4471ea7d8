//! How much one connection may send: frames a second, whatever they are.

use sophie_actors::options::SessionOptions;
use sophie_actors::store::limits::{Bucket, Limit, Verdict, gcra};
use tokio::time::Instant;

/// The limit of one connection.
pub(super) struct Flood {
    interval_us: u64,
    burst: u64,
    stored: Option<u64>,
    since: Instant,
}

impl Flood {
    pub(super) fn new(options: &SessionOptions) -> Self {
        Self {
            interval_us: 1_000_000 / u64::from(options.commands_per_second.max(1)),
            burst: u64::from(options.commands_burst),
            stored: None,
            since: Instant::now(),
        }
    }

    /// Whether one more frame is within the limit.
    pub(super) fn admit(&mut self) -> bool {
        let Self { interval_us, burst, .. } = *self;
        let bucket = Bucket { key: String::new(), limit: Limit::ConnectionCommands, interval_us, burst, cost: 1 };
        let now = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        let (verdict, stored) = gcra::admit(now, &[bucket], &[self.stored]);
        self.stored = stored.first().copied().or(self.stored);
        matches!(verdict, Verdict::Admitted { .. })
    }
}
