//! An answer as a stream of server-sent events: each chunk as the backend wrote it.

use std::collections::VecDeque;
use std::convert::Infallible;

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderName};
use actix_web::web::{Bytes, BytesMut};
use bytestring::ByteString;
use futures_util::stream;
use sophie_actors::answers::{End, Next};
use sophie_actors::backend::{Body, Chunk};

use super::Refused;
use super::reading::Reading;

/// Events that are ready are written together, up to about so many bytes.
const PIECE: usize = 16 * 1024;
/// Says to nginx, and what has learned from it, that a stream is not to be gathered.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What is still to be told.
struct Telling {
    /// Dropped with the end of the answer, or when the client goes.
    reading: Option<Reading>,
    ready: VecDeque<ByteString>,
    wants_usage: bool,
}

/// The response: what has come, what will come, and the end. It is polled as quickly as the client reads, so a slow one leaves the rest in
/// the answer's own list, which all its readers share.
pub fn respond(reading: Reading, first: Next, wants_usage: bool) -> HttpResponse {
    let mut telling = Telling { reading: Some(reading), ready: VecDeque::new(), wants_usage };
    telling.take(first);
    let events = stream::unfold(telling, |mut telling| async move {
        let piece = telling.piece().await?;
        Some((Ok::<_, Infallible>(piece), telling))
    });
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((BUFFERING, "no"))
        // Keeps the compressor away, which would hold chunks back. It is not sent: see `wrap`.
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .streaming(events)
}

impl Telling {
    async fn piece(&mut self) -> Option<Bytes> {
        while self.ready.is_empty() {
            let next = self.reading.as_mut()?.next().await;
            self.take(next);
        }
        let mut piece = BytesMut::new();
        while let Some(data) = self.ready.front() {
            if !piece.is_empty() && piece.len() + data.len() > PIECE {
                break;
            }
            write(&mut piece, data);
            self.ready.pop_front();
        }
        Some(piece.freeze())
    }

    fn take(&mut self, next: Next) {
        match next {
            Next::Chunks(chunks) => {
                let wants_usage = self.wants_usage;
                self.ready.extend(chunks.iter().filter_map(|chunk| told(chunk, wants_usage)));
            }
            Next::End(end) => {
                self.reading = None;
                self.ready.push_back(match end {
                    End::Complete { .. } => ByteString::from_static("[DONE]"),
                    // Without `[DONE]`: an answer that was cut off must not look like a whole one.
                    End::Failed(error) => Refused::from(error).body().to_string().into(),
                });
            }
        }
    }
}

/// What every chunk has, and what says nothing without the rest.
const USUAL: [&str; 9] =
    ["id", "object", "created", "model", "choices", "system_fingerprint", "service_tier", "provider", "obfuscation"];

/// What a caller is told of a chunk. The count of tokens is asked for by the gateway also where the caller did not: it is left out there,
/// and with it the chunk, if nothing else (such as llama.cpp's `timings`) is in it.
fn told(chunk: &Chunk, wants_usage: bool) -> Option<ByteString> {
    if wants_usage || !chunk.choices.is_empty() {
        return Some(chunk.raw.clone());
    }
    let body = Body::parse(&chunk.raw).ok().filter(|body| body.says("usage"));
    let Some(mut body) = body else { return Some(chunk.raw.clone()) };
    body.remove("usage");
    let says_more = body.iter().any(|(name, value)| !USUAL.contains(&name) && value != "null");
    says_more.then(|| body.to_string().into())
}

/// One event. Between its tokens JSON may have line ends, which mean the same as spaces and would end the event's line.
fn write(piece: &mut BytesMut, data: &str) {
    piece.reserve(data.len() + 8);
    piece.extend_from_slice(b"data: ");
    if data.contains(['\n', '\r']) {
        piece.extend_from_slice(data.replace(['\n', '\r'], " ").as_bytes());
    } else {
        piece.extend_from_slice(data.as_bytes());
    }
    piece.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(raw: &'static str) -> Chunk {
        match Chunk::parse(raw.into()) {
            Ok(sophie_actors::backend::Parsed::Chunk(chunk)) => chunk,
            other => panic!("not a chunk: {other:?}"),
        }
    }

    #[test]
    fn the_count_alone_is_left_out_for_who_did_not_ask() {
        let count = r#"{"id":"c","choices":[],"usage":{"total_tokens":3}}"#;
        assert_eq!(told(&parsed(count), true).as_deref(), Some(count));
        assert_eq!(told(&parsed(count), false), None);
        let odd = r#"{"choices":[],"usage":{"total_tokens":18446744073709551615}}"#;
        assert_eq!(told(&Chunk { usage: None, ..parsed(odd) }, false), None, "also one that nobody believes");
        let timed = r#"{"z":1.50,"choices":[],"usage":{"total_tokens":3},"timings":{"b":1,"a":2.0}}"#;
        let rest = r#"{"z":1.50,"choices":[],"timings":{"b":1,"a":2.0}}"#;
        assert_eq!(told(&parsed(timed), false).as_deref(), Some(rest));
        for raw in [
            r#"{"choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"total_tokens":3}}"#,
            r#"{"choices":[],"prompt_filter_results":[]}"#,
            r#"{"choices":[],"usage":null}"#,
        ] {
            assert_eq!(told(&parsed(raw), false).as_deref(), Some(raw));
        }
    }

    #[test]
    fn an_event_is_one_line() {
        let mut piece = BytesMut::new();
        write(&mut piece, "{\"a\":\r\n1}");
        write(&mut piece, "[DONE]");
        assert_eq!(piece, "data: {\"a\":  1}\n\ndata: [DONE]\n\n");
    }
}
