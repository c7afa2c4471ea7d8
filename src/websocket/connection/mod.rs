//! One WebSocket: a task that reads what its client says, writes what waits for it, and ends it in time.
//!
//! Owns: the transport, the heartbeat, the message under way. Receives: a client's frames, and frames from the socket's queue. Sends:
//! messages to its [`Receiver`]. Ends when: both have said goodbye, the transport breaks, or it is cut.

mod clock;
mod closing;
mod reading;
mod writing;

use std::io;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sophie_actors::socket::SocketHandle;
use tokio::time::{Instant, Sleep};

use super::decoder::Decoder;
use super::heads::Allowed;
use super::heartbeat::Heartbeat;
use super::worker::Worker;
use super::{Deflate, Raw, Receiver, Unsent};

/// How long a client may take to answer our close frame.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);
/// How long the transport is given to end when both have said goodbye.
const LINGER: Duration = Duration::from_millis(100);
/// What is still read of a client to whom we have said goodbye, beside one frame: its own goodbye may stand behind what was under way.
const FAREWELL: usize = 64 * 1024;

/// How a connection is kept.
#[derive(Debug)]
pub struct Options {
    /// What the client may send.
    pub allowed: Allowed,
    /// How its being there is watched; `None`: not at all.
    pub heartbeat: Option<Heartbeat>,
    /// How what goes out is compressed, if that was agreed on.
    pub deflate: Option<Deflate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Our goodbye is on its way; the client's is waited for.
    Said(Instant),
    /// Both are said, or the client's cannot be told any more: what is left is sent, and the transport is ended.
    Ending(Instant, Duration),
}

/// The task.
pub struct Connection<R: Receiver> {
    raw: Raw,
    handle: SocketHandle,
    receiver: R,
    worker: Rc<Worker>,
    decoder: Decoder,
    deflate: Option<Deflate>,
    heartbeat: Option<Heartbeat>,
    timer: Pin<Box<Sleep>>,
    phase: Phase,
    unsent: Unsent,
    /// Since when the transport has taken nothing.
    blocked: Option<Instant>,
    /// Reading waits for the receiver, or for the client to take our answers.
    held: bool,
    /// More was sent than may be: told when what came before it is answered.
    flooded: bool,
    /// The frames cannot be told apart any more.
    deaf: bool,
    /// The client has said goodbye.
    left: bool,
    /// How much of what follows the goodbye is read.
    farewell: usize,
    is_shut: bool,
    /// The timer wakes this task.
    is_timed: bool,
    is_begun: bool,
    /// Since the last write.
    has_read: bool,
    is_closed: bool,
}

impl<R: Receiver> Connection<R> {
    /// Over a stream whose handshake is done. Runs when it is polled, on the thread of `worker`.
    pub fn new(raw: Raw, handle: SocketHandle, receiver: R, worker: Rc<Worker>, options: Options) -> Self {
        let Options { allowed, heartbeat, deflate } = options;
        Self {
            raw,
            handle,
            receiver,
            worker,
            decoder: Decoder::new(Allowed { compressed: deflate.is_some(), ..allowed }),
            deflate,
            timer: Box::pin(tokio::time::sleep(clock::FAR)),
            heartbeat,
            phase: Phase::Open,
            unsent: Unsent::default(),
            blocked: None,
            held: false,
            flooded: false,
            deaf: false,
            left: false,
            farewell: FAREWELL.saturating_add(allowed.bytes),
            is_shut: false,
            is_timed: false,
            is_begun: false,
            has_read: false,
            is_closed: false,
        }
    }

    /// Everything that can be done now. `Ready`: it is over.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.raw.wire.is_cut(cx) {
            return Poll::Ready(Ok(()));
        }
        self.look_at_the_clock();
        self.poll_write(cx)?;
        if self.poll_read(cx)?.is_ready() {
            return Poll::Ready(Ok(()));
        }
        if mem::take(&mut self.has_read) {
            // What was read may be answered, or ended the connection.
            self.poll_write(cx)?;
        }
        if self.held && self.blocked.is_none() && !self.is_held(cx) {
            // What was said at once held up what the client says next, and has gone.
            cx.waker().wake_by_ref();
        }
        self.set_timer(cx);
        Poll::Pending
    }
}

impl<R: Receiver> Future for Connection<R> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !mem::replace(&mut self.is_begun, true) {
            self.receiver.opened();
        }
        if let Err(error) = ready!(self.poll_turn(cx)) {
            log::trace!(socket:% = self.handle.id(), error:%; "a connection broke");
        }
        Poll::Ready(())
    }
}

impl<R: Receiver> Drop for Connection<R> {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests;
