//! What goes out over a connection: what waits in its socket's queue, in one write.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use sophie_actors::socket::Outgoing;
use tokio::io::AsyncWrite;
use tokio::time::Instant;

use super::{Connection, Phase};
use crate::websocket::heads::Opcode;
use crate::websocket::{Receiver, encoding};

impl<R: Receiver> Connection<R> {
    /// Writes what the transport takes.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            if !self.unsent.is_empty() {
                let (taken, sent) = self.unsent.poll_send(&mut self.raw.io, cx);
                match sent {
                    Poll::Ready(sent) => sent?,
                    Poll::Pending => {
                        if taken > 0 || self.blocked.is_none() {
                            self.blocked = Some(Instant::now());
                        }
                        return Ok(());
                    }
                }
            }
            // TLS may hold what the kernel does not take.
            if Pin::new(&mut self.raw.io).poll_flush(cx)?.is_pending() {
                self.blocked.get_or_insert_with(Instant::now);
                return Ok(());
            }
            self.blocked = None;
            match self.phase {
                Phase::Open => {}
                Phase::Said(_) => return Ok(()),
                Phase::Ending(..) => {
                    if !self.is_shut && Pin::new(&mut self.raw.io).poll_shutdown(cx)?.is_ready() {
                        self.is_shut = true;
                    }
                    return Ok(());
                }
            }
            let worker = self.worker.clone();
            let mut frames = worker.batch();
            match self.handle.poll_outgoing(cx, &mut frames) {
                Poll::Ready(Some(Outgoing::Frames)) => {
                    let mut write = worker.room();
                    for frame in frames.drain(..) {
                        let compressed = self.deflate.and_then(|to| worker.deflater.borrow_mut().compress(to, &frame));
                        match compressed {
                            Some(bytes) => encoding::put(&mut write, Opcode::Text, true, &bytes),
                            None => encoding::put(&mut write, Opcode::Text, false, frame.as_bytes()),
                        }
                    }
                    let taken = match Pin::new(&mut self.raw.io).poll_write(cx, &write) {
                        Poll::Ready(taken) => taken?,
                        Poll::Pending => 0,
                    };
                    self.unsent.keep(&write[taken..]);
                }
                Poll::Ready(Some(Outgoing::Close(close))) => self.say_goodbye(close),
                Poll::Ready(None) | Poll::Pending => return Ok(()),
            }
        }
    }
}
