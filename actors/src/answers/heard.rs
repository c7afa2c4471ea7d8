//! How long nobody has listened to what is being written.

use std::time::Duration;

use tokio::time::Instant;

/// Notices that nobody has listened for a while.
pub(super) struct Watch {
    grace: Duration,
    heard_at: Instant,
}

impl Watch {
    pub(super) fn new(grace: Duration) -> Self {
        Self { grace, heard_at: Instant::now() }
    }

    pub(super) fn nobody_listens(&mut self, is_heard: bool) -> bool {
        if is_heard {
            self.heard_at = Instant::now();
        }
        self.heard_at.elapsed() >= self.grace
    }
}
