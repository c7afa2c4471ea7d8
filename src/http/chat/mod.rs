//! `/api/chat`, or wherever `chat.path` says: the chats of the AI SDK's `useChat`, over plain HTTP. A chat is a session, and its log is the
//! truth.

mod entrance;
mod finding;
mod looks;
mod messages;
mod refusal;
mod sending;
mod steps;
mod stream;
mod tools;
mod turn;

use actix_web::dev::HttpServiceFactory;
use actix_web::web::{self, Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError, Route};
use serde_json::json;
use sophie_actors::cluster;

use super::State;
pub use entrance::{Guest, enter, enter_session, may_stop};
pub use finding::{asker, begun, is_busy, recent, running};
pub use looks::Looks;
pub use refusal::ChatRefusal;
pub use sending::{answer, send};
pub use steps::{Beginning, begin};
pub use turn::Turn;

/// Whether a path is of the chats, which are at `base`, so that errors are to be sentences.
pub(super) fn is_below(path: &str, base: &str) -> bool {
    path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The routes, below `base`. `socket`: what answers `GET` there, which may ask for a WebSocket.
pub fn scope(base: &str, socket: Route) -> impl HttpServiceFactory + use<> {
    let only = |methods| super::only_or(methods, ChatRefusal::only);
    web::scope(base)
        .service(web::resource("").route(web::post().to(post)).route(socket).default_service(only("GET, POST")))
        .service(web::resource("/{chat}/stream").route(web::get().to(resume)).default_service(only("GET")))
        .service(web::resource("/{chat}/stop").route(web::post().to(stop)).default_service(only("POST")))
        .service(web::resource("/{chat}/messages").route(web::get().to(read)).default_service(only("GET")))
        .default_service(web::to(no_route))
}

async fn no_route(state: Data<State>) -> HttpResponse {
    ChatRefusal::no_route(&state.chat.path).error_response()
}

/// `POST /api/chat`: a question, or another answer to the last one.
async fn post(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, ChatRefusal> {
    let (guest, answer, reader) = send(&request, payload, &state).await?;
    Ok(stream::respond(&state, &guest, &answer, reader, Beginning::OfStep).await?)
}

/// `GET /api/chat/{chat}/stream`: the answer that is being written, or has just ended, from its first chunk; 204 without one.
async fn resume(request: HttpRequest, chat: Path<String>, state: Data<State>) -> Result<HttpResponse, ChatRefusal> {
    let guest = enter(&request, &chat, &state).await?;
    Ok(match finding::recent(&state, &guest.session.home()).await? {
        Some((answer, reader)) => stream::respond(&state, &guest, &answer, reader, Beginning::OfMessage).await?,
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
    let session = may_stop(&request, &chat, &state).await?;
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
    Ok(HttpResponse::Ok().json(messages::read(&state, &guest.session.home()).await?))
}
