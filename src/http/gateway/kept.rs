//! An answer that goes on without its caller: it is recorded and paid for by a task of its own, and read by whoever may, its caller first.

use std::pin::pin;
use std::time::Duration;

use sophie_actors::answers::{GenerationOrigin, Next, Record, Recorded, Recorder, RecordingReader, Unwanted};
use sophie_actors::backend::BackendError;
use sophie_actors::dialects::AnswerEnd;
use sophie_actors::ids::RequestId;
use sophie_actors::protocol::{CacheStatus, ErrorCode, Protocol};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::reading::{Reading, interrupted};
use super::running::Visit;
use super::{GatewayError, State};

/// How long the readers of an answer wait for its end when the node cannot wait any longer: if it is written here, it is being ended.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How an answer begins: it is known how it comes about, or it has failed before anything came.
type Begun = Result<(CacheStatus, GenerationOrigin), BackendError>;

/// A reader of such an answer.
#[derive(Debug)]
pub struct Kept {
    reader: RecordingReader,
    begun: Option<oneshot::Receiver<Begun>>,
    origin: Option<(CacheStatus, GenerationOrigin)>,
    /// A node that goes waits for its readers.
    visit: Visit,
    /// When it waits no longer.
    until: Option<Instant>,
}

/// What a reader finds.
#[derive(Debug)]
pub enum Found {
    /// What was recorded next.
    Recorded(Recorded),
    /// It failed before anything came: with all that is known of it.
    Refused(BackendError),
    /// The node goes.
    Interrupted,
}

impl Kept {
    /// Begins to record an answer, which is read to its end from now on whoever else does.
    ///
    /// # Errors
    /// The answers did not reply.
    pub async fn begin(
        state: &State,
        reading: Reading,
        record: Record,
        protocol: Protocol,
    ) -> Result<Self, GatewayError> {
        let answer = record.answer.to_string();
        let mut recorder = state.node.answers.record(record).await.map_err(|_| GatewayError::internal())?;
        let reader = recorder.reader().told_in(protocol);
        // Who is told of it can read it, at any node.
        recorder.begun().await;
        let (tell, begun) = oneshot::channel();
        // It goes on when its request has gone.
        let writing = RequestId::spanned("answer", write(answer, reading, recorder, tell));
        actix_web::rt::spawn(RequestId::carried(writing));
        Ok(Self { begun: Some(begun), ..Self::again(state, reader) })
    }

    /// Reads one that others have begun.
    pub fn again(state: &State, reader: RecordingReader) -> Self {
        Self { reader, begun: None, origin: None, visit: state.gateway.running.begin(), until: None }
    }

    /// How it came about, as far as that is known.
    pub fn origin(&self) -> (CacheStatus, GenerationOrigin) {
        self.origin.unwrap_or((CacheStatus::Miss, GenerationOrigin::Backend))
    }

    /// What comes next. Cancelling the wait loses nothing.
    pub async fn next(&mut self) -> Found {
        if let Some(begun) = &mut self.begun {
            let came = tokio::select! {
                biased;
                came = begun => came,
                () = over(&mut self.visit, &mut self.until) => return Found::Interrupted,
            };
            self.begun = None;
            match came {
                Ok(Ok(origin)) => self.origin = Some(origin),
                Ok(Err(error)) => return Found::Refused(error),
                // It was stopped before it began.
                Err(_) => {}
            }
        }
        tokio::select! {
            biased;
            next = self.reader.next() => Found::Recorded(next),
            () = over(&mut self.visit, &mut self.until) => Found::Interrupted,
        }
    }
}

/// Waits until the node waits no longer for a reader.
async fn over(visit: &mut Visit, until: &mut Option<Instant>) {
    visit.interrupted().await;
    sleep_until(*until.get_or_insert_with(|| Instant::now() + LAST_WORDS)).await;
}

/// Reads an answer to its end, or until nobody wants it any more, and records it.
async fn write(answer: String, mut reading: Reading, recorder: Recorder, tell: oneshot::Sender<Begun>) {
    RequestId::span().text("sophie.answer", &answer);
    let end = follow(&answer, &mut reading, &recorder, tell).await;
    // Paid for before its end is seen: who has seen that may ask the next question.
    drop(reading);
    if let Some(end) = end {
        recorder.end(end).await;
    }
}

/// `None`: it has been ended by others.
async fn follow(
    answer: &str,
    reading: &mut Reading,
    recorder: &Recorder,
    tell: oneshot::Sender<Begun>,
) -> Option<AnswerEnd> {
    let mut tell = Some(tell);
    let mut unwanted = pin!(recorder.unwanted());
    loop {
        let next = tokio::select! {
            biased;
            why = &mut unwanted => return match why {
                Unwanted::Ended => None,
                Unwanted::Cancelled => Some(AnswerEnd::Cancelled),
                Unwanted::Abandoned => {
                    log::info!(event = "answer_abandoned", answer:%; "an answer is abandoned, nobody reads it");
                    Some(AnswerEnd::Cancelled)
                }
            },
            next = reading.next() => next,
        };
        if let Some(tell) = tell.take() {
            // The caller may have gone.
            _ = tell.send(match &next {
                Next::End(sophie_actors::answers::End::Failed(error)) => Err(error.clone()),
                _ => Ok(reading.origin()),
            });
        }
        match next {
            Next::Chunks(chunks) => recorder.push(&chunks),
            Next::End(end) => return Some((&end).into()),
        }
    }
}

/// What became of an answer that was stopped, or is gone, for whoever knows only whole answers and failures.
pub fn stopped() -> BackendError {
    BackendError::new(ErrorCode::Interrupted, "the answer was stopped before it was through", "stopped")
}

impl From<Found> for Next {
    /// As callers of chat completions are told.
    fn from(found: Found) -> Self {
        use sophie_actors::answers::End;
        Self::End(match found {
            Found::Recorded(Recorded::Chunks(chunks)) => return Self::Chunks(chunks),
            Found::Recorded(Recorded::End(AnswerEnd::Complete { finish_reason, usage })) => {
                End::Complete { finish_reason, usage }
            }
            Found::Recorded(Recorded::End(AnswerEnd::Failed { code, reason })) => {
                End::Failed(BackendError::new(code, &reason, "recorded"))
            }
            Found::Recorded(Recorded::End(AnswerEnd::Cancelled | AnswerEnd::Steered)) => End::Failed(stopped()),
            Found::Recorded(Recorded::Gone) => End::Failed(BackendError::cut_off("the recording is gone")),
            Found::Refused(error) => End::Failed(error),
            Found::Interrupted => End::Failed(interrupted()),
        })
    }
}
