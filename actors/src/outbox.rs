//! The way out of one socket: a queue bounded in bytes, frames and time. Registry and sessions push into it and never
//! wait; the socket drains it as fast as its client reads.
//!
//! Ephemeral text is merged while it waits, so a slow reader gets fewer and larger deltas. What is logged is never
//! merged and never dropped silently: a full queue closes the socket as slow, and the client recovers from the log.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix::Addr;
use bytestring::ByteString;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::ids::{AnswerId, GroupName, SocketId, cut};
use crate::messages::Replay as Missed;
use crate::protocol::{Close, CloseCode, Event};
use crate::session::Session;

/// What one poll of the way out takes at most, in bytes: enough for one good write, small enough that the queue and
/// not the transport's buffer holds what the client does not read.
const BATCH_BYTES: usize = 64 * 1024;

/// A replay goes on reading the log when less than this waits, in bytes.
const REPLAY_LOW_WATER: usize = 64 * 1024;

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

/// A piece of an answer on its way to sockets, encoded once for all of them.
#[derive(Debug)]
pub struct Delta {
    /// The group.
    pub group: GroupName,
    /// The answer.
    pub answer: AnswerId,
    /// Unicode scalar values before it.
    pub offset: usize,
    /// The text.
    pub text: String,
    frame: ByteString,
}

impl Delta {
    /// Encodes the piece.
    pub fn new(group: GroupName, answer: AnswerId, offset: usize, text: String) -> Self {
        let frame = Event::AnswerDelta { group: &group, answer: &answer, offset, text: &text }.encode();
        Self { group, answer, offset, text, frame }
    }
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

enum Waiting {
    Text(ByteString),
    Delta(Arc<Delta>),
    Merged(Delta),
}

impl Waiting {
    /// The answer that it is a piece of.
    fn answer(&self) -> Option<&AnswerId> {
        match self {
            Self::Text(_) => None,
            Self::Delta(delta) => Some(&delta.answer),
            Self::Merged(delta) => Some(&delta.answer),
        }
    }

    fn into_frame(self) -> ByteString {
        match self {
            Self::Text(frame) => frame,
            Self::Delta(delta) => delta.frame.clone(),
            Self::Merged(delta) => Delta::new(delta.group, delta.answer, delta.offset, delta.text).frame,
        }
    }
}

struct Queued {
    frame: Waiting,
    bytes: usize,
    /// Whether it counts against the bounds: what is replayed from the log does not.
    counted: bool,
    at: Instant,
}

/// Where a replay of a group's log stands for this socket.
#[derive(Default)]
struct Replay {
    /// The newest live event that was left to the replay.
    live: u64,
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
    replays: HashMap<GroupName, Replay>,
    /// Groups whose logged events wait for the client to say from where it wants them, with what is owed if it does not.
    withheld: HashMap<GroupName, Missed>,
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
    session: Mutex<Option<Addr<Session>>>,
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
    pub fn bind(&self, session: Addr<Session>) {
        *self.0.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
    }

