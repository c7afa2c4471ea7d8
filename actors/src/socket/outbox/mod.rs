//! The way out of one socket: a queue bounded in bytes, frames and time. Registry and sessions push into it and never
//! wait; the socket drains it as fast as its client reads.
//!
//! Ephemeral text is merged while it waits, so a slow reader gets fewer and larger deltas. What is logged is never
//! merged and never dropped silently: a full queue closes the socket as slow, and the client recovers from the log.

mod replay;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytestring::ByteString;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::ids::{AnswerId, GroupName, SocketId};
use crate::protocol::{Close, CloseCode};
use crate::socket::SessionHandle;

pub use replay::Replay;
use replay::Replaying;
pub use waiting::Delta;
use waiting::Waiting;

/// What one poll of the way out takes at most, in bytes: enough for one good write, small enough that the queue and
/// not the transport's buffer holds what the client does not read.
const BATCH_BYTES: usize = 64 * 1024;

/// How long a socket that is told to close may take before its connection is cut.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

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

/// An answer whose text so far a socket is still to get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// Where.
    pub group: GroupName,
    /// Which answer.
    pub answer: AnswerId,
}

/// What the socket is to do next.
#[derive(Debug)]
pub enum Outgoing {
    /// Send these text frames.
    Frames(Vec<ByteString>),
    /// Say why, and close; nothing follows.
    Close(Close),
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
    /// Where the youngest waiting delta of an answer stands.
    deltas: HashMap<AnswerId, u64>,
    bytes: usize,
    counted_bytes: usize,
    counted_frames: usize,
    /// Answers of which the socket has yet to get what was written so far: how much it has, in bytes and characters.
    owed: HashMap<AnswerId, (usize, usize)>,
    replays: HashMap<GroupName, Replaying>,
    /// Groups whose logged events wait for the client to say from where it wants them, with what is owed if it does not.
    withheld: HashMap<GroupName, Replay>,
    /// What a replay has delivered already and the live path may bring again.
    replayed: HashMap<GroupName, u64>,
    waker: Option<Waker>,
    closing: Option<(Close, Instant)>,
    close_taken: bool,
    gone: bool,
    /// A full batch was handed out: let the transport write before the next.
    rest: bool,
}

