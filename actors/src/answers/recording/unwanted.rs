//! When nothing more of a recorded answer is to be written.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::Recorder;
use crate::answers::heard::Watch;

/// How often readers are looked for.
const LOOK: Duration = Duration::from_millis(300);

/// Why nothing more is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwanted {
    /// Somebody who may has stopped it.
    Cancelled,
    /// Nobody has read it for a while.
    Abandoned,
    /// It has an end already: its writer was taken for dead.
    Ended,
}

impl Recorder {
    /// Waits until nothing more is to be written.
    pub async fn unwanted(&self) -> Unwanted {
        let mut watch = self.abandon_after.map(Watch::new);
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.recording.cancel.notified() => return Unwanted::Cancelled,
                _ = look.tick() => {
                    if self.recording.has_ended() {
                        return Unwanted::Ended;
                    }
                    if watch.as_mut().is_some_and(|watch| watch.nobody_listens(self.is_read())) {
                        return Unwanted::Abandoned;
                    }
                }
            }
        }
    }
}
