//! How an answer is told to stop before its end.

use std::sync::OnceLock;

use tokio::sync::Notify;

/// Why an answer stops before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Somebody wants no more of it.
    Cancelled,
    /// Its asker's next message ends it: it is what was written until then.
    Steered,
}

impl Stopped {
    /// The word for it in the log, where a backend's `finish_reason` stands otherwise.
    pub(super) fn finish_reason(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Steered => "steered",
        }
    }
}

/// What an answer listens to.
#[derive(Debug, Default)]
pub(super) struct Stopping {
    why: OnceLock<Stopped>,
    told: Notify,
}

impl Stopping {
    /// Tells the answer to stop. The first reason counts.
    pub(super) fn tell(&self, why: Stopped) {
        _ = self.why.set(why);
        self.told.notify_one();
    }

    /// Waits until the answer is to stop.
    pub(super) async fn told(&self) -> Stopped {
        self.told.notified().await;
        self.why.get().copied().unwrap_or(Stopped::Cancelled)
    }
}
