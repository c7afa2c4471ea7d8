//! The opening handshake of RFC 6455: what is one, and its answer.

use actix_http::ws::hash_key;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::http::{StatusCode, Version};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use crate::http::ApiError;

/// The version that this server speaks.
const VERSION: &str = "13";

/// Refuses what is no WebSocket handshake.
pub(super) fn check(request: &HttpRequest) -> Result<(), ApiError> {
    let headers = request.headers();
    let refused = |problem: &str| Err(ApiError::bad_request(format!("this is a WebSocket endpoint: {problem}")));
    if request.version() < Version::HTTP_11 {
        return refused("connect by HTTP/1.1");
    }
    // One value that says so alone: the HTTP library reads the connection as frames for that, and for nothing else.
    let upgrades =
        headers.get_all(header::UPGRADE).any(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket"));
    if !upgrades {
        return refused("the request asks for no upgrade to it");
    }
    if !names(headers, header::CONNECTION, "upgrade") {
        return refused("the header Connection does not name Upgrade");
    }
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return refused("a request for an upgrade has no body");
    }
    let mut versions = headers.get_all(header::SEC_WEBSOCKET_VERSION);
    if versions.next().is_none_or(|version| version != VERSION) || versions.next().is_some() {
        let message = "this server speaks version 13 of the WebSocket protocol";
        return Err(ApiError::bad_request(message).with(header::SEC_WEBSOCKET_VERSION, VERSION));
    }
    if headers.get(header::SEC_WEBSOCKET_KEY).is_none_or(|key| key.is_empty()) {
        return refused("the header Sec-WebSocket-Key is missing");
    }
    Ok(())
}

/// Whether one of the tokens of a header is this one.
fn names(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|named| named.trim().eq_ignore_ascii_case(token))
}

/// The answer to a handshake that was checked.
pub(super) fn accept(request: &HttpRequest, protocol: Option<&'static str>) -> HttpResponseBuilder {
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY).map(|key| key.as_bytes()).unwrap_or_default();
    let accept = hash_key(key);
    let mut response = HttpResponse::build(StatusCode::SWITCHING_PROTOCOLS);
    response.upgrade("websocket").insert_header((header::SEC_WEBSOCKET_ACCEPT, &accept[..]));
    if let Some(protocol) = protocol {
        response.insert_header((header::SEC_WEBSOCKET_PROTOCOL, protocol));
    }
    response
}
