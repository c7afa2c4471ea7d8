//! The OpenAI-compatible way in: `/v1/chat/completions` and `/v1/models`, through the same limits, cache and answers as chat sessions.

mod bill;
mod caller;
mod error;
mod headers;
mod models;
mod prepared;
mod reading;
mod receiving;
mod running;
mod sharing;
mod stream;

use std::time::Duration;

use actix_web::dev::HttpServiceFactory;
use actix_web::web::{self, Data, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use sophie_actors::admission::{Admit, Caller, SlotOf};
use sophie_actors::answers::{AdmitAndJoin, End, Joined, Next};
use sophie_actors::openai::completion;
use sophie_actors::options::CacheOptions;
use tokio::time::timeout;

use super::{State, client_address};
use crate::settings::HttpCache;
use bill::Bill;
pub use error::GatewayError;
pub use prepared::LongBodies;
use prepared::{AnswerForm, Prepared};
use reading::{How, Reading};
use receiving::Receiving;
pub use running::Running;

/// What the gateway is set up with.
pub struct Gateway {
    /// `[cache]`
    pub cache: CacheOptions,
    /// `cache.http`
    pub sharing: HttpCache,
    /// `ai.headers_seconds`
    pub headers_within: Duration,
    /// `server.max_body_bytes`
    pub max_body_bytes: usize,
    /// Long bodies that are being taken apart.
    pub long_bodies: LongBodies,
    /// The answers under way.
    pub running: Running,
}

/// Whether a path is the gateway's, so that errors are to be in OpenAI's shape.
pub(super) fn is_below(path: &str) -> bool {
    path == "/v1" || path.starts_with("/v1/")
}

/// The routes.
pub fn scope() -> impl HttpServiceFactory {
    web::scope("/v1")
        .service(web::resource("/chat/completions").route(web::post().to(complete)).default_service(only("POST")))
        .service(web::resource("/models").route(web::get().to(models::list)).default_service(only("GET")))
        .service(web::resource("/models/{model:.+}").route(web::get().to(models::one)).default_service(only("GET")))
        .default_service(web::to(no_route))
}

async fn no_route(request: HttpRequest) -> HttpResponse {
    GatewayError::no_route(request.method().as_str(), request.path()).error_response()
}

fn only(methods: &'static str) -> actix_web::Route {
    super::only_or(methods, GatewayError::only)
}

/// `POST /v1/chat/completions`
async fn complete(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, GatewayError> {
    let holder = caller::of(&request, &state)?;
    let wishes = headers::wishes(request.headers())?;
    let mut receiving = Receiving::begin(&request, payload, state.gateway.max_body_bytes)?;
    let admit = |prompt_tokens, slot| Admit {
        caller: Caller::Application(holder.application()),
        address: client_address(&request, &state),
        group: None,
        prompt_tokens: Some(prompt_tokens),
        slot,
    };
    let (visit, reuse, form, (bill, joined)) = match receiving.short().await? {
        Some(bytes) => {
            let Prepared { join, form } = Prepared::read(bytes, &state, holder, wishes)?;
            let (visit, reuse, admit) =
                (state.gateway.running.begin(), join.reuse, admit(join.prompt_tokens, Some(SlotOf::Service)));
            (visit, reuse, form, Bill::open(state.clone(), AdmitAndJoin { admit, join }).await?)
        }
        None => {
            // Who is over a limit is told so before anything is read, and of a limit of tokens before anything is taken apart.
            let bill = Bill::begin_long(state.clone(), admit(0, None)).await?;
            let (bytes, tokens) = receiving.long().await?;
            let bill = bill.raise(tokens).await?;
            let apart = Prepared::read_apart(bytes, state.clone(), holder.clone(), wishes).await;
            let Prepared { join, form } = apart.map_err(|refused| refused.with_left(bill.left()))?;
            (state.gateway.running.begin(), join.reuse, form, bill.join(join).await?)
        }
    };
    let Joined { follower, coalesced } = joined;
    let left = bill.left().clone();
    let how = How { coalesced, reuse, cache_enabled: state.gateway.cache.enabled };
    match answer(Reading::new(follower, bill, visit, how), form, state.gateway.headers_within).await {
        Ok(mut response) => {
            headers::tell_left(response.headers_mut(), &left);
            Ok(response)
        }
        Err(refused) => Err(refused.with_left(&left)),
    }
}

/// Follows the answer to its first chunk, or to its end; a stream no longer than `within`, after which it begins without. The client's
/// going drops it at any time, and with it the answer, if nobody else follows that.
async fn answer(mut reading: Reading, form: AnswerForm, within: Duration) -> Result<HttpResponse, GatewayError> {
    let first = match form {
        AnswerForm::Body => Some(reading.next().await),
        // A line on which nothing comes is cut by whoever stands between. A whole answer has no other beginning than its status.
        AnswerForm::Stream { .. } => timeout(within, reading.next()).await.ok(),
    };
    // A failure before the first chunk is to be the response's status.
    if let Some(Next::End(End::Failed(error))) = first {
        return Err(error.into());
    }
    let (status, origin) = reading.origin();
    let mut response = match (form, first) {
        (AnswerForm::Stream { wants_usage }, first) => stream::respond(reading, first, wants_usage),
        (AnswerForm::Body, Some(first)) => respond_whole(reading, first).await?,
        (AnswerForm::Body, None) => return Err(GatewayError::internal()),
    };
    headers::tell_origin(response.headers_mut(), status, origin);
    Ok(response)
}

async fn respond_whole(mut reading: Reading, first: Next) -> Result<HttpResponse, GatewayError> {
    let (mut chunks, mut next) = (Vec::new(), first);
    loop {
        match next {
            Next::Chunks(more) => chunks.extend(more.iter().map(|chunk| chunk.raw.clone())),
            Next::End(End::Complete { .. }) => return Ok(HttpResponse::Ok().json(completion::from_chunks(&chunks))),
            Next::End(End::Failed(error)) => return Err(error.into()),
        }
        next = reading.next().await;
    }
}
