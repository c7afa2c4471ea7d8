//! What the socket takes out of the queue, as fast as its client reads.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use bytestring::ByteString;

use super::SocketHandle;
use crate::protocol::Close;

/// What one poll of the way out takes at most, in bytes: enough for one good write, small enough that the queue and
/// not the transport's buffer holds what the client does not read.
pub(super) const BATCH_BYTES: usize = 64 * 1024;
/// Frames for which a queue that is in use keeps its memory when it is empty. One that rests keeps none.
const KEPT_FRAMES: usize = 64;

/// What the socket is to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// Send the text frames that were added.
    Frames,
    /// Say why, and close; nothing follows.
    Close(Close),
}

impl SocketHandle {
    /// What to send next, frames at the end of `frames`; `None` once the close has been handed out.
    pub fn poll_outgoing(&self, cx: &mut Context<'_>, frames: &mut Vec<ByteString>) -> Poll<Option<Outgoing>> {
        let mut state = self.state();
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        let mut batch = 0;
        let before = frames.len();
        while batch < BATCH_BYTES {
            let Some(queued) = state.queue.pop_front() else { break };
            let position = state.popped;
            if let Some(of) = queued.frame.of()
                && state.deltas.get(of) == Some(&position)
            {
                state.deltas.remove(of);
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
        if frames.len() > before {
            if state.queue.is_empty() && state.queue.capacity() > KEPT_FRAMES {
                state.queue = VecDeque::new();
            }
            self.0.drained.notify_waiters();
            return Poll::Ready(Some(Outgoing::Frames));
        }
        match state.closing {
            Some(_) if state.close_taken => Poll::Ready(None),
            Some((close, _)) => {
                state.close_taken = true;
                Poll::Ready(Some(Outgoing::Close(close)))
            }
            None => {
                state.is_waiting = true;
                Poll::Pending
            }
        }
    }
}
