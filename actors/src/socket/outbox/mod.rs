//! The way out of one socket: a queue bounded in bytes, frames and time. Registry and sessions push into it and never
//! wait; the socket drains it as fast as its client reads.
//!
//! Ephemeral text is merged while it waits, so a slow reader gets fewer and larger deltas. What is logged is never
//! merged and never dropped silently: a full queue closes the socket as slow, and the client recovers from the log.

mod closing;
mod outgoing;
mod pushing;
mod replay;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::ids::{GroupName, RequestId, SocketId};
use crate::protocol::{AnswerText, Close};
use crate::socket::{Bell, SessionHandle};

pub use outgoing::Outgoing;
use replay::Behind;
pub use replay::{Replay, ReplayPage};
pub use waiting::Delta;
use waiting::Waiting;

/// The bounds of a socket's queue.
#[derive(Debug, Clone, Copy)]
pub struct OutboxLimits {
    /// Bytes that may wait.
    pub bytes: usize,
    /// Frames that may wait.
    pub frames: usize,
    /// How long the oldest may wait.
    pub age: Duration,
}

/// A text of an answer that a socket is still to get, as far as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// Where.
    pub group: GroupName,
    /// Which text.
    pub of: AnswerText,
}

struct Queued {
    frame: Waiting,
    bytes: usize,
    /// Whether it counts against the bounds: what is replayed from the log does not.
    counted: bool,
    at: Instant,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Queued>,
    /// Frames that left the queue so far; positions of waiting deltas are counted from the beginning of time.
    popped: u64,
    /// Where the youngest waiting delta of a text stands.
    deltas: BTreeMap<AnswerText, u64>,
    bytes: usize,
    counted_bytes: usize,
    /// As many as `u32` counts: it stands with what is small.
    counted_frames: u32,
    /// What it has yet to be brought; `None` for nearly every socket, which has all there is.
    behind: Option<Box<Behind>>,
    /// Who takes the frames.
    waker: Option<Waker>,
    /// It has taken all, and is woken for the next.
    is_waiting: bool,
    closing: Option<(Close, Instant)>,
    close_taken: bool,
    gone: bool,
}

struct Shared {
    id: SocketId,
    /// Of the handshake by which it came.
    request: Option<RequestId>,
    limits: OutboxLimits,
    /// Who wakes the socket's task on its own thread; without, it is woken from here.
    bell: Option<Arc<Bell>>,
    state: Mutex<State>,
    drained: Notify,
    /// The actor that takes this socket's commands; another one after a restart.
    session: Mutex<Option<SessionHandle>>,
    /// Cuts the connection from outside, for a client that has stopped reading.
    cut: Box<dyn Fn() + Send + Sync>,
}

/// A socket as the registry and the sessions see it.
#[derive(Clone)]
pub struct SocketHandle(Arc<Shared>);

impl std::fmt::Debug for SocketHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "socket {}", self.0.id)
    }
}

impl SocketHandle {
    /// A way out within `limits`; `cut` ends the connection whatever the transport is doing. Who takes the frames is woken by `bell`, if
    /// there is one.
    pub fn new(limits: OutboxLimits, bell: Option<Arc<Bell>>, cut: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared {
            id: SocketId::next(),
            // What is said over it later is no part of its handshake.
            request: RequestId::current().map(RequestId::apart),
            limits,
            bell,
            state: Mutex::new(State::default()),
            drained: Notify::new(),
            session: Mutex::default(),
            cut: Box::new(cut),
        }))
    }

    /// Which socket this is.
    pub fn id(&self) -> SocketId {
        self.0.id
    }

    /// The request that it came by: the lines of the log about it bear its id.
    pub fn request(&self) -> Option<RequestId> {
        self.0.request.clone()
    }

    /// Sends the socket's commands to this session from now on.
    pub fn bind(&self, session: SessionHandle) {
        *self.0.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
    }

    /// Who takes the socket's commands.
    pub fn session(&self) -> Option<SessionHandle> {
        self.0.session.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is consistent between statements: a panic elsewhere does not spoil it.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long it may be that nothing of what waits is taken.
    pub fn patience(&self) -> Duration {
        self.0.limits.age
    }

    /// Bytes that wait.
    pub fn queued_bytes(&self) -> usize {
        self.state().bytes
    }

    fn wake(&self, state: &mut State) {
        state.is_waiting = false;
        match (&state.waker, &self.0.bell) {
            (Some(waker), Some(bell)) => bell.wake(waker.clone()),
            (Some(waker), None) => waker.wake_by_ref(),
            (None, _) => {}
        }
    }
}