struct Shared {
    id: SocketId,
    limits: OutboxLimits,
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
    /// A way out within `limits`; `cut` ends the connection whatever the transport is doing.
    pub fn new(limits: OutboxLimits, cut: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared {
            id: SocketId::next(),
            limits,
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

    /// Queues a frame. `false`: the socket is closing (perhaps because of this very frame).
    pub fn push(&self, frame: ByteString) -> bool {
        let mut state = self.state();
        self.enqueue(&mut state, Waiting::Text(frame), true)
    }

    /// Queues an event of a group's log, unless a replay brings it or has brought it.
    pub fn push_logged(&self, group: &GroupName, seq: u64, frame: ByteString) -> bool {
        let mut state = self.state();
        if let Some(replay) = state.replays.get_mut(group) {
            replay.live = replay.live.max(seq);
            return true;
        }
        if let Some(last) = state.replayed.get(group) {
            if seq <= *last {
                return true;
            }
            state.replayed.remove(group);
        }
        self.enqueue(&mut state, Waiting::Text(frame), true)
    }

    /// Queues a piece of an answer; merged with the piece before it if that still waits.
    pub fn push_delta(&self, delta: &Arc<Delta>) -> bool {
        let mut state = self.state();
        if !state.owed.is_empty() && state.owed.contains_key(&delta.answer) {
            // It comes with what is owed.
            return true;
        }
        let place = state.deltas.get(&delta.answer).and_then(|at| at.checked_sub(state.popped));
        let waiting = place.and_then(|place| usize::try_from(place).ok()).and_then(|place| state.queue.get_mut(place));
        if let Some(queued) = waiting {
            let added = delta.text.len();
            queued.frame = match std::mem::replace(&mut queued.frame, Waiting::Text(ByteString::new())) {
                Waiting::Delta(first) => Waiting::Merged(Delta {
                    group: first.group.clone(),
                    answer: first.answer.clone(),
                    offset: first.offset,
                    text: [first.text.as_str(), delta.text.as_str()].concat(),
                    frame: ByteString::new(),
                }),
                Waiting::Merged(mut merged) => {
                    merged.text.push_str(&delta.text);
                    Waiting::Merged(merged)
                }
                text => text,
            };
            queued.bytes += added;
            state.bytes += added;
            state.counted_bytes += added;
            return self.within_bounds(&mut state);
        }
        let position = state.popped + state.queue.len() as u64;
        state.deltas.insert(delta.answer.clone(), position);
        self.enqueue(&mut state, Waiting::Delta(delta.clone()), true)
    }

    fn enqueue(&self, state: &mut State, frame: Waiting, counted: bool) -> bool {
        if state.closing.is_some() || state.gone {
            return false;
        }
        let bytes = match &frame {
            Waiting::Text(frame) => frame.len(),
            Waiting::Delta(delta) => delta.frame.len(),
            Waiting::Merged(delta) => delta.text.len(),
        };
        state.queue.push_back(Queued { frame, bytes, counted, at: Instant::now() });
        state.bytes += bytes;
        if counted {
            state.counted_bytes += bytes;
            state.counted_frames += 1;
            if !self.within_bounds(state) {
                return false;
            }
        }
        wake(state);
        true
    }

    fn within_bounds(&self, state: &mut State) -> bool {
        let State { counted_bytes, counted_frames, .. } = *state;
        // One frame may be as large as it is: there is nothing that it waits behind.
        let full = counted_frames > 1 && (counted_bytes > self.0.limits.bytes || counted_frames > self.0.limits.frames);
        if full {
            self.begin_close(state, CloseCode::Slow.into());
        }
        !full
    }

    /// Closes the socket once what waits has been sent; the first reason given stands.
    pub fn close(&self, close: impl Into<Close>) {
        self.begin_close(&mut self.state(), close.into());
    }

    fn begin_close(&self, state: &mut State, close: Close) {
        if state.closing.is_some() || state.gone {
            return;
        }
        if close.code == CloseCode::Slow {
            // It would not be read anyway; the client recovers it from the log.
            state.queue.clear();
            state.deltas.clear();
            (state.bytes, state.counted_bytes, state.counted_frames) = (0, 0, 0);
        }
        state.closing = Some((close, Instant::now()));
        self.0.drained.notify_waiters();
        wake(state);
    }

    /// Closes the socket if something has waited for too long, and cuts it if it does not close. To be called about once a second.
    pub fn sweep(&self) {
        let mut state = self.state();
        if state.gone {
            return;
        }
        match state.closing {
            Some((_, since)) => {
                if since.elapsed() >= CLOSE_GRACE {
                    drop(state);
                    self.cut();
                }
            }
            None => {
                if state.queue.front().is_some_and(|oldest| oldest.at.elapsed() >= self.0.limits.age) {
                    self.begin_close(&mut state, CloseCode::Slow.into());
                }
            }
        }
    }

    /// Ends the connection whatever the transport is doing.
    pub fn cut(&self) {
        (self.0.cut)();
    }

    /// Bytes that wait.
    pub fn queued_bytes(&self) -> usize {
        self.state().bytes
    }

    /// Why it is closing, if it is.
    pub fn closing(&self) -> Option<CloseCode> {
        self.state().closing.map(|(close, _)| close.code)
    }

    /// The transport is gone: nothing more is queued.
    pub fn mark_gone(&self) {
        let mut state = self.state();
        state.gone = true;
        state.queue.clear();
        state.deltas.clear();
        state.bytes = 0;
        self.0.drained.notify_waiters();
    }

    /// Whether the transport is gone.
    pub fn is_gone(&self) -> bool {
        self.state().gone
    }

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

fn wake(state: &mut State) {
    if let Some(waker) = state.waker.take() {
        waker.wake();
    }
}
