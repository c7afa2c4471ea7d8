//! What of a connection is due by the clock.

use std::task::Context;
use std::time::Duration;

use sophie_actors::protocol::CloseCode;
use tokio::time::Instant;

use super::{CLOSE_WITHIN, Connection, Phase};
use crate::websocket::Receiver;
use crate::websocket::heads::Opcode;
use crate::websocket::heartbeat::{Beat, Heartbeat};

/// When nothing is due.
pub(super) const FAR: Duration = Duration::from_secs(86_400);

impl<R: Receiver> Connection<R> {
    pub(super) fn look_at_the_clock(&mut self) {
        // Polled when it was set, it wakes this task: that it is not due is nearly always all there is to know.
        if !self.timer.is_elapsed() {
            return;
        }
        let now = Instant::now();
        match self.phase {
            Phase::Open => {
                self.handle.sweep();
                if self.blocked.is_some_and(|since| now >= since + self.handle.patience()) {
                    self.handle.close(CloseCode::Slow);
                }
                match self.heartbeat.as_mut().map_or(Beat::Nothing, |heart| heart.beat(now, self.held)) {
                    Beat::Ping => self.unsent.say(Opcode::Ping, &[]),
                    Beat::Dead => self.handle.close(CloseCode::NoPong),
                    Beat::Nothing => {}
                }
            }
            Phase::Said(since) if now >= since + CLOSE_WITHIN => self.raw.wire.cut(),
            Phase::Ending(since, within) if now >= since + within => self.raw.wire.cut(),
            Phase::Said(_) | Phase::Ending(..) => {}
        }
    }

    pub(super) fn set_timer(&mut self, cx: &mut Context<'_>) {
        let due = match self.phase {
            Phase::Open => {
                let beat = self.heartbeat.as_ref().map(Heartbeat::due);
                let blocked = self.blocked.map(|since| since + self.handle.patience());
                // Only what the transport does not take grows old.
                let sweep = blocked.and_then(|_| self.handle.sweep_due());
                [beat, blocked, sweep].into_iter().flatten().min()
            }
            Phase::Said(since) => Some(since + CLOSE_WITHIN),
            Phase::Ending(since, within) => Some(since + within),
        };
        let due = match due {
            None if self.is_timed && !self.timer.is_elapsed() => return,
            due => due.unwrap_or_else(|| Instant::now() + FAR),
        };
        if !self.is_timed || due != self.timer.deadline() || self.timer.is_elapsed() {
            self.timer.as_mut().reset(due);
            self.is_timed = true;
            if self.timer.as_mut().poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
    }
}
