//! How a request becomes a response: it is read, admitted, joined to its answer, and that is told in the form that is wanted.

use std::time::Duration;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use bytestring::ByteString;
use sophie_actors::admission::{Admit, Caller, SlotOf};
use sophie_actors::answers::{AdmitAndJoin, End, Join, Joined, Next, Record};
use sophie_actors::ids::AnswerId;
use sophie_actors::openai::{BackendRequest, completion};
use sophie_actors::protocol::unix_ms;
use sophie_actors::store::{AnswerOwner, RecordingHead};
use tokio::time::timeout;

use super::bill::Bill;
use super::kept::Kept;
use super::prepared::{AnswerForm, Operation, Prepared, Words};
use super::reading::{How, Reading};
use super::receiving::Receiving;
use super::source::Source;
use super::{GatewayError, State, caller, client_address, headers, stream};
use crate::auth::bearer::KeyHolder;
use crate::http::durable;

/// Answers one request.
pub async fn respond(
    operation: Operation,
    request: HttpRequest,
    payload: Payload,
    state: Data<State>,
) -> Result<HttpResponse, GatewayError> {
    let holder = caller::of(&request, &state)?;
    let wishes = headers::wishes(request.headers())?;
    // Embeddings are no answer that somebody could read on.
    let resumes = headers::resumes(request.headers())? && !matches!(operation, Operation::Embed);
    let answer_id = AnswerId::random();
    let mut receiving = Receiving::begin(&request, payload, state.gateway.max_body_bytes)?;
    let admit = |prompt_tokens, slot| Admit {
        caller: Caller::Application(holder.application()),
        address: client_address(&request, &state),
        group: None,
        prompt_tokens: Some(prompt_tokens),
        slot,
    };
    let record = |join: &Join| resumes.then(|| record(&answer_id, &join.request, &holder, state.gateway.keep_seconds));
    let (visit, reuse, record, form, (bill, joined)) = match receiving.short().await? {
        Some(bytes) => {
            let Prepared { join, form } = Prepared::read(operation, bytes, &state, &holder, wishes)?;
            let (visit, reuse, record) = (state.gateway.running.begin(), join.reuse, record(&join));
            let admit = admit(join.prompt_tokens, Some(SlotOf::Service));
            (visit, reuse, record, form, Bill::open(state.clone(), AdmitAndJoin { admit, join }).await?)
        }
        None => {
            // Who is over a limit is told so before anything is read, and of a limit of tokens before anything is taken apart.
            let bill = Bill::begin_long(state.clone(), admit(0, None)).await?;
            let (bytes, tokens) = receiving.long().await?;
            let bill = bill.raise(tokens).await?;
            let apart = Prepared::read_apart(operation, bytes, state.clone(), holder.clone(), wishes).await;
            let Prepared { join, form } = apart.map_err(|refused| refused.with_left(bill.left()))?;
            (state.gateway.running.begin(), join.reuse, record(&join), form, bill.join(join).await?)
        }
    };
    state.node.metrics.asked(operation.protocol());
    let Joined { follower, coalesced } = joined;
    let left = bill.left().clone();
    let how = How { coalesced, reuse, cache_enabled: state.gateway.cache.enabled };
    let reading = Reading::new(follower, bill, visit, how);
    let source = match record {
        Some(record) => Source::Kept(Kept::begin(&state, reading, record, operation.protocol()).await?),
        None => Source::Own(Box::new(reading)),
    };
    match answer(source, form, state.policy().headers_within).await {
        Ok(mut response) => {
            if !matches!(operation, Operation::Embed) {
                durable::tell_answer(response.headers_mut(), &answer_id, resumes);
            }
            headers::tell_left(response.headers_mut(), &left);
            Ok(response)
        }
        Err(refused) => Err(refused.with_left(&left)),
    }
}

/// What is recorded of an answer that its caller wants to come back to.
fn record(answer: &AnswerId, request: &BackendRequest, holder: &KeyHolder, keep_seconds: u64) -> Record {
    let head = RecordingHead {
        owner: AnswerOwner::Key(holder.digest.clone()),
        model: request.body.text("model").unwrap_or_default(),
        // Not known yet.
        cache: None,
        began_ms: unix_ms(),
        keep_seconds,
    };
    Record { answer: answer.clone(), head, about: "{}".into(), in_background: false }
}

/// Follows the answer to its first chunk, or to its end; a stream no longer than `within`, after which it begins without. The client's
/// going drops it at any time, and with it the answer, if nobody else follows that.
async fn answer(mut reading: Source, form: AnswerForm, within: Duration) -> Result<HttpResponse, GatewayError> {
    let first = match form {
        AnswerForm::Body(_) | AnswerForm::AsItCame => Some(reading.next().await),
        // A line on which nothing comes is cut by whoever stands between. A whole answer has no other beginning than its status.
        AnswerForm::Stream { .. } => timeout(within, reading.next()).await.ok(),
    };
    // A failure before the first chunk is to be the response's status.
    if let Some(Next::End(End::Failed(error))) = first {
        return Err(error.into());
    }
    let (status, origin) = reading.origin();
    let mut response = match (form, first) {
        (AnswerForm::Stream { wants_usage, words }, first) => stream::respond(reading, first, wants_usage, words),
        (form, Some(first)) => respond_whole(reading, &form, first).await?,
        (_, None) => return Err(GatewayError::internal()),
    };
    headers::tell_origin(response.headers_mut(), status, origin);
    Ok(response)
}

async fn respond_whole(mut reading: Source, form: &AnswerForm, first: Next) -> Result<HttpResponse, GatewayError> {
    let (mut chunks, mut next) = (Vec::new(), first);
    loop {
        match next {
            Next::Chunks(more) => chunks.extend(more.iter().map(|chunk| chunk.raw.clone())),
            Next::End(End::Complete { .. }) => return Ok(whole(form, &chunks)),
            Next::End(End::Failed(error)) => return Err(error.into()),
        }
        next = reading.next().await;
    }
}

/// An answer that is through, from all of its chunks.
fn whole(form: &AnswerForm, chunks: &[ByteString]) -> HttpResponse {
    match form {
        AnswerForm::AsItCame => {
            let body = chunks.iter().map(|chunk| chunk.clone().into_bytes()).next().unwrap_or_default();
            HttpResponse::Ok().content_type("application/json").body(body)
        }
        AnswerForm::Body(Words::Text(text)) => HttpResponse::Ok().json(text.whole(chunks)),
        AnswerForm::Body(Words::Chat) | AnswerForm::Stream { .. } => {
            HttpResponse::Ok().json(completion::from_chunks(chunks))
        }
    }
}
