//! What comes in over one socket, a frame at a time: judged by its head, counted, and not read while what came before it waits.
//!
//! The WebSocket library takes all that there is before it looks at the first frame. So it is given no more than one frame, and the
//! next one when it has dealt with that.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::error::PayloadError;
use actix_web::web::Payload;
use bytes::Bytes;
use futures_util::Stream;
use sophie_actors::protocol::CloseCode;
use sophie_actors::socket::{Intake, SocketHandle};

use super::flood::Flood;
use super::frames::{Frames, Head};

/// What is still read of a client to whom we have said goodbye, beside one frame: its own goodbye may stand behind what was under way.
const FAREWELL: u64 = 64 * 1024;

/// The stream.
pub(super) struct Inflow {
    payload: Payload,
    frames: Frames,
    flood: Option<Flood>,
    intake: Intake,
    handle: SocketHandle,
    /// Told whether reading waits for answers.
    held: Rc<Cell<bool>>,
    chunk: Bytes,
    /// Bytes of the frame's payload that are still to come.
    left: u64,
    /// Whether the frame under way is passed on.
    passes: bool,
    /// A whole frame was passed on and is to be dealt with.
    rests: bool,
    /// More was sent than may be: told when what came before it is answered.
    flooded: bool,
    /// How much of what follows the goodbye is read.
    farewell: u64,
    /// The frames cannot be told apart any more.
    deaf: bool,
}

impl Inflow {
    /// Of a socket that may send frames of at most `most` bytes.
    pub(super) fn new(
        payload: Payload,
        most: usize,
        flood: Option<Flood>,
        intake: Intake,
        handle: SocketHandle,
        held: Rc<Cell<bool>>,
    ) -> Self {
        Self {
            payload,
            frames: Frames::new(most),
            flood,
            intake,
            handle,
            held,
            chunk: Bytes::new(),
            left: 0,
            passes: false,
            rests: false,
            flooded: false,
            farewell: FAREWELL.saturating_add(most as u64),
            deaf: false,
        }
    }

    fn is_closing(&self) -> bool {
        self.handle.closing().is_some()
    }

    /// Skips so much of what follows the goodbye. `false`: enough of it was read.
    fn skip(&mut self, bytes: usize) -> bool {
        bytes::Buf::advance(&mut self.chunk, bytes);
        self.farewell = self.farewell.saturating_sub(bytes as u64);
        self.farewell > 0
    }

    /// Reads on within a frame's head. What is to be passed on, if anything is.
    fn head(&mut self) -> Option<Bytes> {
        let whole = self.frames.at_start();
        let (taken, head) = match self.frames.read(&self.chunk) {
            Ok((taken, None)) => {
                bytes::Buf::advance(&mut self.chunk, taken);
                return None;
            }
            Ok((taken, Some(head))) => (taken, head),
            Err(code) => {
                self.deaf = true;
                self.handle.close(code);
                return None;
            }
        };
        self.left = head.payload;
        self.passes = self.judge(head);
        // What lies in one piece is passed on as one.
        let mut part = self.chunk.split_to(taken);
        if !whole {
            part = Bytes::copy_from_slice(self.frames.bytes());
        }
        self.frames.next();
        self.rests = self.passes && self.left == 0;
        self.passes.then_some(part)
    }

    /// Whether the frame is passed on.
    fn judge(&mut self, head: Head) -> bool {
        if self.is_closing() || self.flooded {
            return head.is_close();
        }
        if self.flood.as_mut().is_some_and(|flood| !flood.admit()) {
            self.flooded = true;
            return false;
        }
        match self.frames.admit(head) {
            Ok(()) => true,
            Err(code) => {
                self.deaf = code == CloseCode::ProtocolError;
                self.handle.close(code);
                false
            }
        }
    }

    /// Reads on within a frame's payload.
    fn payload(&mut self) -> Option<Bytes> {
        let bytes = usize::try_from(self.left).unwrap_or(usize::MAX).min(self.chunk.len());
        self.left -= bytes as u64;
        if !self.passes {
            self.skip(bytes);
            return None;
        }
        self.rests = self.left == 0;
        Some(self.chunk.split_to(bytes))
    }
}

impl Stream for Inflow {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        // Whoever was given a whole frame asks again when it has dealt with that.
        if std::mem::take(&mut this.rests) {
            return Poll::Pending;
        }
        loop {
            if this.flooded && !this.is_closing() {
                if this.intake.poll_empty(cx).is_pending() {
                    return Poll::Pending;
                }
                this.handle.close(CloseCode::Flooding);
            }
            let closing = this.is_closing();
            if closing && this.farewell == 0 {
                return Poll::Pending;
            }
            let between = this.left == 0 && this.frames.at_start();
            if between && !closing {
                let waits = this.intake.poll_room(cx).is_pending();
                this.held.set(waits);
                if waits {
                    return Poll::Pending;
                }
            }
            if this.chunk.is_empty() {
                match Pin::new(&mut this.payload).poll_next(cx) {
                    Poll::Ready(Some(Ok(chunk))) => this.chunk = chunk,
                    other => return other,
                }
                continue;
            }
            let part = match this.left {
                _ if this.deaf => {
                    this.skip(this.chunk.len());
                    None
                }
                0 => this.head(),
                _ => this.payload(),
            };
            if let Some(part) = part {
                return Poll::Ready(Some(Ok(part)));
            }
        }
    }
}
