//! An answer as a stream of server-sent events: each chunk as the backend wrote it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;

use actix_web::HttpResponse;
use actix_web::web::{Bytes, BytesMut};
use bytestring::ByteString;
use futures_util::stream;
use sophie_actors::answers::{End, Next};
use sophie_actors::openai::{DONE, stream_options};
use tokio::time::{Instant, Sleep, sleep_until};

use super::GatewayError;
use super::prepared::Words;
use super::source::Source;
use crate::http::server_sent::{self, KEEPALIVE, QUIET};

/// Events that are ready are written together, up to about so many bytes.
const PIECE: usize = 16 * 1024;

/// What is still to be sent.
struct EventStream {
    /// Dropped with the end of the answer, or when the client goes.
    reading: Option<Source>,
    ready: VecDeque<ByteString>,
    wants_usage: bool,
    words: Words,
    /// Something of the answer was sent.
    begun: bool,
    sent_at: Instant,
    alarm: Pin<Box<Sleep>>,
}

/// The response: what has come (without it: a sign of life), what will come, and the end. It is polled as quickly as the client reads, so a slow one leaves the rest in
/// the answer's own list, which all its readers share.
pub fn respond(reading: Source, first: Option<Next>, wants_usage: bool, words: Words) -> HttpResponse {
    let now = Instant::now();
    let mut sending = EventStream {
        reading: Some(reading),
        ready: VecDeque::new(),
        wants_usage,
        words,
        begun: false,
        // Nothing has come: the line has been quiet for long enough.
        sent_at: if first.is_some() { now } else { now.checked_sub(QUIET).unwrap_or(now) },
        alarm: Box::pin(sleep_until(if first.is_some() { now + QUIET } else { now })),
    };
    if let Some(first) = first {
        sending.take(first);
    }
    let events = stream::unfold(sending, |mut sending| async move {
        let piece = sending.piece().await?;
        Some((Ok::<_, Infallible>(piece), sending))
    });
    server_sent::response().streaming(events)
}

impl EventStream {
    async fn piece(&mut self) -> Option<Bytes> {
        while self.ready.is_empty() {
            let reading = self.reading.as_mut()?;
            tokio::select! {
                biased;
                next = reading.next() => self.take(next),
                () = self.alarm.as_mut() => {
                    // Set once for many pieces: it may be that something was sent since.
                    let quiet = self.sent_at.elapsed() >= QUIET;
                    if quiet {
                        self.sent_at = Instant::now();
                    }
                    self.alarm.as_mut().reset(self.sent_at + QUIET);
                    if quiet {
                        return Some(Bytes::from_static(KEEPALIVE));
                    }
                }
            }
        }
        self.sent_at = Instant::now();
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
                for chunk in &chunks {
                    let first = !self.begun;
                    match &self.words {
                        Words::Chat => {
                            self.ready
                                .extend(stream_options::lines(chunk, first, self.wants_usage).into_iter().flatten());
                        }
                        Words::Text(text) => self.ready.extend(text.lines(chunk, first, self.wants_usage)),
                    }
                    self.begun = true;
                }
            }
            Next::End(end) => {
                self.reading = None;
                self.ready.push_back(match end {
                    End::Complete { .. } => ByteString::from_static(DONE),
                    // Without `[DONE]`: an answer that was cut off must not look like a whole one.
                    End::Failed(error) => GatewayError::from(error).body().to_string().into(),
                });
            }
        }
    }
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

    #[test]
    fn an_event_is_one_line() {
        let mut piece = BytesMut::new();
        write(&mut piece, "{\"a\":\r\n1}");
        write(&mut piece, "[DONE]");
        assert_eq!(piece, "data: {\"a\":  1}\n\ndata: [DONE]\n\n");
    }
}
