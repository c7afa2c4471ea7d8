//! The recording of an answer: its chunks as everybody reads them who is no socket of its group, at any node, now or later. Its writer stores
//! them before anybody sees them, so that a reader who comes back at another node finds what it has seen.

mod elsewhere;
mod recorder;
mod unwanted;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytestring::ByteString;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

pub(super) use elsewhere::follow;
pub use recorder::Recorder;
pub use unwanted::Unwanted;

use crate::dialects::AnswerEnd;
use crate::openai::Chunk;
use crate::protocol::{ErrorCode, Protocol, unix_ms};
use crate::store::{AnswerOwner, RecordingHead};

#[derive(Debug, Default)]
struct State {
    chunks: Vec<Arc<Chunk>>,
    end: Option<Finished>,
    readers: usize,
    /// The readers whose protocol is known.
    told_in: BTreeMap<Protocol, usize>,
    calls: Calls,
}

/// The calls by which this node and the store come to have the same: looks of a reader, writes of the writer.
#[derive(Debug, Default)]
struct Calls {
    begun: u64,
    done: u64,
}

/// The end of a recording, as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct RecordedEnd {
    end: AnswerEnd,
    /// When that was, in Unix milliseconds.
    at_ms: u64,
}

impl RecordedEnd {
    fn now(end: AnswerEnd) -> Self {
        Self { end, at_ms: unix_ms() }
    }

    /// As it was stored.
    fn read(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_else(|_| Self::now(interrupted()))
    }
}

/// The end of an answer whose writer is gone.
fn interrupted() -> AnswerEnd {
    AnswerEnd::Failed {
        code: ErrorCode::Interrupted,
        reason: "the answer was cut off by a fault of the server; what was written is kept".to_owned(),
    }
}

/// That nothing more comes.
#[derive(Debug, Clone, PartialEq)]
enum Finished {
    As(RecordedEnd),
    /// The recording is gone: it was deleted, or its time is over.
    Gone,
}

/// What there is of a recording at this node.
#[derive(Debug)]
pub struct Recording {
    pub(super) head: RecordingHead,
    about: ByteString,
    state: Mutex<State>,
    grew: Notify,
    /// Somebody wants to know what the store has now.
    wanted: Notify,
    /// Somebody who may has stopped it.
    cancel: Notify,
    pub(super) is_written_here: bool,
}

impl Recording {
    /// One that is written here.
    pub(super) fn here(head: RecordingHead, about: ByteString) -> Self {
        Self::new(head, about, true)
    }

    /// One that the store has.
    pub(super) fn elsewhere(head: RecordingHead, about: ByteString) -> Self {
        Self::new(head, about, false)
    }

    fn new(head: RecordingHead, about: ByteString, is_written_here: bool) -> Self {
        let (state, grew, wanted, cancel) = (Mutex::default(), Notify::new(), Notify::new(), Notify::new());
        Self { head, about, state, grew, wanted, cancel, is_written_here }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is one step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, chunks: impl IntoIterator<Item = Arc<Chunk>>) {
        self.state().chunks.extend(chunks);
        self.grew.notify_waiters();
    }

    /// The store is called.
    fn call_begins(&self) {
        self.state().calls.begun += 1;
    }

    /// What the store had after the last call is here.
    fn call_is_done(&self) {
        let calls = &mut self.state().calls;
        calls.done = calls.begun;
        self.grew.notify_waiters();
    }

    /// Ends it; the first end stands.
    fn finish(&self, end: Finished) {
        self.state().end.get_or_insert(end);
        self.grew.notify_waiters();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state().end.is_some()
    }

    /// Has its writer stop. `false`: it is not written here, or has ended. An answer of a group is stopped as such.
    pub(super) fn cancel(&self) -> bool {
        let may = self.is_written_here && matches!(self.head.owner, AnswerOwner::Key(_)) && !self.has_ended();
        if may {
            self.cancel.notify_one();
        }
        may
    }

    fn has_readers(&self) -> bool {
        self.state().readers > 0
    }

    /// A reader from the first chunk.
    pub(super) fn read(self: &Arc<Self>) -> RecordingReader {
        self.state().readers += 1;
        RecordingReader { recording: self.clone(), seen: 0, told_in: None }
    }

    /// How many read it, by protocol.
    pub(super) fn readers(&self) -> BTreeMap<Protocol, usize> {
        self.state().told_in.clone()
    }
}

/// What a reader of a recording finds.
#[derive(Debug, Clone, PartialEq)]
pub enum Recorded {
    /// Chunks that it has not seen.
    Chunks(Vec<Arc<Chunk>>),
    /// The end, after all chunks.
    End(AnswerEnd),
    /// The rest cannot be had any more: it was deleted, or its time is over.
    Gone,
}

/// One reader of a recording.
#[derive(Debug)]
pub struct RecordingReader {
    recording: Arc<Recording>,
    seen: usize,
    told_in: Option<Protocol>,
}

impl RecordingReader {
    /// The same, known to tell somebody in this protocol.
    pub fn told_in(mut self, protocol: Protocol) -> Self {
        if self.told_in.is_none() {
            *self.recording.state().told_in.entry(protocol).or_default() += 1;
            self.told_in = Some(protocol);
        }
        self
    }

    /// Whose it is, and of what.
    pub fn head(&self) -> &RecordingHead {
        &self.recording.head
    }

    /// What only its dialect understands.
    pub fn about(&self) -> &str {
        &self.recording.about
    }

    /// When it ended, in Unix milliseconds, as far as that is known here.
    pub fn ended_ms(&self) -> Option<u64> {
        match &self.recording.state().end {
            Some(Finished::As(end)) => Some(end.at_ms),
            Some(Finished::Gone) | None => None,
        }
    }

    /// What has come that it has not seen, if anything has.
    pub fn next_now(&mut self) -> Option<Recorded> {
        let state = self.recording.state();
        if state.chunks.len() > self.seen {
            let chunks = state.chunks[self.seen..].to_vec();
            self.seen = state.chunks.len();
            return Some(Recorded::Chunks(chunks));
        }
        state.end.clone().map(|end| match end {
            Finished::As(end) => Recorded::End(end.end),
            Finished::Gone => Recorded::Gone,
        })
    }

    /// Waits until all that the store has now is here: a reader may have seen it at another node.
    pub async fn current(&self) {
        let recording = &self.recording;
        // A look that is under way may have missed it; a write has it.
        let call = recording.state().calls.begun + u64::from(!recording.is_written_here);
        recording.wanted.notify_one();
        loop {
            let grew = recording.grew.notified();
            {
                let state = recording.state();
                if state.end.is_some() || state.calls.done >= call {
                    return;
                }
            }
            grew.await;
        }
    }

    /// Waits for what comes next. Cancelling the wait loses nothing.
    pub async fn next(&mut self) -> Recorded {
        let recording = self.recording.clone();
        loop {
            let grew = recording.grew.notified();
            if let Some(next) = self.next_now() {
                return next;
            }
            grew.await;
        }
    }
}

impl Drop for RecordingReader {
    fn drop(&mut self) {
        let mut state = self.recording.state();
        state.readers -= 1;
        let Some(protocol) = self.told_in else { return };
        if let Entry::Occupied(mut readers) = state.told_in.entry(protocol) {
            *readers.get_mut() -= 1;
            if *readers.get() == 0 {
                readers.remove();
            }
        }
    }
}
