//! `/api/chat`: the chats of the AI SDK's `useChat`, over plain HTTP. A chat is a session, and its log is the truth.

mod entrance;
mod finding;
mod messages;
mod refusal;
mod sending;
mod stream;

use actix_web::dev::HttpServiceFactory;
use actix_web::web::{self, Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde_json::json;
use sophie_actors::cluster;

use super::State;
use entrance::enter;
pub use refusal::ChatRefusal;

/// Whether a path is of the chats, so that errors are to be sentences.
pub(super) fn is_below(path: &str) -> bool {
    path == "/api/chat" || path.starts_with("/api/chat/")
}

/// The routes.
pub fn scope() -> impl HttpServiceFactory {
    let only = |methods| super::only_or(methods, ChatRefusal::only);
    web::scope("/api/chat")
        .service(web::resource("").route(web::post().to(post)).default_service(only("POST")))
        .service(web::resource("/{chat}/stream").route(web::get().to(resume)).default_service(only("GET")))
        .service(web::resource("/{chat}/stop").route(web::post().to(stop)).default_service(only("POST")))
        .service(web::resource("/{chat}/messages").route(web::get().to(read)).default_service(only("GET")))
        .default_service(web::to(|| async { ChatRefusal::no_route().error_response() }))
}

/// `POST /api/chat`: a question, or another answer to the last one.
async fn post(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, ChatRefusal> {
    let (answer, reader) = sending::send(&request, payload, &state).await?;
    Ok(stream::respond(&state, &answer, reader))
}

/// `GET /api/chat/{chat}/stream`: the answer that is being written, or has just ended, from its first chunk; 204 without one.
async fn resume(request: HttpRequest, chat: Path<String>, state: Data<State>) -> Result<HttpResponse, ChatRefusal> {
    let guest = enter(&request, &chat, &state).await?;
    Ok(match finding::recent(&state, &guest.session.home()).await? {
        Some((answer, reader)) => stream::respond(&state, &answer, reader),
        None => HttpResponse::NoContent().finish(),
    })
}

/// `POST /api/chat/{chat}/stop`: ends the answer that is being written.
async fn stop(
    request: HttpRequest,
    chat: Path<String>,
    payload: Payload,
    state: Data<State>,
) -> Result<HttpResponse, ChatRefusal> {
    let session = entrance::may_stop(&request, &chat, &state).await?;
    let named = sending::active_stream(payload, &state).await?;
    let running = finding::running(&state, &session.home()).await?;
    for answer in running.iter().filter(|answer| named.as_ref().is_none_or(|named| named == answer.as_str())) {
        cluster::stop(&state.node, answer).await?;
    }
    Ok(HttpResponse::Ok().json(json!({"success": true})))
}

/// `GET /api/chat/{chat}/messages`: what was said, for `useChat({messages})`.
async fn read(request: HttpRequest, chat: Path<String>, state: Data<State>) -> Result<HttpResponse, ChatRefusal> {
    let guest = enter(&request, &chat, &state).await?;
    let size = messages::SIZE;
    let page = state.node.stores.logs.read_before(&guest.session.home(), None, size).await?;
    Ok(HttpResponse::Ok().json(messages::of(&page.events)))
}
