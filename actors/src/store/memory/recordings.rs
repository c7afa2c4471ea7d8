//! Recordings of a single node.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytestring::ByteString;
use tokio::time::Instant;

use super::Expiring;
use crate::ids::AnswerId;
use crate::store::{
    RECORDING_LEASE_MS, RECORDING_READ_MS, RecordingEnded, RecordingHead, RecordingStanding, RecordingState,
    Recordings, StoreResult, Window,
};

struct Recording {
    head: RecordingHead,
    about: ByteString,
    windows: Vec<Window>,
    heard_at: Instant,
    read_until: Option<Instant>,
    end: Option<ByteString>,
}

impl Recording {
    fn is_lost(&self, now: Instant) -> bool {
        now.duration_since(self.heard_at) >= Duration::from_millis(RECORDING_LEASE_MS)
    }
}

/// The recordings.
pub struct MemoryRecordings(Mutex<Expiring<AnswerId, Recording>>);

impl MemoryRecordings {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Expiring::new()))
    }

    fn all(&self) -> MutexGuard<'_, Expiring<AnswerId, Recording>> {
        // Every change is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn until(head: &RecordingHead, now: Instant) -> Instant {
    now + Duration::from_secs(head.keep_seconds)
}

#[async_trait]
impl Recordings for MemoryRecordings {
    async fn begin(&self, answer: &AnswerId, head: &RecordingHead, about: &str) -> StoreResult<bool> {
        let (mut all, now) = (self.all(), Instant::now());
        if all.get(answer, now).is_some() {
            return Ok(false);
        }
        let (head, about) = (head.clone(), about.into());
        let recording = Recording { about, windows: Vec::new(), heard_at: now, read_until: None, end: None, head };
        let until = until(&recording.head, now);
        all.put(answer.clone(), recording, until, now);
        Ok(true)
    }

    async fn add(&self, answer: &AnswerId, added: usize, windows: &[Window]) -> StoreResult<RecordingStanding> {
        let (mut all, now) = (self.all(), Instant::now());
        let Some((recording, end)) = all.living(answer, now) else { return Ok(RecordingStanding::Unknown) };
        if recording.end.is_some() {
            return Ok(RecordingStanding::Ended);
        }
        if let Some(there) = recording.windows.len().checked_sub(added) {
            recording.windows.extend(windows.iter().skip(there).cloned());
        }
        recording.heard_at = now;
        *end = until(&recording.head, now);
        let is_read = recording.read_until.is_some_and(|until| until > now);
        Ok(RecordingStanding::Held { windows: recording.windows.len(), is_read })
    }

    async fn end(&self, answer: &AnswerId, windows: Option<usize>, end: &str) -> StoreResult<RecordingEnded> {
        let (mut all, now) = (self.all(), Instant::now());
        let Some((recording, until_then)) = all.living(answer, now) else { return Ok(RecordingEnded::Unknown) };
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
        *until_then = until(&recording.head, now);
        Ok(RecordingEnded::As(recording.end.insert(end.into()).clone()))
    }

    async fn read(&self, answer: &AnswerId, seen: usize) -> StoreResult<Option<(Vec<Window>, RecordingState)>> {
        let (mut all, now) = (self.all(), Instant::now());
        let Some((recording, _)) = all.living(answer, now) else { return Ok(None) };
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
        Ok(self.all().get(answer, Instant::now()).map(|it| (it.head.clone(), it.about.clone())))
    }

    async fn forget(&self, answer: &AnswerId) -> StoreResult<bool> {
        Ok(self.all().remove(answer, Instant::now()).is_some())
    }
}
