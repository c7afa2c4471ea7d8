//! How a socket closes: by itself once what waits has been sent, else from outside.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::{SocketHandle, State};
use crate::protocol::{Close, CloseCode};

/// How long a socket that is told to close may take before its connection is cut.
pub(super) const CLOSE_GRACE: Duration = Duration::from_secs(1);

impl SocketHandle {
    /// Closes the socket once what waits has been sent; the first reason given stands.
    pub fn close(&self, close: impl Into<Close>) {
        self.begin_close(&mut self.state(), close.into());
    }

    pub(super) fn begin_close(&self, state: &mut State, close: Close) {
        if state.closing.is_some() || state.gone {
            return;
        }
        if close.code == CloseCode::Slow {
            // It would not be read anyway; the client recovers it from the log.
            state.queue.clear();
            state.deltas.clear();
            (state.bytes, state.counted_bytes, state.counted_frames) = (0, 0, 0);
        }
        state.closing = Some((close, Instant::now()));
        self.0.drained.notify_waiters();
        // Also one that is busy with what its client does not take.
        self.wake(state);
    }

    /// When [`Self::sweep`] has something to do, if nothing is taken out of the queue before that.
    pub fn sweep_due(&self) -> Option<Instant> {
        let state = self.state();
        match state.closing {
            _ if state.gone => None,
            Some((_, since)) => Some(since + CLOSE_GRACE),
            None => state.queue.front().map(|oldest| oldest.at + self.0.limits.age),
        }
    }

    /// Closes the socket if something has waited for too long, and cuts it if it does not close. To be called by who carries it, when
    /// that is due, and now and then: an empty queue gives up its memory.
    pub fn sweep(&self) {
        let mut state = self.state();
        if state.gone {
            return;
        }
        match state.closing {
            Some((_, since)) => {
                if since.elapsed() >= CLOSE_GRACE {
                    drop(state);
                    self.cut();
                }
            }
            None => {
                if state.queue.front().is_some_and(|oldest| oldest.at.elapsed() >= self.0.limits.age) {
                    self.begin_close(&mut state, CloseCode::Slow.into());
                }
                if state.queue.is_empty() {
                    state.queue = VecDeque::new();
                }
            }
        }
    }

    /// Ends the connection whatever the transport is doing.
    pub fn cut(&self) {
        (self.0.cut)();
    }

    /// Why it is closing, if it is.
    pub fn closing(&self) -> Option<CloseCode> {
        self.state().closing.map(|(close, _)| close.code)
    }

    /// The transport is gone: nothing more is queued.
    pub fn mark_gone(&self) {
        let mut state = self.state();
        state.gone = true;
        state.waker = None;
        state.queue.clear();
        state.deltas.clear();
        state.bytes = 0;
        self.0.drained.notify_waiters();
    }

    /// Whether the transport is gone.
    pub fn is_gone(&self) -> bool {
        self.state().gone
    }
}
