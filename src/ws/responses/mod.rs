//! `GET /v1/responses` as a WebSocket: OpenAI's Responses over one connection, many at a time in lanes.

mod carrying_out;
mod frame;
mod lanes;
mod memory;
mod said;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, ResponseError};

use super::dialect;
use super::seat::{self, Seat};
use crate::http::gateway::{GatewayError, caller, headers};
use crate::http::responses::{Caller, no_socket};
use crate::http::{State, client_address};
use crate::websocket::handshake::is_asked_for;
use lanes::Lanes;

/// `GET /v1/responses`
pub async fn connect(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, GatewayError> {
    if !is_asked_for(&request) {
        return Err(GatewayError::only("POST"));
    }
    let outcome = open(&request, &state);
    let label = match &outcome {
        Ok(_) => "accepted",
        Err(error) => {
            seat::tell_if_unfit(&request, &state, label(error), error);
            label(error)
        }
    };
    state.node.metrics.connects.with_label_values(&[label]).inc();
    outcome
}

fn open(request: &HttpRequest, state: &Data<State>) -> Result<HttpResponse, GatewayError> {
    if !state.gateway.responses_socket {
        return Err(no_socket());
    }
    let holder = caller::of(request, state)?;
    let wishes = headers::wishes(request.headers())?;
    let seat = Seat::place(request, state)?;
    let caller = Caller { holder, address: client_address(request, state), wishes };
    let most = state.gateway.max_body_bytes;
    Ok(dialect::open(request, state, seat, most, |socket| Lanes::open(socket, caller))?)
}

/// The word for a refusal in the metrics, where the other sockets have one.
fn label(error: &GatewayError) -> &'static str {
    match error.status_code().as_u16() {
        401 => "unauthorized",
        403 => "not_allowed",
        503 => "overloaded",
        _ => "bad_request",
    }
}
