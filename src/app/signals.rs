//! What the process is told by signals: to stop, to stop at once, and to read its settings again.

use std::fs::File;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

/// SIGHUP's number, the same on every Unix.
const SIGHUP: u32 = 1;
/// A second signal sooner than this after the first is part of the same wish: Ctrl-C reaches a program by more than one way.
const SAME_WISH: Duration = Duration::from_secs(1);
/// A terminal that goes may be there for a moment longer than its SIGHUP takes.
const TERMINAL_GOES: Duration = Duration::from_millis(100);
const TERMINAL_LOOKS: u32 = 5;

/// Orders to stop, by SIGTERM, SIGINT, or SIGHUP of a terminal that is gone.
pub(super) struct Stops(mpsc::Receiver<Instant>);

impl Stops {
    /// Listens for signals from now on. Must be called within a tokio runtime. What comes second are the SIGHUPs that do not stop the process.
    pub(super) fn listen() -> (Self, mpsc::Receiver<()>) {
        // The sender knows whether anybody waits; a third order says nothing new.
        let (order, orders) = mpsc::channel(2);
        for (kind, name) in [(SignalKind::terminate(), "SIGTERM"), (SignalKind::interrupt(), "SIGINT")] {
            let Some(mut signals) = heard(kind, name) else { continue };
            let order = order.clone();
            actix::spawn(async move {
                while signals.recv().await.is_some() {
                    _ = order.try_send(Instant::now());
                }
            });
        }
        // One that waits says all that a second one could.
        let (tell, hangups) = mpsc::channel(1);
        // Who started it by `nohup` wants it to outlive its terminal.
        let outlives = ignores_hangup();
        if let Some(signals) = heard(SignalKind::hangup(), "SIGHUP") {
            actix::spawn(hang_up(signals, (!outlives).then_some(order), tell));
        }
        (Self(orders), hangups)
    }

    /// The first order to stop.
    pub(super) async fn first(&mut self) -> Instant {
        match self.0.recv().await {
            Some(at) => at,
            None => std::future::pending().await,
        }
    }

    /// An order that comes a second or more after the first: whoever gave it does not want to wait.
    pub(super) async fn again(&mut self, first: Instant) {
        while self.first().await.duration_since(first) < SAME_WISH {}
    }
}

fn heard(kind: SignalKind, name: &str) -> Option<Signal> {
    signal(kind)
        .inspect_err(|error| {
            log::error!(
                event = "signal_not_heard", signal = name, error:%;
                "a signal is not listened for: the process ends by it at once"
            )
        })
        .ok()
}

/// Stops when the terminal is gone, if there is such an `order`; else tells that there was a SIGHUP.
async fn hang_up(mut signals: Signal, order: Option<mpsc::Sender<Instant>>, tell: mpsc::Sender<()>) {
    let order = order.filter(|_| has_terminal());
    while signals.recv().await.is_some() {
        match &order {
            Some(order) if terminal_is_gone().await => {
                log::info!(event = "terminal_gone", signal = "SIGHUP"; "the terminal is gone, the program stops");
                _ = order.try_send(Instant::now());
            }
            _ => _ = tell.try_send(()),
        }
    }
}

async fn terminal_is_gone() -> bool {
    for _ in 0..TERMINAL_LOOKS {
        if !has_terminal() {
            return true;
        }
        sleep(TERMINAL_GOES).await;
    }
    false
}

/// Whether the process has a terminal that it is controlled from.
fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}

/// Whether SIGHUP was ignored when the process began. Read from Linux's own table; elsewhere it counts as not ignored.
fn ignores_hangup() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| is_ignored(&status, SIGHUP))
}

/// Reads the mask of ignored signals: bit 0 stands for signal 1.
fn is_ignored(status: &str, signal: u32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    signal.checked_sub(1).and_then(|bit| mask.checked_shr(bit)).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        let status = "Name:\tsophie\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\nSigCgt:\t0\n";
        assert!(is_ignored(status, 1) && is_ignored(status, 13));
        assert!(!is_ignored(status, 2) && !is_ignored(status, 15) && !is_ignored("", 1));
    }
}
