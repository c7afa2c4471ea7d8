//! How a connection ends: each side says goodbye once, and nobody is waited for without an end.

use std::mem;
use std::time::Duration;

use sophie_actors::protocol::{Close, CloseCode};
use tokio::time::Instant;

use super::{CLOSE_WITHIN, Connection, LINGER, Phase};
use crate::websocket::Receiver;
use crate::websocket::heads::Opcode;

impl<R: Receiver> Connection<R> {
    pub(super) fn say_goodbye(&mut self, close: Close) {
        if let Some(goodbye) = self.receiver.goodbye(close) {
            self.unsent.say(Opcode::Text, goodbye.as_bytes());
        }
        self.unsent.say_goodbye(Some(self.receiver.number(close.code)), close.code.reason());
        // A client that cannot be understood is not waited for: it sees the end of the stream.
        match (self.left, self.deaf) {
            (true, _) => self.end(LINGER),
            (false, true) => self.end(CLOSE_WITHIN),
            (false, false) => self.phase = Phase::Said(Instant::now()),
        }
    }

    pub(super) fn end(&mut self, within: Duration) {
        self.phase = Phase::Ending(Instant::now(), within);
        self.close();
    }

    /// Tells the core that nobody is here any more.
    pub(super) fn close(&mut self) {
        if !mem::replace(&mut self.is_closed, true) {
            self.handle.mark_gone();
            self.receiver.closed(self.handle.closing());
        }
    }

    pub(super) fn fail(&mut self, code: CloseCode) {
        self.deaf = true;
        self.handle.close(code);
        if matches!(self.phase, Phase::Said(_)) {
            self.end(CLOSE_WITHIN);
        }
    }

    pub(super) fn take_goodbye(&mut self, code: Option<u16>, reason: &str) {
        self.left = true;
        if self.phase == Phase::Open {
            if self.handle.closing().is_some() {
                // Ours is about to be said.
                return;
            }
            self.unsent.say_goodbye(code, reason);
        }
        self.end(LINGER);
    }
}
