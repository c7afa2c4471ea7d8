//! The opening handshake of RFC 6455 (4.2): what is one, and its answer.

use std::rc::Rc;

use actix_http::ws::hash_key;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
// Its own check takes no request for one that says `Connection: close, Upgrade`, which is one.
pub use actix_web_actors::ws::HandshakeError;

use super::{Deflate, Upgrade};

/// The version that is spoken.
pub const VERSION: &str = "13";

/// Whether a request asks for a WebSocket, be it in the right way or not.
pub fn is_asked_for(request: &HttpRequest) -> bool {
    let values = request.headers().get_all(header::UPGRADE);
    // One value that says so alone: the HTTP library hands the connection over for that, and for nothing else.
    values.into_iter().any(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket"))
}

/// Where to leave word what comes after a handshake.
///
/// # Errors
/// The request is none.
pub fn opening(request: &HttpRequest) -> Result<Rc<Upgrade>, HandshakeError> {
    let headers = request.headers();
    if !is_asked_for(request) {
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
    request.extensions().get::<Rc<Upgrade>>().cloned().ok_or(HandshakeError::NoWebsocketUpgrade)
}

/// Whether one of the tokens of a header is this one.
fn names(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|named| named.trim().eq_ignore_ascii_case(token))
}

/// How messages are to be compressed, if the client offers what can be met.
pub fn compression(request: &HttpRequest, is_on: bool) -> Option<Deflate> {
    let offers = request.headers().get_all(header::SEC_WEBSOCKET_EXTENSIONS).filter_map(|value| value.to_str().ok());
    is_on.then(|| Deflate::negotiate(offers)).flatten()
}

/// The answer to an opening.
pub fn accept(request: &HttpRequest, protocol: Option<&str>, compression: Option<Deflate>) -> HttpResponse {
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
