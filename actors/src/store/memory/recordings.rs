//! Recordings of a single node: for their time, and as many as there is room for.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytestring::ByteString;
use tokio::time::Instant;

use crate::ids::AnswerId;
use crate::store::{
    RECORDING_LEASE_MS, RECORDING_READ_MS, RecordingEnded, RecordingHead, RecordingStanding, RecordingState,
    Recordings, StoreResult, Window,
};

/// Bytes of all chunks that are kept, as many as the response cache may have by default: some 250,000 tokens. Beyond them the oldest
/// answers that have ended go.
const MOST: usize = 64 * 1024 * 1024;

struct Recording {
    head: RecordingHead,
    about: ByteString,
    windows: Vec<Window>,
    bytes: usize,
    heard_at: Instant,
    read_until: Option<Instant>,
    end: Option<ByteString>,
    until: Instant,
}

impl Recording {
    fn is_lost(&self, now: Instant) -> bool {
        now.duration_since(self.heard_at) >= Duration::from_millis(RECORDING_LEASE_MS)
    }

    /// It has changed: it is kept for its time from now on.
    fn keep(&mut self, now: Instant) {
        self.until = now + Duration::from_secs(self.head.keep_seconds);
    }
}

#[derive(Default)]
struct State {
    all: HashMap<AnswerId, Recording>,
    /// Each once, by how long ago they began, or were passed over.
    order: VecDeque<AnswerId>,
    bytes: usize,
}

impl State {
    fn get(&mut self, answer: &AnswerId, now: Instant) -> Option<&mut Recording> {
        self.all.get_mut(answer).filter(|recording| recording.until > now)
    }

    fn remove(&mut self, answer: &AnswerId) -> Option<Recording> {
        let removed = self.all.remove(answer)?;
        self.bytes -= removed.bytes;
        Some(removed)
    }

    /// Drops what has had its time, and as much as there is no room for.
    fn sweep(&mut self, most: usize, now: Instant) {
        for _ in 0..self.order.len() {
            let Some(oldest) = self.order.front() else { return };
            match self.all.get(oldest) {
                Some(recording) if recording.until > now => {
                    if self.bytes <= most {
                        return;
                    }
                    let is_written = recording.end.is_none() && !recording.is_lost(now);
                    let Some(oldest) = self.order.pop_front() else { return };
                    match is_written {
                        true => self.order.push_back(oldest),
                        false => _ = self.remove(&oldest),
                    }
                }
                _ => {
                    let Some(oldest) = self.order.pop_front() else { return };
                    self.remove(&oldest);
                }
            }
        }
    }
}

/// The recordings.
pub struct MemoryRecordings {
    state: Mutex<State>,
    most: usize,
}

impl MemoryRecordings {
    pub(super) fn new() -> Self {
        Self::of_at_most(MOST)
    }

