//! Durable Streams, the reading side: each answer and each group has an address to read from, as far as it is written and while it grows.

mod access;
mod answer;
mod chat;
mod content;
mod cursor;
mod group;
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
use sophie_actors::ids::{AnswerId, GroupName};

use super::chat::ChatRefusal;
use super::{ApiError, State, no_route, only_or, read};
use crate::http::visitor::COME_BACK_SECONDS;
use answer::{AnswerStream, Form};
use group::GroupStream;
use offset::From;
use stream::Stream;

/// Where the chats are whose answers are read from their addresses.
pub const CHAT: &str = "/ds/chat";

/// What a reader may say.
#[derive(Debug, Deserialize)]
struct Asked {
    offset: Option<String>,
    live: Option<String>,
    cursor: Option<String>,
}

/// The routes.
pub fn scope() -> impl HttpServiceFactory {
    let form_of = |path, form| {
        let handler = move |request, id, asked, state| answer(request, id, asked, state, form);
        read(path, handler)
    };
    web::scope("/ds")
        .service(form_of("/answers/{id}", Form::Text))
        .service(form_of("/answers/{id}/ui", Form::Ui))
        .service(form_of("/answers/{id}/events", Form::Events))
        .service(read("/groups/{group}", group))
        .service(
            web::resource("/chat")
                .route(web::post().to(chat::post))
                .default_service(only_or("POST", ChatRefusal::only)),
        )
        .service(
            web::resource("/chat/{chat}/stream")
                .route(web::get().to(chat::resume))
                .default_service(only_or("GET", ChatRefusal::only)),
        )
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
    refuse_while_draining(&state)?;
    let id = AnswerId::from(id.as_str());
    let reader = access::reader(&request, &id, &state).await?;
    let stream = AnswerStream::open(id, reader, form).await?;
    respond(&request, state, asked.into_inner(), stream).await
}

async fn group(
    request: HttpRequest,
    name: Path<String>,
    asked: Query<Asked>,
    state: Data<State>,
) -> Result<HttpResponse, ApiError> {
    refuse_while_draining(&state)?;
    let name = GroupName::parse(&name).map_err(|bad| ApiError::bad_request(bad.to_string()))?;
    if !access::may_read_group(&request, &name, &state).await? {
        return Err(group::unknown());
    }
    let stream = GroupStream::open(&state.node, name, asked.live.is_some()).await?;
    respond(&request, state, asked.into_inner(), stream).await
}

fn refuse_while_draining(state: &State) -> Result<(), ApiError> {
    if state.is_draining() {
        let message = "this node is being restarted; come back";
        return Err(ApiError::unavailable("draining", message, COME_BACK_SECONDS));
    }
    Ok(())
}

async fn respond(
    request: &HttpRequest,
    state: Data<State>,
    asked: Asked,
    mut stream: impl Stream + 'static,
) -> Result<HttpResponse, ApiError> {
    let Asked { offset, live, cursor } = asked;
    let from = From::read(offset.as_deref())?;
    if request.method() == Method::HEAD {
        return reply::head(stream).await;
    }
    match live.as_deref() {
        None => reply::catch_up(request, stream, &from).await,
        Some(_) if offset.is_none() => Err(ApiError::bad_request("a live read says where it begins: `offset`")),
        Some("long-poll") => reply::long_poll(request, &state, stream, &from, cursor.as_deref()).await,
        Some("sse") => {
            let position = stream.position(&from).await?;
            Ok(sse::respond(state, stream, position, cursor))
        }
        Some(_) => Err(ApiError::bad_request("`live` is `long-poll` or `sse`")),
    }
}
