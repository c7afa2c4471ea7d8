//! The answers that HTTP callers are being given: a node that goes waits for them, for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

/// All of them; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Running {
    count: Arc<AtomicUsize>,
    closing: Arc<watch::Sender<bool>>,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub struct Visit {
    running: Running,
    closing: watch::Receiver<bool>,
}

impl Running {
    /// One more.
    pub fn begin(&self) -> Visit {
        self.count.fetch_add(1, Ordering::Relaxed);
        Visit { running: self.clone(), closing: self.closing.subscribe() }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Ends them all.
    pub fn interrupt(&self) {
        self.closing.send_replace(true);
    }
}

impl Visit {
    /// Waits until the node cannot wait any longer.
    pub async fn interrupted(&mut self) {
        // The sender lives as long as the visit does.
        _ = self.closing.wait_for(|closing| *closing).await;
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.running.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn visits_are_counted_and_can_be_ended() {
        let running = Running::default();
        let (mut one, two) = (running.begin(), running.begin());
        assert_eq!(running.count(), 2);
        drop(two);
        running.interrupt();
        one.interrupted().await;
        running.begin().interrupted().await;
        drop(one);
        assert_eq!(running.count(), 0);
    }
}
