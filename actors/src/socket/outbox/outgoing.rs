//! What the socket takes out of the queue, as fast as its client reads.

use std::task::{Context, Poll};

use bytestring::ByteString;

use super::SocketHandle;
use crate::protocol::Close;

/// What one poll of the way out takes at most, in bytes: enough for one good write, small enough that the queue and
/// not the transport's buffer holds what the client does not read.
pub(super) const BATCH_BYTES: usize = 64 * 1024;

/// What the socket is to do next.
#[derive(Debug)]
pub enum Outgoing {
    /// Send these text frames.
    Frames(Vec<ByteString>),
    /// Say why, and close; nothing follows.
    Close(Close),
}

impl SocketHandle {
    /// What to send next; `None` once the close has been handed out.
    pub fn poll_outgoing(&self, cx: &mut Context<'_>) -> Poll<Option<Outgoing>> {
        let mut state = self.state();
        if std::mem::take(&mut state.rest) {
            // Asked again only after the transport has taken what it was given.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut frames = Vec::new();
        let mut batch = 0;
        while batch < BATCH_BYTES {
            let Some(queued) = state.queue.pop_front() else { break };
            let position = state.popped;
            if let Some(answer) = queued.frame.answer()
                && state.deltas.get(answer) == Some(&position)
            {
                state.deltas.remove(answer);
            }
            state.popped += 1;
            state.bytes -= queued.bytes;
            if queued.counted {
                state.counted_bytes -= queued.bytes;
                state.counted_frames -= 1;
            }
            batch += queued.bytes;
            frames.push(queued.frame.into_frame());
        }
        if !frames.is_empty() {
            state.rest = batch >= BATCH_BYTES;
            self.0.drained.notify_waiters();
            return Poll::Ready(Some(Outgoing::Frames(frames)));
        }
        match state.closing {
            Some(_) if state.close_taken => Poll::Ready(None),
            Some((close, _)) => {
                state.close_taken = true;
                Poll::Ready(Some(Outgoing::Close(close)))
            }
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
