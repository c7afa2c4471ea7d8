//! One reply: what there is from an offset on, at once or once there is more.

use std::time::Duration;

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use tokio::time::{Instant, sleep_until};

use super::offset::From;
use super::stream::{Piece, Stream};
use super::{cursor, header as name};
use crate::http::{ApiError, State, etag};

/// Bytes of a body, at most.
const MOST: usize = 1 << 20;
/// What comes within this time after the first piece is sent with it: who polls need not ask for each word.
const GATHERED: Duration = Duration::from_millis(100);
/// A piece never changes, and who has one asks for what follows it. Never for others: a stream may be a person's.
const KEPT: HeaderValue = HeaderValue::from_static("private, max-age=60, stale-while-revalidate=300");
const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-store");

/// Where the reader stands after a reply.
fn place(mut reply: HttpResponseBuilder, stream: &impl Stream, piece: &Piece) -> HttpResponseBuilder {
    reply.insert_header((name::NEXT_OFFSET, stream.offset(piece.next)));
    if piece.is_tail {
        reply.insert_header((name::UP_TO_DATE, "true"));
    }
    if piece.is_end {
        reply.insert_header((name::CLOSED, "true"));
    }
    reply
}

/// `HEAD`: where the tail is.
///
/// # Errors
/// It is gone, or cannot be had now.
pub(super) async fn head(mut stream: impl Stream) -> Result<HttpResponse, ApiError> {
    let look = stream.look().await?;
    let mut reply = HttpResponse::Ok();
    reply.insert_header((name::NEXT_OFFSET, stream.offset(look.tail)));
    if look.is_closed {
        reply.insert_header((name::CLOSED, "true"));
    }
    reply.insert_header((name::TTL, look.keep_seconds));
    Ok(reply.insert_header((header::CACHE_CONTROL, NOT_KEPT)).content_type(stream.mime()).finish())
}

/// What there is.
///
/// # Errors
/// 400 or 410: there is no such place.
pub(super) async fn catch_up(
    request: &HttpRequest,
    mut stream: impl Stream,
    from: &From,
) -> Result<HttpResponse, ApiError> {
    let position = stream.position(from).await?;
    let piece = stream.piece(position, MOST).await?;
    Ok(sent(request, &stream, piece, *from == From::Now, None))
}

/// A piece as it is sent.
fn sent(request: &HttpRequest, stream: &impl Stream, piece: Piece, is_tail: bool, cursor: Option<u64>) -> HttpResponse {
    let tag = tag(stream, &piece);
    let is_known = !is_tail && etag::is_known(request.headers(), &tag);
    let mut reply = place(if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() }, stream, &piece);
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
    reply.content_type(stream.mime()).body(piece.body)
}

/// The name of a piece for caches.
fn tag(stream: &impl Stream, piece: &Piece) -> String {
    let closed = if piece.is_end { ":c" } else { "" };
    format!("\"{}:{}:{}{closed}\"", stream.name(), piece.from, piece.next)
}

/// What there is, or what comes within a time.
///
/// # Errors
/// 400 or 410: there is no such place. 404: it is gone.
pub(super) async fn long_poll(
    request: &HttpRequest,
    state: &State,
    mut stream: impl Stream,
    from: &From,
    shown: Option<&str>,
) -> Result<HttpResponse, ApiError> {
    let position = stream.position(from).await?;
    let _visit = state.gateway.running.begin();
    let mut until = Instant::now() + Duration::from_secs(state.poll_seconds);
    let mut piece = stream.piece(position, MOST).await?;
    // What is there already is sent at once.
    let mut is_over = !piece.is_empty() || piece.is_end;
    while !is_over {
        let had_none = piece.is_empty();
        tokio::select! {
            biased;
            grown = stream.grow() => {
                grown?;
                piece = stream.piece(position, MOST).await?;
                is_over = piece.is_end;
                if had_none && !piece.is_empty() {
                    until = Instant::now() + GATHERED;
                }
            }
            // Then the reader comes back, to another node.
            () = state.goes() => is_over = true,
            () = sleep_until(until) => is_over = true,
        }
    }
    let cursor = cursor::next(shown);
    if !piece.is_empty() {
        return Ok(sent(request, &stream, piece, false, Some(cursor)));
    }
    let mut reply = place(HttpResponse::NoContent(), &stream, &piece);
    if !piece.is_end {
        reply.insert_header((name::CURSOR, cursor));
    }
    Ok(reply.insert_header((header::CACHE_CONTROL, NOT_KEPT)).finish())
}
