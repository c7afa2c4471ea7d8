//! Durable Streams, the reading side: each answer has an address to read from, as far as it is written and while it grows.

mod access;
mod content;
mod cursor;
mod header;
mod offset;
mod reply;
mod sse;
mod stream;

use actix_web::dev::HttpServiceFactory;
use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderValue, LINK};
use actix_web::web::{self, Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde::Deserialize;
use sophie_actors::ids::AnswerId;

use super::{ApiError, State, no_route, only};
use crate::http::visitor::COME_BACK_SECONDS;
use offset::From;
use stream::{AnswerStream, Form};

/// What a reader may say.
#[derive(Debug, Deserialize)]
struct Asked {
    offset: Option<String>,
    live: Option<String>,
    cursor: Option<String>,
}

/// The routes.
pub fn scope() -> impl HttpServiceFactory {
    let read = |path, form| {
        let handler = move |request, id, asked, state| answer(request, id, asked, state, form);
        web::resource(path)
            .route(web::get().to(handler))
            .route(web::head().to(handler))
            .default_service(only("GET, HEAD"))
    };
    web::scope("/ds")
        .service(read("/answers/{id}", Form::Text))
        .service(read("/answers/{id}/ui", Form::Ui))
        .service(read("/answers/{id}/events", Form::Events))
        .default_service(web::to(no_route))
}

/// Says in a reply which answer it begins, and where that can be read.
pub fn name_answer(reply: &mut HttpResponseBuilder, answer: &AnswerId) {
    reply.insert_header((header::ANSWER, answer.as_str()));
    reply.insert_header((LINK, format!("</ds/answers/{answer}>; rel=\"alternate\"")));
}

/// The same in headers. `is_readable`: it can be read there; what is not recorded has a name alone.
pub fn tell_answer(headers: &mut HeaderMap, answer: &AnswerId, is_readable: bool) {
    if let Ok(name) = HeaderValue::from_str(answer.as_str()) {
        headers.insert(header::ANSWER, name);
    }
    let link = HeaderValue::from_str(&format!("</ds/answers/{answer}>; rel=\"alternate\""));
    if let Some(link) = link.ok().filter(|_| is_readable) {
        headers.insert(LINK, link);
    }
}

async fn answer(
    request: HttpRequest,
    id: Path<String>,
    asked: Query<Asked>,
    state: Data<State>,
    form: Form,
) -> Result<HttpResponse, ApiError> {
    if state.is_draining() {
        let message = "this node is being restarted; come back";
        return Err(ApiError::unavailable("draining", message, COME_BACK_SECONDS));
    }
    let Asked { offset, live, cursor } = asked.into_inner();
    let from = From::read(offset.as_deref())?;
    let id = AnswerId::from(id.as_str());
    let reader = access::reader(&request, &id, &state).await?;
    let stream = AnswerStream::open(id, reader, form).await?;
    if request.method() == Method::HEAD {
        return Ok(reply::head(&stream));
    }
    match live.as_deref() {
        None => reply::catch_up(&request, &stream, &from),
        Some(_) if offset.is_none() => Err(ApiError::bad_request("a live read says where it begins: `offset`")),
        Some("long-poll") => reply::long_poll(&request, &state, stream, &from, cursor.as_deref()).await,
        Some("sse") => {
            let position = stream.position(&from)?;
            Ok(sse::respond(state, stream, position, cursor))
        }
        Some(_) => Err(ApiError::bad_request("`live` is `long-poll` or `sse`")),
    }
}
