//! One reply: what there is from an offset on, at once or once there is more.

use std::time::Duration;

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use tokio::time::{Instant, sleep_until};

use super::offset::From;
use super::stream::{AnswerStream, unknown};
use super::{cursor, header as name};
use crate::http::{ApiError, State};

/// Bytes of a body, at most.
const MOST: usize = 1 << 20;
/// What comes within this time after the first piece is sent with it: who polls need not ask for each word.
const GATHERED: Duration = Duration::from_millis(100);
/// A piece never changes, and who has one asks for what follows it. Never for others: a stream may be a person's.
const KEPT: HeaderValue = HeaderValue::from_static("private, max-age=60, stale-while-revalidate=300");
const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-store");

/// Where the reader stands after a reply.
fn place(mut reply: HttpResponseBuilder, stream: &AnswerStream, next: u64) -> HttpResponseBuilder {
    reply.insert_header((name::NEXT_OFFSET, stream.offset(next)));
    if next == stream.content.len() {
        reply.insert_header((name::UP_TO_DATE, "true"));
    }
    if stream.is_end(next) {
        reply.insert_header((name::CLOSED, "true"));
    }
    reply
}

/// `HEAD`: where the tail is.
pub(super) fn head(stream: &AnswerStream) -> HttpResponse {
    let mut reply = HttpResponse::Ok();
    let tail = stream.content.len();
    reply.insert_header((name::NEXT_OFFSET, stream.offset(tail)));
    if stream.is_closed {
        reply.insert_header((name::CLOSED, "true"));
    }
    reply.insert_header((name::TTL, stream.keep_seconds()));
    reply.insert_header((header::CACHE_CONTROL, NOT_KEPT)).content_type(stream.content.mime()).finish()
}

/// What there is.
///
/// # Errors
/// 400 or 410: there is no such place.
pub(super) fn catch_up(request: &HttpRequest, stream: &AnswerStream, from: &From) -> Result<HttpResponse, ApiError> {
    let position = stream.position(from)?;
    Ok(piece(request, stream, position, *from == From::Now, None))
}

/// The piece from a position on.
fn piece(
    request: &HttpRequest,
    stream: &AnswerStream,
    position: u64,
    is_tail: bool,
    cursor: Option<u64>,
) -> HttpResponse {
    let (body, next) = stream.content.piece(position, MOST);
    let tag = stream.tag(position, next);
    let is_known = !is_tail && knows(request, &tag);
    let mut reply = place(if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() }, stream, next);
    reply.insert_header((header::CACHE_CONTROL, if is_tail { NOT_KEPT } else { KEPT }));
    if !is_tail {
        reply.insert_header((header::ETAG, tag));
    }
    if let Some(cursor) = cursor {
        reply.insert_header((name::CURSOR, cursor));
    }
    if is_known {
        return reply.finish();
    }
    reply.content_type(stream.content.mime()).body(body)
}

/// Whether the caller has this piece already.
fn knows(request: &HttpRequest, tag: &str) -> bool {
    let tags = request.headers().get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    tags.flat_map(|tags| tags.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|known| known == "*" || known == tag)
}

/// What there is, or what comes within a time.
///
/// # Errors
/// 400 or 410: there is no such place. 404: it is gone.
pub(super) async fn long_poll(
    request: &HttpRequest,
    state: &State,
    mut stream: AnswerStream,
    from: &From,
    shown: Option<&str>,
) -> Result<HttpResponse, ApiError> {
    let position = stream.position(from)?;
    let _visit = state.gateway.running.begin();
    let mut until = Instant::now() + Duration::from_secs(state.poll_seconds);
    // What is there already is sent at once.
    let mut is_over = stream.content.len() > position || stream.is_closed;
    while !is_over {
        let had_none = stream.content.len() == position;
        tokio::select! {
            biased;
            grown = stream.grow() => {
                grown.map_err(|_| unknown())?;
                is_over = stream.is_closed;
                if had_none && stream.content.len() > position {
                    until = Instant::now() + GATHERED;
                }
            }
            // Then the reader comes back, to another node.
            () = state.goes() => is_over = true,
            () = sleep_until(until) => is_over = true,
        }
    }
    let cursor = cursor::next(shown);
    if stream.content.len() > position {
        return Ok(piece(request, &stream, position, false, Some(cursor)));
    }
    let mut reply = place(HttpResponse::NoContent(), &stream, position);
    if !stream.is_closed {
        reply.insert_header((name::CURSOR, cursor));
    }
    Ok(reply.insert_header((header::CACHE_CONTROL, NOT_KEPT)).finish())
}
