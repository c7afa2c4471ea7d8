//! How much one connection may send: frames a second, whatever they are.

use sophie_actors::options::SessionOptions;
use sophie_actors::store::limits::{Bucket, Limit, Verdict, gcra};
use tokio::time::Instant;

/// The limit of one connection.
pub(super) struct Flood {
    bucket: Bucket,
    stored: Option<u64>,
    since: Instant,
}

impl Flood {
    pub(super) fn new(options: &SessionOptions) -> Self {
        let bucket = Bucket {
            key: String::new(),
            limit: Limit::ConnectionCommands,
            interval_us: 1_000_000 / u64::from(options.commands_per_second.max(1)),
            burst: u64::from(options.commands_burst),
            cost: 1,
        };
        Self { bucket, stored: None, since: Instant::now() }
    }

    /// Whether one more frame is within the limit.
    pub(super) fn admit(&mut self) -> bool {
        let now = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        let (verdict, stored) = gcra::admit(now, std::slice::from_ref(&self.bucket), &[self.stored]);
        self.stored = stored.first().copied().or(self.stored);
        matches!(verdict, Verdict::Admitted { .. })
    }
}
