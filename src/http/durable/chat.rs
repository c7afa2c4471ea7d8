//! `/ds/chat`: a chat of the AI SDK whose answers are read from their addresses, as `createDurableChatTransport` has it.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde_json::json;
use sophie_actors::ids::AnswerId;

use super::name_answer;
use crate::http::State;
use crate::http::chat::{ChatRefusal, enter, recent, send};

/// `POST /ds/chat`: a question, or another answer to the last one.
pub(super) async fn post(
    request: HttpRequest,
    payload: Payload,
    state: Data<State>,
) -> Result<HttpResponse, ChatRefusal> {
    let (_, answer, _) = send(&request, payload, &state).await?;
    Ok(addressed(HttpResponse::Created(), &answer))
}

/// `GET /ds/chat/{chat}/stream`: the answer that is being written, or has just ended; 204 without one.
pub(super) async fn resume(
    request: HttpRequest,
    chat: Path<String>,
    state: Data<State>,
) -> Result<HttpResponse, ChatRefusal> {
    let guest = enter(&request, &chat, &state).await?;
    Ok(match recent(&state, &guest.session.home()).await? {
        Some((answer, _)) => addressed(HttpResponse::Ok(), &answer),
        None => HttpResponse::NoContent().finish(),
    })
}

/// Where an answer is. The address is none of a host: who asks by way of a proxy comes back by the same.
fn addressed(mut reply: HttpResponseBuilder, answer: &AnswerId) -> HttpResponse {
    let address = format!("/ds/answers/{answer}/ui");
    name_answer(&mut reply, answer);
    reply.insert_header((LOCATION, address.as_str())).json(json!({"streamUrl": address}))
}
