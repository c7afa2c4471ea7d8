//! What is recorded of a group's answer.

use std::sync::Arc;

use super::{GroupAnswer, Outcome};
use crate::answers::Stopped;
use crate::answers::recording::{Recorder, Recording};
use crate::dialects::AnswerEnd;
use crate::protocol::unix_ms;
use crate::store::{AnswerOwner, RecordingHead};

impl GroupAnswer {
    /// Begins to record it, and waits a moment until it can be read at any node.
    pub(super) async fn begin_recording(&self) -> Recorder {
        let head = RecordingHead {
            owner: AnswerOwner::Group(self.ask.group.clone()),
            model: self.model(),
            cache: Some(self.cache),
            began_ms: unix_ms(),
            keep_seconds: self.parts.recordings.keep_seconds,
        };
        let about = self.ask.with.as_ref().and_then(|with| with.about.as_deref()).unwrap_or("{}");
        let recording = Arc::new(Recording::here(head, about.into()));
        _ = self.answers.records(self.answer.clone(), recording.clone()).await;
        let mut recorder = Recorder::begin(self.parts.clone(), self.answer.clone(), recording);
        recorder.begun().await;
        recorder
    }

    /// Ends the recording as the answer ends. What somebody else has ended breaks off.
    pub(super) async fn end_recording(&mut self, outcome: &Outcome) {
        let Some(recorder) = self.recorder.take() else { return };
        match outcome {
            Outcome::Generated(end) => recorder.end(end.into()).await,
            Outcome::Stopped(Stopped::Cancelled) => recorder.end(AnswerEnd::Cancelled).await,
            Outcome::Stopped(Stopped::Steered) => recorder.end(AnswerEnd::Steered).await,
            Outcome::Taken => drop(recorder),
        }
    }
}
