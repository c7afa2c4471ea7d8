//! How the program goes: sockets and answers come to their end, what is known is written, memberships are given up.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::Program;

/// How often a drain looks whether everybody has left.
const DRAIN_POLL: Duration = Duration::from_millis(50);

/// How long before the end of the drain time answers that are still under way are ended, so that their ends are told.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What giving up memberships may take after the drain time. With what stopping the listeners takes this stays within the 2 s that are promised.
const RESIGN: Duration = Duration::from_millis(900);

impl Program {
    /// Lets sockets and answers come to their end, and gives memberships up.
    pub(super) async fn drain(&self, hurry: impl Future<Output = ()>) {
        self.state.draining.send_replace(true);
        tokio::select! {
            () = self.let_go() => {}
            () = hurry => {
                log::info!(event = "drain_cut_short"; "the drain is cut short by a second signal");
                // Ends that are told now need not be found out by others later; who heard one is told goodbye behind it.
                self.interrupt().await;
                _ = timeout(2 * LAST_WORDS, async {
                    _ = self.state.node.registry.drain(LAST_WORDS).await;
                    self.until_left().await;
                })
                .await;
            }
        }
        let node = &self.state.node;
        if timeout(LAST_WORDS, node.ledger.flush()).await.is_err() {
            log::warn!(event = "usage_not_written"; "what answers cost in the last second is not written");
        }
        let (resigned, ()) = tokio::join!(timeout(RESIGN, self.mirror.resign()), self.telemetry.flush(RESIGN));
        if resigned.is_err() {
            log::warn!(event = "mirror_not_resigned"; "this node did not take leave of the others in time");
        }
        log::info!(event = "drained"; "the drain has ended");
    }

    /// Waits until sockets and answers have ended, within the drain time.
    async fn let_go(&self) {
        let until = Instant::now() + self.drain;
        let node = &self.state.node;
        _ = timeout(self.drain, node.registry.drain(self.drain)).await;
        let last_words = LAST_WORDS.min(self.drain / 4);
        let interrupt_at = until - last_words;
        while Instant::now() < interrupt_at {
            if self.is_left().await {
                return;
            }
            sleep(DRAIN_POLL).await;
        }
        // Also when a machine that was held up wakes behind the end: nobody's answer ends without a word.
        self.interrupt().await;
        _ = timeout(last_words, self.until_left()).await;
    }

    async fn until_left(&self) {
        while !self.is_left().await {
            sleep(DRAIN_POLL).await;
        }
    }

    /// Whether nothing runs and nobody is connected.
    async fn is_left(&self) -> bool {
        self.running().await == 0 && self.state.node.roster.count().sockets == 0
    }

    /// Answers under way, of groups and over HTTP.
    async fn running(&self) -> usize {
        let of_groups =
            timeout(DRAIN_POLL, self.state.node.answers.running()).await.map_or(0, Result::unwrap_or_default);
        of_groups + self.state.gateway.running.count()
    }

    async fn interrupt(&self) {
        _ = timeout(DRAIN_POLL, self.state.node.answers.interrupt_all()).await;
        self.state.gateway.running.interrupt();
    }
}
