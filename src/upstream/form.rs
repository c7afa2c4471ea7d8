//! What form a body has. Backends, and proxies before them, label bodies wrongly or not at all; what one begins with says more.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::body::Pieces;
use super::clock::Clock;
use super::fault::Fault;

/// How much may come before it is clear, in bytes: some servers send blanks to keep a connection alive.
const BLANKS: usize = 64 * 1024;
/// What a line of server-sent events begins with.
const FIELDS: [&[u8]; 5] = [b":", b"data:", b"event:", b"id:", b"retry:"];

/// The form of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyForm {
    /// Server-sent events.
    Events,
    /// JSON.
    Json,
    /// A web page.
    Page,
    /// None that an answer has.
    Other,
}

/// Reads as much as it takes to know the form of a body; the body that is returned has all of it. `declared` is its content type.
pub async fn of(mut pieces: Pieces, declared: &str, clock: &mut Clock) -> Result<(BodyForm, Pieces), Fault> {
    let (mut read, mut bytes) = (Vec::new(), Vec::new());
    loop {
        let piece = clock.wait(pieces.next()).await?;
        let is_end = !matches!(piece, Some(Ok(_)));
        match piece {
            Some(Err(cause)) if bytes.is_empty() => return Err(Fault::Connection(cause)),
            Some(piece) => {
                clock.heard(Instant::now());
                bytes.extend_from_slice(piece.as_ref().map_or(&[], Bytes::as_ref));
                read.push(piece);
            }
            None => {}
        }
        if let Some(form) = form(&bytes, declared, is_end) {
            return Ok((form, stream::iter(read).chain(pieces).boxed()));
        }
    }
}

/// The form, if that much says it.
fn form(bytes: &[u8], declared: &str, is_end: bool) -> Option<BodyForm> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let is_declared = declared == "text/event-stream";
    match text.first() {
        Some(b'{' | b'[') => Some(BodyForm::Json),
        Some(b'<') => Some(BodyForm::Page),
        // The first bytes of a BOM.
        Some(0xef) if !is_end && bytes.len() < 3 => None,
        Some(_) if is_declared || FIELDS.iter().any(|field| text.starts_with(field)) => Some(BodyForm::Events),
        Some(_) if !is_end && FIELDS.iter().any(|field| field.starts_with(text)) => None,
        None if !is_end && bytes.len() < BLANKS => None,
        None if is_declared => Some(BodyForm::Events),
        _ => Some(BodyForm::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_what_it_looks_like_whatever_it_is_called() {
        for declared in ["text/event-stream", "text/plain", "", "application/json", "text/html"] {
            for (body, expected) in [
                ("data: {}\n\n", BodyForm::Events),
                (": hello", BodyForm::Events),
                ("\u{feff}\n event: x", BodyForm::Events),
                (" \n{\"a\":1}", BodyForm::Json),
                ("[{\"error\":{}}]", BodyForm::Json),
                ("\r\n<!doctype html>", BodyForm::Page),
            ] {
                assert_eq!(form(body.as_bytes(), declared, false), Some(expected), "{declared} {body}");
            }
        }
        assert_eq!(form(b"Hello", "text/plain", false), Some(BodyForm::Other));
        assert_eq!(form(b"Hello", "text/event-stream", false), Some(BodyForm::Events));
    }

    #[test]
    fn what_is_not_clear_yet_is_waited_for() {
        for body in [&b""[..], b" \n", b"d", b"data", b"\xef\xbb", b"\xef\xbb\xbf"] {
            assert_eq!(form(body, "", false), None, "{body:?}");
            assert_eq!(form(body, "", true), Some(BodyForm::Other), "{body:?}");
        }
        assert_eq!(form(&[b' '; BLANKS], "", false), Some(BodyForm::Other));
        assert_eq!(form(b"", "text/event-stream", true), Some(BodyForm::Events));
    }
}
