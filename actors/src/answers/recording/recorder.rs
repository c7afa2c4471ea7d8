//! The writer of a recording.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytestring::ByteString;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};

use super::{Finished, RecordedEnd, Recording, RecordingReader, interrupted};
use crate::answers::Parts;
use crate::backoff::Backoff;
use crate::dialects::AnswerEnd;
use crate::ids::AnswerId;
use crate::openai::Chunk;
use crate::store::{RecordingEnded, RecordingStanding, StoreResult, Window};

/// Chunks that come within this time after others were stored are stored together.
const WINDOW: Duration = Duration::from_millis(20);
/// How often it is said that the writer lives, well within the lease.
const RENEW: Duration = Duration::from_secs(1);
/// How long an answer waits until the store knows that its recording has begun, or ended. A store that is away holds it up no longer.
const KNOWN_WITHIN: Duration = Duration::from_millis(200);
/// An end that could not be stored is tried again after this, doubling, so often: a minute in all. Later readers take the writer for dead.
const END_RETRY: Duration = Duration::from_millis(250);
const MAX_END_RETRY: Duration = Duration::from_secs(2);
const END_TRIES: u32 = 32;
/// A store that has lost what was stored is given it anew, so often in one step.
const ANEW: u32 = 3;

#[derive(Debug, Default)]
struct Waiting {
    chunks: Vec<Arc<Chunk>>,
    end: Option<AnswerEnd>,
    /// The writer is gone, with or without a word.
    is_over: bool,
}

/// What the writer has given and the store has not got yet.
#[derive(Debug, Default)]
struct Given {
    waiting: Mutex<Waiting>,
    came: Notify,
}

impl Given {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer's end of a recording. What is dropped without an end ends as interrupted.
#[derive(Debug)]
pub struct Recorder {
    given: Arc<Given>,
    pub(super) recording: Arc<Recording>,
    /// After how long without readers it is not to be written any more; `None`: it is written to its end.
    pub(super) abandon_after: Option<Duration>,
    is_read_elsewhere: Arc<std::sync::atomic::AtomicBool>,
    begun: Option<oneshot::Receiver<()>>,
    through: Option<oneshot::Receiver<()>>,
}

impl Recorder {
    /// Begins to record, in a task of its own: the store holds no answer up.
    pub(in crate::answers) fn begin(parts: Arc<Parts>, answer: AnswerId, recording: Arc<Recording>) -> Self {
        let (given, is_read_elsewhere) = (Arc::new(Given::default()), Arc::default());
        let ((known, begun), (done, through)) = (oneshot::channel(), oneshot::channel());
        let work = Work {
            parts,
            answer,
            recording: recording.clone(),
            given: given.clone(),
            is_read_elsewhere: Arc::clone(&is_read_elsewhere),
            windows: Vec::new(),
            stored: 0,
            is_begun: false,
            known: Some(known),
            end_elsewhere: None,
        };
        actix::spawn(work.run(done));
        let (begun, through) = (Some(begun), Some(through));
        Self { given, recording, abandon_after: None, is_read_elsewhere, begun, through }
    }

    /// The same, not to be written any more once nobody has read it for so long.
    pub(in crate::answers) fn abandoned_after(mut self, time: Duration) -> Self {
        self.abandon_after = Some(time);
        self
    }

    /// A reader from the first chunk.
    pub fn reader(&self) -> RecordingReader {
        self.recording.read()
    }

    /// Waits a moment until other nodes can read it.
    pub async fn begun(&mut self) {
        if let Some(begun) = self.begun.take() {
            _ = timeout(KNOWN_WITHIN, begun).await;
        }
    }

    /// Adds chunks.
    pub fn push(&self, chunks: &[Arc<Chunk>]) {
        self.given.waiting().chunks.extend_from_slice(chunks);
        self.given.came.notify_one();
    }

