//! A run as its events, from its first one or from a later one on. It is a reading alone: the client's going ends nothing.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data};
use futures_util::stream;
use serde::Serialize;
use sophie_actors::answers::{Recorded, RecordingReader};
use sophie_actors::dialects::agui::{AguiEvent, AguiFold, PROTOCOL_VERSION, Run};
use sophie_actors::dialects::{Fold, Json};
use sophie_actors::ids::{AnswerId, SessionId};
use sophie_actors::openai::Chunk;
use sophie_actors::protocol::{ErrorCode, Protocol};
use tokio::time::timeout;

use super::finding::{self, KnownRun};
use crate::http::durable::name_answer;
use crate::http::gateway::Visit;
use crate::http::server_sent::{self, KEEPALIVE, QUIET};
use crate::http::{ApiError, State};

/// Bytes that are written at once, or one event.
const MOST: usize = 64 * 1024;
/// How long the store has to tell what there is.
const TOLD_WITHIN: Duration = Duration::from_secs(2);

/// What is written of a run.
struct Writing {
    run: String,
    fold: AguiFold,
    /// The number of the next event.
    number: u64,
    /// The first event that the client does not have.
    from: u64,
    /// Chunks that have come and are not told: readers share them, so a slow one costs little.
    come: std::vec::IntoIter<Arc<Chunk>>,
    written: String,
    is_over: bool,
}

impl Writing {
    fn of(run: &KnownRun, from: u64) -> Self {
        let fold = AguiFold::new(Run {
            thread: run.thread.to_string(),
            run: run.id.clone(),
            answer: run.answer.to_string(),
            model: run.reader.head().model.clone(),
        });
        let (come, written) = (Vec::new().into_iter(), String::new());
        let mut writing = Self { run: run.id.clone(), fold, number: 0, from, come, written, is_over: false };
        let begun = writing.fold.begin();
        writing.tell(&begun);
        writing
    }

    fn take(&mut self, next: Recorded) -> io::Result<()> {
        match next {
            Recorded::Chunks(chunks) => self.come = chunks.into_iter(),
            Recorded::End(end) => {
                let told = self.fold.end(&end);
                self.tell(&told);
                self.is_over = true;
            }
            Recorded::Gone => return Err(io::Error::other("the answer is gone")),
        }
        Ok(())
    }

    /// Writes of what has come, as much as is sent at once; whether there is anything to send.
    fn fill(&mut self) -> bool {
        while self.written.len() < MOST
            && let Some(chunk) = self.come.next()
        {
            let told = self.fold.chunk(&chunk);
            self.tell(&told);
        }
        !self.written.is_empty()
    }

    fn tell(&mut self, events: &[AguiEvent]) {
        for event in events {
            if self.number >= self.from {
                self.written.push_str(&format!("id: {}:{}\n", self.run, self.number));
                write(&mut self.written, event);
            }
            self.number += 1;
        }
    }
}

fn write(written: &mut String, event: &impl Serialize) {
    if let Ok(json) = serde_json::to_string(event) {
        written.push_str("data: ");
        written.push_str(&json);
        written.push_str("\n\n");
    }
}

struct Telling {
    reader: RecordingReader,
    writing: Writing,
    /// A node that goes waits for the response's end.
    visit: Visit,
}

/// The response, from an event on. `snapshot`: what its client knows of other messages.
pub(super) fn respond(state: &Data<State>, run: KnownRun, snapshot: Option<Json>) -> HttpResponse {
    let mut writing = Writing::of(&run, 0);
    if let Some(messages) = snapshot {
        // It is no event of the run, and has no number.
        write(&mut writing.written, &AguiEvent::MessagesSnapshot { messages });
    }
    Telling { writing, reader: run.reader.told_in(Protocol::AgUi), visit: state.gateway.running.begin() }
        .respond(&run.answer)
}

/// What follows an event; 204 if that was the last one.
///
/// # Errors
/// It is gone.
pub(super) async fn resume(state: &Data<State>, run: KnownRun, from: u64) -> Result<HttpResponse, ApiError> {
    let writing = Writing::of(&run, from);
    let mut telling =
        Telling { writing, reader: run.reader.told_in(Protocol::AgUi), visit: state.gateway.running.begin() };
    _ = timeout(TOLD_WITHIN, telling.reader.current()).await;
    while !telling.writing.fill() {
        if telling.writing.is_over {
            return Ok(HttpResponse::NoContent().finish());
        }
        let Some(next) = telling.reader.next_now() else { break };
        telling.writing.take(next).map_err(|_| finding::unknown())?;
    }
    Ok(telling.respond(&run.answer))
}

/// What a run is told that was not begun, since another one is under way.
pub(super) fn busy(thread: &SessionId, run: &str) -> HttpResponse {
    let (thread_id, run_id) = (thread.to_string(), run.to_owned());
    let message = "another run is under way in this thread".to_owned();
    let events = [
        AguiEvent::RunStarted { thread_id, run_id, protocol_version: PROTOCOL_VERSION },
        AguiEvent::RunError { message, code: ErrorCode::Busy.as_str() },
    ];
    let mut written = String::new();
    events.iter().for_each(|event| write(&mut written, event));
    server_sent::response().body(written)
}

impl Telling {
    fn respond(self, answer: &AnswerId) -> HttpResponse {
        let mut reply = server_sent::response();
        name_answer(&mut reply, answer);
        reply.streaming(stream::unfold(Some(self), |telling| async move {
            let mut telling = telling?;
            match telling.next().await {
                Ok(Some(piece)) => Some((Ok(piece), Some(telling))),
                Ok(None) => None,
                // Without its last chunk the body is broken: a run that ended early must not look like a whole one.
                Err(error) => Some((Err(error), None)),
            }
        }))
    }

    /// The next write; `None` after the last one.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        while !self.writing.fill() {
            if self.writing.is_over {
                return Ok(None);
            }
            tokio::select! {
                biased;
                next = timeout(QUIET, self.reader.next()) => match next {
                    Ok(next) => self.writing.take(next)?,
                    Err(_) => return Ok(Some(Bytes::from_static(KEEPALIVE))),
                },
                () = self.visit.interrupted() => return Err(io::Error::other("the node goes")),
            }
        }
        Ok(Some(Bytes::from(std::mem::take(&mut self.writing.written))))
    }
}
