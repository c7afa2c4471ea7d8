//! What comes in over a connection, a frame at a time: judged by its head, counted, and not read while what came before it waits.

use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use sophie_actors::protocol::CloseCode;
use tokio::io::{AsyncRead, ReadBuf};

use super::{Connection, Phase};
use crate::websocket::Receiver;
use crate::websocket::decoder::{Message, Step};
use crate::websocket::heads::{Head, Opcode};

impl<R: Receiver> Connection<R> {
    /// Reads what there is. `Ready`: the client has gone.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> io::Result<Poll<()>> {
        if !self.raw.early.is_empty() || self.flooded {
            let mut early = mem::take(&mut self.raw.early);
            let taken = self.look_at(&mut early, cx);
            if taken < early.len() {
                early.drain(..taken);
                self.raw.early = early;
                return Ok(Poll::Pending);
            }
        }
        let worker = self.worker.clone();
        let mut buffer = worker.read.borrow_mut();
        while self.may_read(cx) {
            let mut into = ReadBuf::new(&mut buffer);
            match Pin::new(&mut self.raw.io).poll_read(cx, &mut into) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(read) => read?,
            }
            let read = into.filled().len();
            if read == 0 {
                return Ok(Poll::Ready(()));
            }
            let taken = self.look_at(&mut buffer[..read], cx);
            self.raw.early.extend_from_slice(&buffer[taken..read]);
        }
        Ok(Poll::Pending)
    }

    /// Whether anything more is read. If not, somebody wakes this task when that changes.
    pub(super) fn may_read(&mut self, cx: &mut Context<'_>) -> bool {
        if matches!(self.phase, Phase::Ending(..)) {
            // An end of the stream is waited for, not what comes before it.
            return self.farewell > 0;
        }
        self.raw.early.is_empty() && self.farewell > 0 && !self.is_held(cx)
    }

    /// Whether the next frame has to wait.
    pub(super) fn is_held(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.decoder.at_start() || self.is_closing() {
            return false;
        }
        self.held = self.unsent.is_much() || self.receiver.poll_room(cx).is_pending();
        self.held
    }

    pub(super) fn is_closing(&self) -> bool {
        self.phase != Phase::Open || self.handle.closing().is_some()
    }

    /// Looks at what was read: how many bytes of it. The rest waits.
    pub(super) fn look_at(&mut self, bytes: &mut [u8], cx: &mut Context<'_>) -> usize {
        self.has_read = true;
        let mut at = 0;
        loop {
            if matches!(self.phase, Phase::Ending(..)) || self.deaf {
                self.farewell = self.farewell.saturating_sub(bytes.len() - at);
                return bytes.len();
            }
            if self.flooded && !self.is_closing() {
                if self.receiver.poll_empty(cx).is_pending() {
                    return at;
                }
                self.handle.close(CloseCode::Flooding);
            }
            if at < bytes.len() && self.is_held(cx) {
                return at;
            }
            let (taken, step) = match self.decoder.step(&mut bytes[at..], &self.worker.inflater) {
                Ok(step) => step,
                Err(code) => {
                    self.fail(code);
                    continue;
                }
            };
            at += taken;
            let mut head = None;
            let mut goodbye = None;
            match step {
                Step::More => {
                    if self.phase != Phase::Open {
                        self.farewell = self.farewell.saturating_sub(at);
                    }
                    return bytes.len();
                }
                Step::Frame => {}
                Step::Head(begun) => head = Some(begun),
                Step::Message(Message::Text(text)) => self.receiver.text(text, &mut self.unsent),
                Step::Message(Message::Binary(bytes)) => self.receiver.binary(bytes, &mut self.unsent),
                Step::Message(Message::Ping(payload)) => self.unsent.say(Opcode::Pong, payload),
                Step::Message(Message::Pong) => {
                    if let Some(heart) = &mut self.heartbeat {
                        heart.answered();
                    }
                }
                Step::Message(Message::Close(code, reason)) => goodbye = Some((code, reason.to_owned())),
            }
            if let Some(head) = head {
                self.begin(head);
            }
            if let Some((code, reason)) = goodbye {
                self.take_goodbye(code, &reason);
            }
        }
    }

    /// Whether a frame is taken or passed over.
    pub(super) fn begin(&mut self, head: Head) {
        let is_taken = if self.is_closing() || self.flooded {
            head.opcode == Opcode::Close
        } else {
            self.flooded = !self.receiver.admit();
            !self.flooded
        };
        if !is_taken {
            self.decoder.pass_over(head);
        } else if let Err(code) = self.decoder.begin(head) {
            self.handle.close(code);
            // Where it ends is known, unless it does not belong there at all.
            self.deaf = code == CloseCode::ProtocolError;
            self.decoder.pass_over(head);
        }
    }
}