    /// Whether somebody reads it, at whichever node.
    pub fn is_read(&self) -> bool {
        self.recording.has_readers() || self.is_read_elsewhere.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Ends it behind what was pushed, and waits a moment until readers have the end.
    pub async fn end(mut self, end: AnswerEnd) {
        self.given.waiting().end = Some(end);
        let through = self.through.take();
        drop(self);
        if let Some(through) = through {
            _ = timeout(KNOWN_WITHIN, through).await;
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.given.waiting().is_over = true;
        self.given.came.notify_one();
    }
}

struct Work {
    parts: Arc<Parts>,
    answer: AnswerId,
    recording: Arc<Recording>,
    given: Arc<Given>,
    is_read_elsewhere: Arc<std::sync::atomic::AtomicBool>,
    /// All that was given, as it is stored: a store that went back gets it anew.
    windows: Vec<Window>,
    /// How many of them the store has.
    stored: usize,
    is_begun: bool,
    /// Told once the store has been asked to begin it.
    known: Option<oneshot::Sender<()>>,
    /// Somebody took this writer for dead, and ended it so.
    end_elsewhere: Option<ByteString>,
}

impl Work {
    async fn run(mut self, done: oneshot::Sender<()>) {
        // At once: a timer that has run out already would tell so a millisecond later.
        self.save().await;
        let mut renew = interval_at(Instant::now() + RENEW, RENEW);
        renew.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut save_at = Instant::now();
        let given = self.given.clone();
        let end = loop {
            let is_waiting = {
                let waiting = given.waiting();
                if waiting.is_over {
                    break waiting.end.clone();
                }
                !waiting.chunks.is_empty()
            };
            if is_waiting && Instant::now() >= save_at {
                save_at = Instant::now() + WINDOW;
                self.save().await;
                continue;
            }
            tokio::select! {
                biased;
                () = sleep_until(save_at), if is_waiting => {}
                _ = renew.tick() => self.save().await,
                () = given.came.notified() => {}
            }
        };
        self.save().await;
        let end = RecordedEnd::now(end.unwrap_or_else(interrupted));
        self.end(end, done).await;
    }

    /// Stores what waits, says that the writer lives, and shows what waited.
    async fn save(&mut self) {
        let chunks = std::mem::take(&mut self.given.waiting().chunks);
        if !chunks.is_empty() {
            self.windows.push(chunks.iter().map(|chunk| chunk.raw.clone()).collect());
        }
        self.recording.call_begins();
        if let Err(error) = self.store().await {
            // Readers here go on without it, and others when it is back.
            log::debug!(answer:% = self.answer, error:%; "an answer was not recorded");
            self.parts.metrics.store_failed("recording_add");
        }
        self.known.take();
        if !chunks.is_empty() && self.end_elsewhere.is_none() {
            self.recording.show(chunks);
        }
        self.recording.call_is_done();
    }

    async fn store(&mut self) -> StoreResult<()> {
        let store = self.parts.stores.recordings.clone();
        for _ in 0..ANEW {
            if self.end_elsewhere.is_some() {
                return Ok(());
            }
            if !self.is_begun {
                store.begin(&self.answer, &self.recording.head, &self.recording.about).await?;
                (self.is_begun, self.stored) = (true, 0);
            }
            match store.add(&self.answer, self.stored, &self.windows[self.stored..]).await? {
                RecordingStanding::Held { windows, is_read } => {
                    self.is_read_elsewhere.store(is_read, std::sync::atomic::Ordering::Relaxed);
                    if windows >= self.windows.len() {
                        self.stored = self.windows.len();
                        return Ok(());
                    }
                    self.stored = windows;
                }
                RecordingStanding::Unknown => self.is_begun = false,
                RecordingStanding::Ended => {
                    if let RecordingEnded::As(end) = store.end(&self.answer, Some(self.stored), "").await? {
                        self.finish(&end);
                        self.end_elsewhere = Some(end);
                    }
                }
            }
        }
        Ok(())
    }

    fn finish(&self, end: &str) {
        self.recording.finish(Finished::As(RecordedEnd::read(end)));
    }

    async fn end(mut self, end: RecordedEnd, done: oneshot::Sender<()>) {
        let Ok(json) = serde_json::to_string(&end) else { return };
        let mut done = Some(done);
        let mut backoff = Backoff::between(END_RETRY, MAX_END_RETRY);
        for _ in 0..END_TRIES {
            if self.end_elsewhere.is_none() {
                match self.parts.stores.recordings.end(&self.answer, Some(self.windows.len()), &json).await {
                    Ok(RecordingEnded::As(end)) => return self.finish(&end),
                    Ok(RecordingEnded::NotYet) => {}
                    Ok(RecordingEnded::Unknown) => self.is_begun = false,
                    Err(error) => {
                        log::debug!(answer:% = self.answer, error:%; "the end of an answer was not recorded");
                        self.parts.metrics.store_failed("recording_end");
                        // Readers here need not wait for the store.
                        self.finish(&json);
                        done.take();
                        backoff.wait().await;
                    }
                }
                self.save().await;
            } else {
                return;
            }
        }
        self.finish(&json);
    }
}
