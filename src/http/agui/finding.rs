//! Runs that were asked for: by their names, or because they are under way.

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use sophie_actors::answers::RecordingReader;
use sophie_actors::ids::{AnswerId, SessionId};
use sophie_actors::store::{AnswerOwner, StoreResult};

use super::claim::{Claim, Runs};
use crate::http::chat::{Looks, begun, running};
use crate::http::{ApiError, State};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// A run whose events can be told.
pub(super) struct KnownRun {
    pub(super) thread: SessionId,
    pub(super) id: String,
    pub(super) answer: AnswerId,
    pub(super) reader: RecordingReader,
}

/// The runs of a thread.
pub(super) fn runs<'a>(state: &'a State, thread: &'a SessionId) -> Runs<'a> {
    Runs { claims: state.node.stores.claims.as_ref(), thread, keep_seconds: state.keep_seconds }
}

/// The run of a name. An answer that nobody asked for as a run has its own name as one.
///
/// # Errors
/// 404: there is none in this thread. 503: it has not begun yet.
pub(super) async fn run(state: &State, thread: &SessionId, run: &str) -> Result<KnownRun, ApiError> {
    let mut looks = Looks::begin();
    let answer = loop {
        match runs(state, thread).find(run).await? {
            Some(Claim { answer: Some(answer), .. }) => break answer,
            Some(_) => looks.again().await?,
            None => return unclaimed(state, thread, AnswerId::from(run)).await?.ok_or_else(unknown),
        }
    };
    let reader = begun(state, &answer).await?;
    Ok(KnownRun { thread: thread.clone(), id: run.to_owned(), answer, reader })
}

async fn unclaimed(state: &State, thread: &SessionId, answer: AnswerId) -> Result<Option<KnownRun>, ApiError> {
    let Some(reader) = state.node.answers.read(answer.clone()).await? else { return Ok(None) };
    let is_here = reader.head().owner == AnswerOwner::Group(thread.home());
    Ok(is_here.then(|| KnownRun { thread: thread.clone(), id: answer.to_string(), answer, reader }))
}

/// The run that is under way in a thread, and its answer.
///
/// # Errors
/// The store is away.
pub(super) async fn active(state: &State, thread: &SessionId) -> StoreResult<Option<(String, AnswerId)>> {
    let Some(answer) = running(state, &thread.home()).await?.pop() else { return Ok(None) };
    let run = runs(state, thread).run_of(&answer).await?;
    Ok(Some((run.unwrap_or_else(|| answer.to_string()), answer)))
}

/// The number of the first event that a client does not have, by its `Last-Event-ID`.
///
/// # Errors
/// It is no id of this run.
pub(super) fn behind_last_event(request: &HttpRequest, run: &str) -> Result<u64, ApiError> {
    let Some(last) = request.headers().get(LAST_EVENT_ID) else { return Ok(0) };
    let number = std::str::from_utf8(last.as_bytes()).ok().and_then(|last| last.rsplit_once(':'));
    let number = number.filter(|(of, _)| *of == run).and_then(|(_, number)| number.parse::<u64>().ok());
    let number = number.ok_or_else(|| ApiError::bad_request("`Last-Event-ID` is no id of an event of this run"))?;
    Ok(number.saturating_add(1))
}

pub(super) fn unknown() -> ApiError {
    ApiError::not_found("there is no such run in this thread, or its time is over")
}
