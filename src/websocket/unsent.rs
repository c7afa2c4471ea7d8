//! What is on its way to the transport, which has taken no more.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

use super::encoding;
use super::heads::Opcode;

/// While more than this waits, nothing is read: who does not take our answers gets no more of them. In bytes.
const MANY_BYTES: usize = 64 * 1024;

/// Bytes of frames. Its memory goes when they have gone.
#[derive(Debug, Default)]
pub struct Unsent {
    bytes: Vec<u8>,
    sent: usize,
}

impl Unsent {
    /// Says something at once, behind what waits here and before what waits in the socket's queue.
    pub fn say(&mut self, opcode: Opcode, payload: &[u8]) {
        encoding::put(&mut self.bytes, opcode, false, payload);
    }

    pub(super) fn say_goodbye(&mut self, code: Option<u16>, reason: &str) {
        encoding::put_close(&mut self.bytes, code, reason);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn is_much(&self) -> bool {
        self.bytes.len() - self.sent > MANY_BYTES
    }

    /// Keeps what was not taken of bytes that were written directly. Only to be called while it is empty.
    pub(super) fn keep(&mut self, rest: &[u8]) {
        self.bytes.extend_from_slice(rest);
    }

    /// Writes as much as is taken: how many bytes. Pending: some are left.
    pub(super) fn poll_send(
        &mut self,
        io: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> (usize, Poll<io::Result<()>>) {
        let before = self.sent;
        while self.sent < self.bytes.len() {
            match Pin::new(&mut *io).poll_write(cx, &self.bytes[self.sent..]) {
                Poll::Ready(Ok(0)) => return (0, Poll::Ready(Err(io::ErrorKind::WriteZero.into()))),
                Poll::Ready(Ok(taken)) => self.sent += taken,
                Poll::Ready(Err(error)) => return (0, Poll::Ready(Err(error))),
                Poll::Pending => return (self.sent - before, Poll::Pending),
            }
        }
        let sent = self.sent - before;
        *self = Self::default();
        (sent, Poll::Ready(Ok(())))
    }
}