    /// Who takes the socket's commands.
    pub fn session(&self) -> Option<Addr<Session>> {
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

    /// What was written of an answer so far comes by [`Self::pay`]; until then its pieces are left out.
    pub fn owe(&self, answer: &AnswerId) {
        self.state().owed.insert(answer.clone(), (0, 0));
    }

    /// Queues the next piece of an answer that is owed, of at most so many bytes (and a character at least), which does not count
    /// against the bounds. `text` is all of it so far. Whether something of it is owed still.
    pub fn pay(&self, group: &GroupName, answer: &AnswerId, text: &str, most: usize) -> bool {
        let mut state = self.state();
        let Some((bytes, chars)) = state.owed.get(answer).copied() else { return false };
        let rest = text.get(bytes..).unwrap_or_default();
        let piece = cut(rest, most.max(4));
        let end = piece.len();
        let is_all = end == rest.len();
        if is_all {
            state.owed.remove(answer);
        } else {
            state.owed.insert(answer.clone(), (bytes + end, chars + piece.chars().count()));
        }
        if !piece.is_empty() {
            let delta = Delta::new(group.clone(), answer.clone(), chars, piece.to_owned());
            self.enqueue(&mut state, Waiting::Delta(Arc::new(delta)), false);
        }
        !is_all
    }

    /// From here on the group's logged events come from a replay, until [`Self::push_replayed`] says that it is through.
    pub fn begin_replay(&self, group: &GroupName) {
        let mut state = self.state();
        state.replayed.remove(group);
        state.replays.insert(group.clone(), Replay::default());
    }

    /// As [`Self::begin_replay`], for a client that has yet to say what it missed: until then, or until its time for that is over,
    /// nothing newer may come to it. `owed` is what it gets if it says nothing.
    pub fn withhold(&self, owed: Missed) {
        self.begin_replay(&owed.group);
        self.state().withheld.insert(owed.group.clone(), owed);
    }

    /// What a group's client is owed, if its events are withheld; from here on they are no more, but for the replay that is due.
    pub fn take_withheld(&self, group: &GroupName) -> Option<Missed> {
        self.state().withheld.remove(group)
    }

    /// [`Self::take_withheld`] of all groups.
    pub fn take_all_withheld(&self) -> Vec<Missed> {
        std::mem::take(&mut self.state().withheld).into_values().collect()
    }

    /// Gives a replay up, and forgets what one has brought: live events flow again, from whatever `seq`.
    pub fn end_replay(&self, group: &GroupName) {
        let mut state = self.state();
        state.replays.remove(group);
        state.withheld.remove(group);
        state.replayed.remove(group);
    }

    /// Queues replayed events up to `last`. `more`: the log had more of them. `true`: the replay is through, and live events follow
    /// without hole or repetition; or it was given up, and nothing was queued.
    pub fn push_replayed(&self, group: &GroupName, frames: Vec<ByteString>, last: u64, more: bool) -> bool {
        let mut state = self.state();
        let Some(live) = state.replays.get(group).map(|replay| replay.live) else { return true };
        for frame in frames {
            self.enqueue(&mut state, Waiting::Text(frame), false);
        }
        if more || live > last {
            return false;
        }
        state.replays.remove(group);
        state.replayed.insert(group.clone(), last);
        true
    }

    /// Waits until a replay may read on. `false`: the socket is closing.
    pub async fn wants_more(&self) -> bool {
        loop {
            let drained = self.0.drained.notified();
            {
                let state = self.state();
                if state.gone || state.closing.is_some() {
                    return false;
                }
                if state.bytes < REPLAY_LOW_WATER {
                    return true;
                }
            }
            // The sweep closes a socket whose queue does not drain, so this wait ends.
            drained.await;
        }
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::ids::Epoch;

    const LIMITS: OutboxLimits = OutboxLimits { bytes: 1_000, frames: 5, age: Duration::from_secs(10) };

    fn handle() -> (SocketHandle, Arc<AtomicUsize>) {
        let cuts = Arc::new(AtomicUsize::new(0));
        let counter = cuts.clone();
        (SocketHandle::new(LIMITS, move || _ = counter.fetch_add(1, Ordering::Relaxed)), cuts)
    }

    fn poll(handle: &SocketHandle) -> Option<Outgoing> {
        match handle.poll_outgoing(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outgoing) => outgoing,
            Poll::Pending => None,
        }
    }

    fn frames(handle: &SocketHandle) -> Vec<String> {
        match poll(handle) {
            Some(Outgoing::Frames(frames)) => frames.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        }
    }

    fn group() -> GroupName {
        GroupName::parse("g").expect("legal")
    }

    fn delta(offset: usize, text: &str) -> Arc<Delta> {
        Arc::new(Delta::new(group(), AnswerId::from("a"), offset, text.into()))
    }

    #[tokio::test]
    async fn waiting_deltas_of_one_answer_become_one_frame_without_a_hole() {
        let (handle, _) = handle();
        for (offset, text) in [(0, "ab"), (2, "cd"), (4, "é")] {
            assert!(handle.push_delta(&delta(offset, text)));
        }
        let sent = frames(&handle);
        assert_eq!(sent.len(), 1);
        let frame: serde_json::Value = serde_json::from_str(&sent[0]).expect("JSON");
        assert_eq!((frame["offset"].as_u64(), frame["text"].as_str()), (Some(0), Some("abcdé")));
        assert!(handle.push_delta(&delta(5, "f")));
        assert!(frames(&handle)[0].contains("\"offset\":5"));
        assert_eq!(handle.queued_bytes(), 0);
    }

    #[tokio::test]
    async fn a_full_queue_closes_the_socket_as_slow() {
        let (handle, _) = handle();
        for _ in 0..5 {
            assert!(handle.push("x".into()));
        }
        assert!(!handle.push("x".into()));
        assert!(matches!(poll(&handle), Some(Outgoing::Close(Close { code: CloseCode::Slow, .. }))));
        assert!(!handle.push("x".into()), "nothing is queued behind a close");
    }

    #[tokio::test]
    async fn one_frame_may_be_larger_than_the_whole_queue() {
        let (handle, _) = handle();
        assert!(handle.push("x".repeat(2 * LIMITS.bytes).into()));
        assert!(!handle.push("x".into()), "but nothing may wait behind it");
    }

    #[tokio::test]
    async fn a_log_that_begins_anew_is_not_taken_for_what_was_replayed() {
        let (handle, _) = handle();
        handle.begin_replay(&group());
        handle.push_replayed(&group(), vec!["old".into()], 50, false);
        handle.end_replay(&group());
        handle.push_logged(&group(), 1, "new".into());
        assert_eq!(frames(&handle), ["old", "new"]);
    }

    #[tokio::test]
    async fn what_waits_is_sent_before_any_other_close() {
        let (handle, _) = handle();
        handle.push("last words".into());
        handle.close(CloseCode::Draining);
        handle.close(CloseCode::Slow);
        assert_eq!(frames(&handle), ["last words"]);
        assert!(matches!(poll(&handle), Some(Outgoing::Close(Close { code: CloseCode::Draining, .. }))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_nothing_is_cut_though_its_transport_stands_still() {
        let (handle, cuts) = handle();
        handle.push("unread".into());
        tokio::time::advance(Duration::from_millis(9_900)).await;
        handle.sweep();
        assert_eq!(handle.closing(), None);
        tokio::time::advance(Duration::from_millis(200)).await;
        handle.sweep();
        assert_eq!(handle.closing(), Some(CloseCode::Slow));
        tokio::time::advance(CLOSE_GRACE).await;
        handle.sweep();
        assert_eq!(cuts.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_replay_passes_over_to_live_events_without_hole_or_repetition() {
        let (handle, _) = handle();
        handle.begin_replay(&group());
        handle.push_logged(&group(), 3, "three".into());
        assert!(!handle.push_replayed(&group(), vec!["one".into(), "two".into()], 2, false), "3 is still to be read");
        assert!(handle.push_replayed(&group(), vec!["three".into(), "four".into()], 4, false));
        handle.push_logged(&group(), 4, "four again".into());
        handle.push_logged(&group(), 5, "five".into());
        assert_eq!(frames(&handle), ["one", "two", "three", "four", "five"]);
    }

    #[tokio::test]
    async fn what_is_withheld_is_owed_once() {
        let (handle, _) = handle();
        let owed = Missed { group: group(), epoch: Epoch::from("e"), after: 7 };
        handle.withhold(owed.clone());
        handle.push_logged(&group(), 8, "eight".into());
        assert_eq!(frames(&handle), [] as [&str; 0]);
        assert_eq!(handle.take_withheld(&group()), Some(owed.clone()));
        assert!(handle.take_all_withheld().is_empty());
        assert!(handle.push_replayed(&group(), vec!["eight".into()], 8, false));
        assert_eq!(frames(&handle), ["eight"]);

        handle.withhold(owed);
        handle.end_replay(&group());
        assert!(handle.take_all_withheld().is_empty());
        assert!(handle.push_replayed(&group(), vec!["stale".into()], 9, false), "it was given up");
        handle.push_logged(&group(), 9, "nine".into());
        assert_eq!(frames(&handle), ["nine"]);
    }

    #[tokio::test]
    async fn a_replay_does_not_count_against_the_bounds() {
        let (handle, _) = handle();
        handle.begin_replay(&group());
        let many = (0..100).map(|_| ByteString::from("0123456789012345678901234567890")).collect();
        assert!(handle.push_replayed(&group(), many, 100, false));
        assert!(handle.push("live".into()));
        assert_eq!(handle.closing(), None);
    }

    #[tokio::test]
    async fn a_large_queue_leaves_in_batches() {
        let (handle, _) = handle();
        handle.begin_replay(&group());
        let many = (0..3).map(|_| ByteString::from("x".repeat(BATCH_BYTES))).collect();
        handle.push_replayed(&group(), many, 3, false);
        assert_eq!(frames(&handle).len(), 1);
        assert!(poll(&handle).is_none(), "the transport writes first");
        assert_eq!(frames(&handle).len(), 1);
    }
}
