//! The OpenAI-compatible way in: `/v1/chat/completions` and `/v1/models`, through the same limits, cache and answers as chat sessions.

mod bill;
mod caller;
mod error;
mod headers;
mod models;
mod question;
mod reading;
mod running;
mod stream;
mod whole;

use actix_web::dev::HttpServiceFactory;
use actix_web::web::{self, Data, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use sophie_actors::answers::{AdmitAndJoin, End, Join, Joined, Next, digest, estimate_prompt_tokens};
use sophie_actors::backend::ChatRequest;
use sophie_actors::limiter::{Admit, Caller};
use sophie_actors::options::CacheOptions;

use super::{State, client_address};
use bill::Bill;
pub use error::Refused;
use question::Question;
use reading::{How, Reading};
pub use running::Running;

/// What the gateway is set up with.
pub struct Gateway {
    /// `[cache]`
    pub cache: CacheOptions,
    /// `server.max_body_bytes`
    pub max_body_bytes: usize,
    /// The answers under way.
    pub running: Running,
}

/// Whether a path is the gateway's, so that errors are to be in OpenAI's shape.
pub(super) fn is_below(path: &str) -> bool {
    path == "/v1" || path.starts_with("/v1/")
}

/// The routes.
pub(super) fn scope() -> impl HttpServiceFactory {
    web::scope("/v1")
        .service(web::resource("/chat/completions").route(web::post().to(complete)).default_service(only("POST")))
        .service(web::resource("/models").route(web::get().to(models::list)).default_service(only("GET")))
        .service(web::resource("/models/{model:.+}").route(web::get().to(models::one)).default_service(only("GET")))
        .default_service(web::to(no_route))
}

async fn no_route(request: HttpRequest) -> HttpResponse {
    Refused::no_route(request.method().as_str(), request.path()).error_response()
}

fn only(methods: &'static str) -> actix_web::Route {
    web::to(move || async move { Refused::only(methods).error_response() })
}

/// `POST /v1/chat/completions`
async fn complete(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, Refused> {
    let holder = caller::of(&request, &state)?;
    let reuse = headers::wishes(request.headers())?;
    let question = Question::receive(&request, payload, state.gateway.max_body_bytes).await?;
    if !holder.may_use(&question.model) {
        return Err(Refused::no_model(&question.model));
    }
    let prompt_tokens = estimate_prompt_tokens(&question.body);
    let admit = Admit {
        caller: Caller::Application(holder.application()),
        address: client_address(&request, &state),
        group: None,
        prompt_tokens: Some(prompt_tokens),
    };
    let digest = digest(&caller::scope(&state, holder), &question.body);
    let Question { body, streams, wants_usage, .. } = question;
    let join = Join { digest, request: ChatRequest { body }, reuse, asker: caller::asker(holder), prompt_tokens };
    let visit = state.gateway.running.begin();
    let (bill, Joined { follower, coalesced }) = Bill::open(state.clone(), AdmitAndJoin { admit, join }).await?;
    let left = bill.left().clone();
    let how = How { coalesced, reuse, cache_enabled: state.gateway.cache.enabled };
    match answer(Reading::new(follower, bill, visit, how), streams, wants_usage).await {
        Ok(mut response) => {
            headers::tell_left(response.headers_mut(), &left);
            Ok(response)
        }
        Err(refused) => Err(refused.with_left(&left)),
    }
}

/// Follows the answer to its first chunk, or to its end. The client's going drops it at any time, and with it the answer, if nobody else
/// follows that.
async fn answer(mut reading: Reading, streams: bool, wants_usage: bool) -> Result<HttpResponse, Refused> {
    // A failure before the first chunk is to be the response's status.
    let first = match reading.next().await {
        Next::End(End::Failed(error)) => return Err(error.into()),
        first => first,
    };
    let (status, origin) = reading.origin();
    let mut response = match streams {
        true => stream::respond(reading, first, wants_usage),
        false => respond_whole(reading, first).await?,
    };
    headers::tell_origin(response.headers_mut(), status, origin);
    Ok(response)
}

async fn respond_whole(mut reading: Reading, first: Next) -> Result<HttpResponse, Refused> {
    let (mut chunks, mut next) = (Vec::new(), first);
    loop {
        match next {
            Next::Chunks(more) => chunks.extend(more.iter().map(|chunk| chunk.raw.clone())),
            Next::End(End::Complete { .. }) => return Ok(HttpResponse::Ok().json(whole::join(&chunks))),
            Next::End(End::Failed(error)) => return Err(error.into()),
        }
        next = reading.next().await;
    }
}
