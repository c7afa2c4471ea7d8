//! A response that is kept: found by its id for whoever holds the key that it was made with, at any node.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use sophie_actors::admission::{Spend, Spending, Subject};
use sophie_actors::answers::{Recorded, RecordingReader};
use sophie_actors::dialects::AnswerEnd;
use sophie_actors::dialects::responses::{Head, Response, StoredRequest};
use sophie_actors::ids::AnswerId;
use sophie_actors::openai::Chunk;
use sophie_actors::protocol::Protocol;
use sophie_actors::store::{AnswerOwner, StoreError};
use tokio::time::{Instant, timeout, timeout_at};

use super::refusal::{away, unknown};
use super::telling::Telling;
use crate::auth::bearer::KeyHolder;
use crate::http::State;
use crate::http::gateway::GatewayError;
use crate::http::gateway::kept::Kept;
use crate::http::gateway::source::Source;

/// How ids of responses begin; the rest is the answer's.
const PREFIX: &str = "resp_";
/// How long the store has to tell what there is.
const TOLD_WITHIN: Duration = Duration::from_secs(2);

/// One response, read from its first chunk.
pub struct KeptResponse {
    pub(super) answer: AnswerId,
    pub(super) reader: RecordingReader,
    pub(super) request: StoredRequest,
    chunks: Vec<Arc<Chunk>>,
    end: Option<AnswerEnd>,
}

/// It is gone in the middle: it was deleted, or its time is over.
#[derive(Debug)]
pub(super) struct Gone;

impl KeptResponse {
    /// The response of an id, if it is this caller's.
    ///
    /// # Errors
    /// The store is away; its caller has read too much of late.
    pub(super) async fn find(state: &Data<State>, holder: &KeyHolder, id: &str) -> Result<Option<Self>, GatewayError> {
        let Some(answer) = id.strip_prefix(PREFIX).map(AnswerId::from) else { return Ok(None) };
        Self::of_answer(state, holder, answer).await
    }

    /// The same by its answer.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub(super) async fn of_answer(
        state: &Data<State>,
        holder: &KeyHolder,
        answer: AnswerId,
    ) -> Result<Option<Self>, GatewayError> {
        let spend = Spend { whose: Subject::Key(holder.application()), on: Spending::Reads, units: 1 };
        state.node.limiter.spend(spend).await.map_err(GatewayError::not_admitted)?;
        let Some(reader) = state.node.answers.read(answer.clone()).await.map_err(away)? else { return Ok(None) };
        let is_its = matches!(&reader.head().owner, AnswerOwner::Key(digest) if *digest == holder.digest);
        // Other answers to the same key are no responses.
        let request = if is_its { StoredRequest::read(reader.about()) } else { None };
        Ok(request.map(|request| Self { answer, reader, request, chunks: Vec::new(), end: None }))
    }

    /// The same, which must be there.
    ///
    /// # Errors
    /// 404, and as [`Self::find`].
    pub(super) async fn get(state: &Data<State>, holder: &KeyHolder, id: &str) -> Result<Self, GatewayError> {
        Self::find(state, holder, id).await?.ok_or_else(|| unknown(id))
    }

    /// Takes in all that the store has.
    ///
    /// # Errors
    /// The store does not tell in time, or it is gone.
    pub(super) async fn read_now(&mut self) -> Result<(), GatewayError> {
        let late = |_| away(StoreError::Unavailable("it does not tell in time".to_owned()));
        timeout(TOLD_WITHIN, self.reader.current()).await.map_err(late)?;
        while self.end.is_none()
            && let Some(next) = self.reader.next_now()
        {
            self.take(next).map_err(|Gone| self.unknown())?;
        }
        Ok(())
    }

    /// Waits for its end. `false`: it has none in time.
    ///
    /// # Errors
    /// It is gone.
    pub(super) async fn ends_within(&mut self, time: Duration) -> Result<bool, Gone> {
        let until = Instant::now() + time;
        while self.end.is_none() {
            let Ok(next) = timeout_at(until, self.reader.next()).await else { return Ok(false) };
            self.take(next)?;
        }
        Ok(true)
    }

    fn take(&mut self, next: Recorded) -> Result<(), Gone> {
        match next {
            Recorded::Chunks(chunks) => self.chunks.extend(chunks),
            Recorded::End(end) => self.end = Some(end),
            Recorded::Gone => return Err(Gone),
        }
        Ok(())
    }

    /// Whether it has ended, as far as was read.
    pub(super) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// The response, as far as was read.
    pub(super) fn response(&self) -> Response {
        Response::of(self.head(), self.chunks.iter().map(Arc::as_ref), self.end.as_ref())
    }

    /// What is constant for it.
    pub(super) fn head(&self) -> Head {
        let head = self.reader.head();
        Head {
            answer: self.answer.to_string(),
            created_at: head.began_ms / 1_000,
            model: head.model.clone(),
            echo: self.request.echo(),
        }
    }

    /// All of it, told anew.
    pub(super) fn told(self, state: &State) -> Telling {
        Telling::new(self.head(), Source::Kept(Kept::again(state, self.reader.told_in(Protocol::Responses))))
    }

    /// Its id.
    pub(super) fn id(&self) -> String {
        format!("{PREFIX}{}", self.answer)
    }

    /// 404, as for one that never was.
    pub(super) fn unknown(&self) -> GatewayError {
        unknown(&self.id())
    }
}
