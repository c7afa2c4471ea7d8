//! What is refused of responses alone, in OpenAI's shape.

use actix_web::http::StatusCode;
use sophie_actors::dialects::BadRequest;
use sophie_actors::openai::error::{ErrorObject, INVALID_REQUEST, SERVER};
use sophie_actors::store::StoreError;

use crate::http::ApiError;
use crate::http::gateway::GatewayError;

impl From<BadRequest> for GatewayError {
    fn from(bad: BadRequest) -> Self {
        ErrorObject::from(bad).into()
    }
}

/// 400: what is wrong has a word of its own in the protocol.
pub fn coded(code: &str, message: &str) -> GatewayError {
    GatewayError::new(StatusCode::BAD_REQUEST, INVALID_REQUEST, Some(code), message)
}

/// 426: what is asked for over a WebSocket is to be asked for without one. Clients that know both go on so at once.
pub fn no_socket() -> GatewayError {
    let message = "WebSockets are switched off here (responses.websocket); use POST /v1/responses.";
    GatewayError::new(StatusCode::UPGRADE_REQUIRED, INVALID_REQUEST, Some("websocket_off"), message)
}

/// 404: a response that there is not, and one that is somebody else's.
pub(super) fn unknown(id: &str) -> GatewayError {
    let message = format!("Response with id '{id}' not found.");
    GatewayError::new(StatusCode::NOT_FOUND, INVALID_REQUEST, None, &message)
}

/// 400: the same of the one that a request goes on from.
pub(super) fn no_previous(id: &str) -> GatewayError {
    let message = format!("Previous response with id '{id}' not found.");
    let code = Some("previous_response_not_found");
    GatewayError::new(StatusCode::BAD_REQUEST, INVALID_REQUEST, code, &message).about("previous_response_id")
}

/// 413: what was said before is, with the request, longer than any request may be.
pub(super) fn too_long(most: usize) -> GatewayError {
    let message =
        format!("The conversation that 'previous_response_id' names is larger than {most} bytes with this request.");
    let code = Some("request_too_large");
    GatewayError::new(StatusCode::PAYLOAD_TOO_LARGE, INVALID_REQUEST, code, &message).about("previous_response_id")
}

/// 503: what was to end has not ended yet.
pub(super) fn not_yet() -> GatewayError {
    let message = "The node that writes this response does not answer; try again in a moment.";
    GatewayError::new(StatusCode::SERVICE_UNAVAILABLE, SERVER, Some("store_unavailable"), message).later(1)
}

/// 503: the store is away.
pub(super) fn away(error: StoreError) -> GatewayError {
    ApiError::from(error).into()
}
