//! The recordings that somebody writes or reads at this node.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use actix::prelude::*;

use super::Answers;
use super::messages::{Forget, ReadAnswer, Record, Records};
use super::recording::{Recorder, Recording, RecordingReader, follow};
use crate::ids::AnswerId;
use crate::store::StoreResult;

/// Below this many entries it is not worth while to look for those that nobody needs any more.
const FLOOR: usize = 64;

/// By answer. Each is held by whoever writes or reads it.
#[derive(Debug)]
pub(super) struct Recordings {
    known: HashMap<AnswerId, Weak<Recording>>,
    sweep_at: usize,
}

impl Default for Recordings {
    fn default() -> Self {
        Self { known: HashMap::new(), sweep_at: FLOOR }
    }
}

impl Recordings {
    fn know(&mut self, answer: &AnswerId, recording: &Arc<Recording>) {
        if self.known.len() >= self.sweep_at {
            self.known.retain(|_, known| known.strong_count() > 0);
            self.sweep_at = (2 * self.known.len()).max(FLOOR);
        }
        self.known.insert(answer.clone(), Arc::downgrade(recording));
    }

    fn read(&self, answer: &AnswerId) -> Option<RecordingReader> {
        self.known.get(answer)?.upgrade().map(|recording| recording.read())
    }

    /// All that somebody writes or reads.
    pub(super) fn all(&self) -> impl Iterator<Item = (AnswerId, Arc<Recording>)> {
        self.known.iter().filter_map(|(answer, known)| Some((answer.clone(), known.upgrade()?)))
    }

    /// Has one of an API caller that is written here stopped. `false`: there is none.
    pub(super) fn cancel(&self, answer: &AnswerId) -> bool {
        self.known.get(answer).and_then(Weak::upgrade).is_some_and(|recording| recording.cancel())
    }
}

impl Handler<Records> for Answers {
    type Result = ();

    fn handle(&mut self, Records(answer, recording): Records, _: &mut Context<Self>) {
        self.recordings.know(&answer, &recording);
    }
}

impl Handler<Record> for Answers {
    type Result = MessageResult<Record>;

    fn handle(&mut self, Record { answer, head, about, in_background }: Record, _: &mut Context<Self>) -> Self::Result {
        let recording = Arc::new(Recording::here(head, about));
        self.recordings.know(&answer, &recording);
        let recorder = Recorder::begin(self.parts.clone(), answer, recording);
        let abandon_after = Duration::from_secs(self.parts.options.get().abandon_seconds);
        MessageResult(if in_background { recorder } else { recorder.abandoned_after(abandon_after) })
    }
}

impl Handler<Forget> for Answers {
    type Result = ResponseFuture<StoreResult<bool>>;

    fn handle(&mut self, Forget(answer): Forget, _: &mut Context<Self>) -> Self::Result {
        // Who still reads it reads on; nobody else finds it.
        self.recordings.known.remove(&answer);
        let store = self.parts.stores.recordings.clone();
        Box::pin(async move { store.forget(&answer).await })
    }
}

impl Handler<ReadAnswer> for Answers {
    type Result = ResponseActFuture<Self, StoreResult<Option<RecordingReader>>>;

    fn handle(&mut self, ReadAnswer(answer): ReadAnswer, _: &mut Context<Self>) -> Self::Result {
        if !answer.can_be() {
            return Box::pin(fut::ready(Ok(None)));
        }
        if let Some(reader) = self.recordings.read(&answer) {
            return Box::pin(fut::ready(Ok(Some(reader))));
        }
        let (store, asked) = (self.parts.stores.recordings.clone(), answer.clone());
        let looked = async move { store.head(&asked).await }.into_actor(self);
        Box::pin(looked.map(move |head, answers, _| {
            // Somebody else may have asked meanwhile.
            let known = answers.recordings.read(&answer);
            let Some((head, about)) = head?.filter(|_| known.is_none()) else { return Ok(known) };
            let recording = Arc::new(Recording::elsewhere(head, about));
            let reader = recording.read();
            answers.recordings.know(&answer, &recording);
            actix::spawn(follow(answers.parts.clone(), answer, recording));
            Ok(Some(reader))
        }))
    }
}