    fn of_at_most(most: usize) -> Self {
        Self { state: Mutex::default(), most }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is one step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Recordings for MemoryRecordings {
    async fn begin(&self, answer: &AnswerId, head: &RecordingHead, about: &str) -> StoreResult<bool> {
        let (mut state, now) = (self.state(), Instant::now());
        if state.get(answer, now).is_some() {
            return Ok(false);
        }
        state.sweep(self.most, now);
        if state.remove(answer).is_none() {
            state.order.push_back(answer.clone());
        }
        let (windows, bytes) = (Vec::new(), about.len());
        let (read_until, end, head) = (None, None, head.clone());
        let until = now + Duration::from_secs(head.keep_seconds);
        let recording = Recording { about: about.into(), windows, bytes, heard_at: now, read_until, end, until, head };
        state.bytes += bytes;
        state.all.insert(answer.clone(), recording);
        Ok(true)
    }

    async fn add(&self, answer: &AnswerId, added: usize, windows: &[Window]) -> StoreResult<RecordingStanding> {
        let (mut state, now) = (self.state(), Instant::now());
        let Some(recording) = state.get(answer, now) else { return Ok(RecordingStanding::Unknown) };
        if recording.end.is_some() {
            return Ok(RecordingStanding::Ended);
        }
        let mut more = 0;
        if let Some(there) = recording.windows.len().checked_sub(added) {
            for window in windows.iter().skip(there) {
                more += window.iter().map(|chunk| chunk.len()).sum::<usize>();
                recording.windows.push(window.clone());
            }
        }
        recording.bytes += more;
        recording.heard_at = now;
        recording.keep(now);
        let is_read = recording.read_until.is_some_and(|until| until > now);
        let windows = recording.windows.len();
        state.bytes += more;
        Ok(RecordingStanding::Held { windows, is_read })
    }

    async fn end(&self, answer: &AnswerId, windows: Option<usize>, end: &str) -> StoreResult<RecordingEnded> {
        let (mut state, now) = (self.state(), Instant::now());
        let Some(recording) = state.get(answer, now) else { return Ok(RecordingEnded::Unknown) };
        if let Some(end) = &recording.end {
            return Ok(RecordingEnded::As(end.clone()));
        }
        let may_end = match windows {
            Some(windows) => recording.windows.len() == windows,
            None => recording.is_lost(now),
        };
        if !may_end {
            return Ok(RecordingEnded::NotYet);
        }
        recording.keep(now);
        Ok(RecordingEnded::As(recording.end.insert(end.into()).clone()))
    }

    async fn read(&self, answer: &AnswerId, seen: usize) -> StoreResult<Option<(Vec<Window>, RecordingState)>> {
        let (mut state, now) = (self.state(), Instant::now());
        let Some(recording) = state.get(answer, now) else { return Ok(None) };
        recording.read_until = Some(now + Duration::from_millis(RECORDING_READ_MS));
        let windows = recording.windows.iter().skip(seen).cloned().collect();
        let state = match &recording.end {
            Some(end) => RecordingState::Ended(end.clone()),
            None if recording.is_lost(now) => RecordingState::Lost,
            None => RecordingState::Running,
        };
        Ok(Some((windows, state)))
    }

    async fn head(&self, answer: &AnswerId) -> StoreResult<Option<(RecordingHead, ByteString)>> {
        let (mut state, now) = (self.state(), Instant::now());
        Ok(state.get(answer, now).map(|recording| (recording.head.clone(), recording.about.clone())))
    }

    async fn forget(&self, answer: &AnswerId) -> StoreResult<bool> {
        Ok(self.state().remove(answer).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::AnswerOwner;

    #[tokio::test(start_paused = true)]
    async fn what_there_is_no_room_for_goes_oldest_first_but_never_while_it_is_written() {
        let recordings = MemoryRecordings::of_at_most(1_000);
        let head = RecordingHead {
            owner: AnswerOwner::Key("k".into()),
            model: "m".into(),
            cache: None,
            began_ms: 0,
            keep_seconds: 3_600,
        };
        let id = |n: u32| AnswerId::from(format!("a{n}").as_str());
        for n in 0..1_000 {
            recordings.begin(&id(n), &head, "").await.expect("begun");
            recordings.add(&id(n), 0, &[vec!["x".repeat(100).into()]]).await.expect("added");
            recordings.add(&id(0), 1, &[]).await.expect("it is written all the time");
            if n > 0 {
                recordings.end(&id(n), Some(1), "{}").await.expect("ended");
            }
            let state = recordings.state();
            assert!(state.bytes <= 1_200 && state.order.len() <= 12, "{} bytes, {}", state.bytes, state.order.len());
            assert_eq!(state.bytes, state.all.values().map(|it| it.bytes).sum::<usize>());
        }
        for (n, is_kept) in [(0, true), (1, false), (900, false), (999, true)] {
            assert_eq!(recordings.head(&id(n)).await.expect("asked").is_some(), is_kept, "{n}");
        }
        tokio::time::advance(Duration::from_secs(3_601)).await;
        recordings.begin(&id(1_000), &head, "").await.expect("begun");
        assert_eq!(recordings.state().order.len(), 1, "what has had its time is gone");
    }
}
