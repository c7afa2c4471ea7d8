//! How a response of server-sent events begins, and what is sent on it while nothing happens.

use std::time::Duration;

use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpResponse, HttpResponseBuilder};

/// A line on which nothing comes for longer is given up by proxies and clients.
pub const QUIET: Duration = Duration::from_secs(15);
/// What comes then: no event, to whoever reads events.
pub const KEEPALIVE: &[u8] = b": keepalive\n\n";
/// Says to nginx, and what has learned from it, that a stream is not to be gathered.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A response of events, whose body is still to come.
pub fn response() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((BUFFERING, "no"))
        // Keeps the compressor away, which would hold events back. It is not sent: see `wrap`.
        .insert_header((header::CONTENT_ENCODING, "identity"));
    response
}
