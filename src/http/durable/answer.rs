//! An answer as a stream: its text, or its events in a dialect.

use std::time::Duration;

use serde::Serialize;
use sophie_actors::answers::{Recorded, RecordingReader};
use sophie_actors::dialects::responses::{self, Echo, ResponseFold};
use sophie_actors::dialects::text::TextFold;
use sophie_actors::dialects::ui::{GoesOn, UiFold};
use sophie_actors::dialects::{AnswerEnd, Fold};
use sophie_actors::ids::AnswerId;
use sophie_actors::openai::{Body, Chunk};
use tokio::time::timeout;

use super::content::Content;
use super::offset::{From, Offset};
use super::stream::{Look, Piece, Stream};
use crate::http::ApiError;

/// How long the store has to tell what there is.
const TOLD_WITHIN: Duration = Duration::from_secs(2);
/// An answer is written once: its stream has one epoch.
const EPOCH: &str = "a";

/// In which form an answer is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Its text.
    Text,
    /// Chunks of the AI SDK's UI message stream.
    Ui,
    /// Events of OpenAI's Responses.
    Events,
}

/// What tells the answer in its form.
#[derive(Debug)]
enum Telling {
    Text(TextFold),
    Ui(Box<UiFold>),
    Events(Box<ResponseFold>),
}

/// One step of a fold.
enum Step<'a> {
    Begin,
    Chunk(&'a Chunk),
    End(&'a AnswerEnd),
}

impl Telling {
    fn of(form: Form, id: &AnswerId, reader: &RecordingReader) -> Self {
        let head = reader.head();
        match form {
            Form::Text => Self::Text(TextFold::default()),
            Form::Ui => {
                let goes_on = GoesOn::read(reader.about());
                let message = goes_on.as_ref().map_or(id, |it| &it.message);
                Self::Ui(Box::new(UiFold::of_message(message.as_str(), id.as_str(), head.cache)))
            }
            Form::Events => {
                // What was asked in a chat has nothing of a request to Responses.
                let request = Body::parse(&reader.about().to_owned().into()).unwrap_or_default();
                let (answer, model) = (id.to_string(), head.model.clone());
                let head =
                    responses::Head { answer, created_at: head.began_ms / 1_000, model, echo: Echo::of(&request) };
                Self::Events(Box::new(ResponseFold::new(head)))
            }
        }
    }

    fn step(&mut self, step: &Step, content: &mut Content) {
        match (self, content) {
            (Self::Text(fold), Content::Text(text)) => {
                taken(fold, step).into_iter().for_each(|piece| text.push_str(&piece))
            }
            (Self::Ui(fold), Content::Messages(messages)) => tell(messages, &taken(fold.as_mut(), step)),
            (Self::Events(fold), Content::Messages(messages)) => tell(messages, &taken(fold.as_mut(), step)),
            (_, Content::Text(_) | Content::Messages(_)) => {}
        }
    }
}

fn taken<F: Fold>(fold: &mut F, step: &Step) -> Vec<F::Event> {
    match step {
        Step::Begin => fold.begin(),
        Step::Chunk(chunk) => fold.chunk(chunk),
        Step::End(end) => fold.end(end),
    }
}

fn tell(messages: &mut Vec<String>, events: &[impl Serialize]) {
    messages.extend(events.iter().filter_map(|event| serde_json::to_string(event).ok()));
}

/// One reader's answer.
pub(super) struct AnswerStream {
    id: AnswerId,
    reader: RecordingReader,
    telling: Telling,
    content: Content,
    /// Nothing more comes.
    is_closed: bool,
}

/// The answer is gone in the middle: it was deleted, or its time is over.
#[derive(Debug)]
struct Gone;

impl AnswerStream {
    /// What there is of it.
    ///
    /// # Errors
    /// The store does not tell in time, or it is gone.
    pub(super) async fn open(id: AnswerId, reader: RecordingReader, form: Form) -> Result<Self, ApiError> {
        let away = |_| ApiError::unavailable("store_unavailable", "the store did not answer in time; try again", 1);
        timeout(TOLD_WITHIN, reader.current()).await.map_err(away)?;
        let content = match form {
            Form::Text => Content::Text(String::new()),
            Form::Ui | Form::Events => Content::Messages(Vec::new()),
        };
        let telling = Telling::of(form, &id, &reader);
        let mut stream = Self { id, reader, telling, content, is_closed: false };
        stream.step(&Step::Begin);
        while !stream.is_closed
            && let Some(next) = stream.reader.next_now()
        {
            stream.take(next).map_err(|Gone| unknown())?;
        }
        Ok(stream)
    }

    fn take(&mut self, next: Recorded) -> Result<(), Gone> {
        match next {
            Recorded::Chunks(chunks) => chunks.iter().for_each(|chunk| self.step(&Step::Chunk(chunk))),
            Recorded::End(end) => {
                self.step(&Step::End(&end));
                self.is_closed = true;
            }
            Recorded::Gone => return Err(Gone),
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) {
        self.telling.step(step, &mut self.content);
    }
}

impl Stream for AnswerStream {
    fn mime(&self) -> &'static str {
        self.content.mime()
    }

    fn is_text(&self) -> bool {
        matches!(self.content, Content::Text(_))
    }

    fn offset(&self, position: u64) -> String {
        Offset { epoch: EPOCH.to_owned(), position }.to_string()
    }

    fn name(&self) -> String {
        self.id.to_string()
    }

    async fn position(&mut self, from: &From) -> Result<u64, ApiError> {
        match from {
            From::Start => Ok(0),
            From::Now => Ok(self.content.len()),
            From::At(offset) if offset.epoch != EPOCH => {
                Err(ApiError::gone("this offset is of another stream; begin anew with -1"))
            }
            From::At(offset) if self.content.is_place(offset.position) => Ok(offset.position),
            From::At(_) => Err(ApiError::bad_request("`offset` is beyond the tail of this stream")),
        }
    }

    async fn piece(&mut self, from: u64, most: usize) -> Result<Piece, ApiError> {
        let (body, next) = self.content.piece(from, most);
        let is_tail = next == self.content.len();
        Ok(Piece { body, from, next, is_tail, is_end: is_tail && self.is_closed })
    }

    async fn grow(&mut self) -> Result<(), ApiError> {
        let next = self.reader.next().await;
        self.take(next).map_err(|Gone| unknown())
    }

    async fn look(&mut self) -> Result<Look, ApiError> {
        let keep_seconds = self.reader.head().keep_seconds;
        Ok(Look { tail: self.content.len(), is_closed: self.is_closed, keep_seconds })
    }
}

/// What is said of an answer that there is not, and of one that is somebody else's.
pub(super) fn unknown() -> ApiError {
    ApiError::not_found("there is no such answer, its time is over, or it is not yours")
}
