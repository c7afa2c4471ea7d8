//! What a client is told that asks for a WebSocket in a wrong way.

use std::rc::Rc;

use actix_web::HttpRequest;
use actix_web::http::{Version, header};

use crate::http::ApiError;
use crate::websocket::Upgrade;
use crate::websocket::handshake::{self, HandshakeError};

/// Refuses what is no WebSocket handshake; of one that is, where to leave word what comes after it.
pub(super) fn check(request: &HttpRequest) -> Result<Rc<Upgrade>, ApiError> {
    if request.version() < Version::HTTP_11 {
        return Err(refused("connect by HTTP/1.1"));
    }
    if request.headers().contains_key(header::TRANSFER_ENCODING) {
        return Err(refused("a request for an upgrade has no body"));
    }
    handshake::opening(request).map_err(|error| match error {
        HandshakeError::NoConnectionUpgrade => refused("the header Connection does not name Upgrade"),
        HandshakeError::NoVersionHeader | HandshakeError::UnsupportedVersion => {
            let message = "this server speaks version 13 of the WebSocket protocol";
            ApiError::bad_request(message).with(header::SEC_WEBSOCKET_VERSION, handshake::VERSION)
        }
        HandshakeError::BadWebsocketKey => refused("the header Sec-WebSocket-Key is missing"),
        HandshakeError::NoWebsocketUpgrade | HandshakeError::GetMethodRequired => {
            refused("the request asks for no upgrade to it")
        }
    })
}

fn refused(problem: &str) -> ApiError {
    ApiError::bad_request(format!("this is a WebSocket endpoint: {problem}"))
}
