//! OpenAI's Responses over HTTP: responses that are created, kept, told again from any event on, stopped and deleted at any node. How one
//! begins (`creating`) and what comes of it (`telling`) knows nothing of HTTP.

mod asked;
mod creating;
mod earlier;
mod ending;
mod input_items;
mod kept;
mod prepared;
mod refusal;
mod sse;
mod telling;

use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::web::{Data, Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::json;
use sophie_actors::dialects::BadRequest;

use super::gateway::bill::Bill;
use super::gateway::receiving::Receiving;
use super::gateway::{GatewayError, caller, headers};
use super::{State, client_address, durable};
pub use asked::Asked;
pub use creating::{Caller, Created, create, prepare_alone};
use input_items::Wanted;
use kept::KeptResponse;
pub use refusal::{coded, no_socket};
pub use telling::{Events, Telling};

const DROPPED: HeaderName = HeaderName::from_static("x-sophie-dropped");

/// How a response is retrieved.
#[derive(Debug, Deserialize)]
pub struct Retrieval {
    stream: Option<String>,
    starting_after: Option<String>,
}

/// `POST /v1/responses`
///
/// # Errors
/// In OpenAI's shape.
pub async fn post(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, GatewayError> {
    let holder = caller::of(&request, &state)?;
    let wishes = headers::wishes(request.headers())?;
    let caller = Caller { holder, address: client_address(&request, &state), wishes };
    let mut receiving = Receiving::begin(&request, payload, state.gateway.max_body_bytes)?;
    let (asked, bill) = match receiving.short().await? {
        Some(bytes) => (Asked::read(bytes)?, None),
        None => {
            // Who is over a limit is told so before anything is read, and of a limit of tokens before anything is taken apart.
            let bill = Bill::begin_long(state.clone(), caller.admit(0, None)).await?;
            let (bytes, tokens) = receiving.long().await?;
            let bill = bill.raise(tokens).await?;
            (Asked::read(bytes).map_err(|bad| GatewayError::from(bad).with_left(bill.left()))?, Some(bill))
        }
    };
    let created = create(&state, &caller, &asked, bill, None).await?;
    let left = created.left.clone();
    let mut response =
        answer(created, &asked, state.policy().headers_within).await.map_err(|it| it.with_left(&left))?;
    headers::tell_left(response.headers_mut(), &left);
    Ok(response)
}

/// What a response that was created is answered by. The client's going drops it at any time: what is not kept ends with it.
async fn answer(created: Created, asked: &Asked, within: Duration) -> Result<HttpResponse, GatewayError> {
    let Created { answer, is_kept, dropped, mut telling, .. } = created;
    let mut response = match (asked.streams, asked.in_background) {
        (false, true) => HttpResponse::Ok().json(telling.at_its_beginning()),
        (false, false) => {
            let (response, status, origin) = telling.whole().await?;
            let mut reply = HttpResponse::Ok().json(response);
            headers::tell_origin(reply.headers_mut(), status, origin);
            reply
        }
        (true, in_background) => {
            // A failure before the first event is to be the response's status.
            let begun = !in_background && telling.begins_within(within).await?;
            let (status, origin) = telling.origin();
            let mut reply = sse::respond(&mut sse::head(), telling.events(), 0);
            if begun {
                headers::tell_origin(reply.headers_mut(), status, origin);
            }
            reply
        }
    };
    durable::tell_answer(response.headers_mut(), &answer, is_kept);
    tell_dropped(response.headers_mut(), &dropped);
    Ok(response)
}

fn tell_dropped(headers: &mut HeaderMap, dropped: &[String]) {
    // A name that no header can hold is not told.
    if let Some(names) = HeaderValue::from_str(&dropped.join(", ")).ok().filter(|names| !names.is_empty()) {
        headers.insert(DROPPED, names);
    }
}

/// `GET /v1/responses/{id}`
///
/// # Errors
/// In OpenAI's shape.
pub async fn get(
    request: HttpRequest,
    id: Path<String>,
    wanted: Query<Retrieval>,
    state: Data<State>,
) -> Result<HttpResponse, GatewayError> {
    let holder = caller::of(&request, &state)?;
    let mut response = KeptResponse::get(&state, &holder, &id).await?;
    let streams = match wanted.stream.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(BadRequest::expected("stream", "a boolean").into()),
    };
    let from = match wanted.starting_after.as_deref() {
        None => 0,
        Some(_) if !streams => return Err(BadRequest::new("starting_after", "it needs 'stream'").into()),
        Some(number) => {
            let wrong = || BadRequest::expected("starting_after", "the number of an event");
            number.parse::<u64>().map_err(|_| wrong())?.saturating_add(1)
        }
    };
    let answer = response.answer.clone();
    let mut reply = if streams {
        sse::respond(&mut sse::head(), response.told(&state).events(), from)
    } else {
        response.read_now().await?;
        HttpResponse::Ok().json(response.response())
    };
    durable::tell_answer(reply.headers_mut(), &answer, true);
    Ok(reply)
}

/// `POST /v1/responses/{id}/cancel`
///
/// # Errors
/// In OpenAI's shape.
pub async fn cancel(request: HttpRequest, id: Path<String>, state: Data<State>) -> Result<HttpResponse, GatewayError> {
    let holder = caller::of(&request, &state)?;
    let mut response = KeptResponse::get(&state, &holder, &id).await?;
    ending::stop(&state, &mut response).await?;
    Ok(HttpResponse::Ok().json(response.response()))
}

/// `DELETE /v1/responses/{id}`
///
/// # Errors
/// In OpenAI's shape.
pub async fn delete(request: HttpRequest, id: Path<String>, state: Data<State>) -> Result<HttpResponse, GatewayError> {
    let holder = caller::of(&request, &state)?;
    let mut response = KeptResponse::get(&state, &holder, &id).await?;
    ending::delete(&state, &mut response).await?;
    Ok(HttpResponse::Ok().json(json!({"id": response.id(), "object": "response", "deleted": true})))
}

/// `GET /v1/responses/{id}/input_items`
///
/// # Errors
/// In OpenAI's shape.
pub async fn list_input(
    request: HttpRequest,
    id: Path<String>,
    wanted: Query<Wanted>,
    state: Data<State>,
) -> Result<HttpResponse, GatewayError> {
    let holder = caller::of(&request, &state)?;
    let response = KeptResponse::get(&state, &holder, &id).await?;
    Ok(HttpResponse::Ok().json(input_items::page(&response.request.items(), &wanted)?))
}
