//! `GET /api/chat` as a WebSocket: the `WebSocketChatTransport` of the AI SDK. One socket, many requests, of one chat or of many.

mod chats;
mod frame;
mod requests;
mod telling;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::dialect;
use super::seat::{self, Seat};
use crate::http::chat::ChatRefusal;
use crate::http::{ApiError, State, client_address, visitor};
use crate::websocket::handshake::is_asked_for;
use chats::Chats;

/// `GET /api/chat`
pub async fn connect(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, ChatRefusal> {
    if !is_asked_for(&request) {
        return Err(ChatRefusal::upgrade_required());
    }
    let outcome = open(&request, &state).await;
    let label = match &outcome {
        Ok(_) => "accepted",
        Err(error) => {
            seat::tell_if_unfit(&request, &state, error.label(), error);
            error.label()
        }
    };
    state.node.metrics.connects.with_label_values(&[label]).inc();
    Ok(outcome?)
}

async fn open(request: &HttpRequest, state: &Data<State>) -> Result<HttpResponse, ApiError> {
    let seat = Seat::take(request, state)?;
    let shown = visitor::shown(request, client_address(request, state));
    visitor::admit_from(&shown, state).await?;
    visitor::check_shown(&shown, state).await?;
    let waits = request.query_string().split('&').any(|pair| pair == "wait=1");
    dialect::open(request, state, seat, state.chat.max_frame_bytes, |socket| Chats::new(socket, shown, waits))
}
