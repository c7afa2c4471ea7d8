//! The opening handshake of RFC 6455: what is one, and its answer.

use std::rc::Rc;

use actix_http::ws::hash_key;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::http::{StatusCode, Version};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
// Its own check takes no request for one that says `Connection: close, Upgrade`, which is one.
use actix_web_actors::ws::HandshakeError;

use crate::http::ApiError;
use crate::websocket::{Deflate, Upgrade};

/// The version that this server speaks.
const VERSION: &str = "13";

/// Refuses what is no WebSocket handshake; of one that is, where to leave word what comes after it.
pub(super) fn check(request: &HttpRequest) -> Result<Rc<Upgrade>, ApiError> {
    if request.version() < Version::HTTP_11 {
        return Err(refused("connect by HTTP/1.1"));
    }
    if request.headers().contains_key(header::TRANSFER_ENCODING) {
        return Err(refused("a request for an upgrade has no body"));
    }
    opening(request.headers()).map_err(|error| match error {
        HandshakeError::NoConnectionUpgrade => refused("the header Connection does not name Upgrade"),
        HandshakeError::NoVersionHeader | HandshakeError::UnsupportedVersion => {
            let message = "this server speaks version 13 of the WebSocket protocol";
            ApiError::bad_request(message).with(header::SEC_WEBSOCKET_VERSION, VERSION)
        }
        HandshakeError::BadWebsocketKey => refused("the header Sec-WebSocket-Key is missing"),
        HandshakeError::NoWebsocketUpgrade | HandshakeError::GetMethodRequired => no_upgrade(),
    })?;
    request.extensions().get::<Rc<Upgrade>>().cloned().ok_or_else(no_upgrade)
}

fn refused(problem: &str) -> ApiError {
    ApiError::bad_request(format!("this is a WebSocket endpoint: {problem}"))
}

fn no_upgrade() -> ApiError {
    refused("the request asks for no upgrade to it")
}

/// What is wrong with the headers of an opening handshake.
fn opening(headers: &HeaderMap) -> Result<(), HandshakeError> {
    // One value that says so alone: the HTTP library hands the connection over for that, and for nothing else.
    let upgrades =
        headers.get_all(header::UPGRADE).any(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket"));
    if !upgrades {
        return Err(HandshakeError::NoWebsocketUpgrade);
    }
    if !names(headers, header::CONNECTION, "upgrade") {
        return Err(HandshakeError::NoConnectionUpgrade);
    }
    let mut versions = headers.get_all(header::SEC_WEBSOCKET_VERSION);
    if versions.next().is_none_or(|version| version != VERSION) || versions.next().is_some() {
        return Err(HandshakeError::UnsupportedVersion);
    }
    if headers.get(header::SEC_WEBSOCKET_KEY).is_none_or(|key| key.is_empty()) {
        return Err(HandshakeError::BadWebsocketKey);
    }
    Ok(())
}

/// Whether one of the tokens of a header is this one.
fn names(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|named| named.trim().eq_ignore_ascii_case(token))
}

/// How messages are to be compressed, if the client offers what can be met.
pub(super) fn compression(request: &HttpRequest, is_on: bool) -> Option<Deflate> {
    let offers = request.headers().get_all(header::SEC_WEBSOCKET_EXTENSIONS).filter_map(|value| value.to_str().ok());
    is_on.then(|| Deflate::negotiate(offers)).flatten()
}

/// The answer to a handshake that was checked.
pub(super) fn accept(
    request: &HttpRequest,
    protocol: Option<&'static str>,
    compression: Option<Deflate>,
) -> HttpResponse {
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY).map(|key| key.as_bytes()).unwrap_or_default();
    let accept = hash_key(key);
    let mut response = HttpResponse::build(StatusCode::SWITCHING_PROTOCOLS);
    response.upgrade("websocket").insert_header((header::SEC_WEBSOCKET_ACCEPT, &accept[..]));
    if let Some(protocol) = protocol {
        response.insert_header((header::SEC_WEBSOCKET_PROTOCOL, protocol));
    }
    if let Some(compression) = compression {
        response.insert_header((header::SEC_WEBSOCKET_EXTENSIONS, compression.answer()));
    }
    response.finish()
}
