//! Server-sent events out of a response body, bounded.
//!
//! The parsing is `sse-stream`'s: it takes a lone CR as a line end at once, drops a BOM, and joins UTF-8 across network
//! frames. Like its rivals (`eventsource-stream`, `sseer`) it holds an event of any size, so the bound is kept here, on
//! what goes in before something comes out.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, stream};
use sse_stream::{Error, SseByteStream};
use tokio::time::Instant;

use super::utf8::Mender;

/// Ends whatever the last line is.
const END: Bytes = Bytes::from_static(b"\n\n");

/// One event with data.
#[derive(Debug, PartialEq, Eq)]
pub struct SseEvent {
    /// Its data on one line. JSON has line ends only between its tokens, where a space does as well; so the text can be
    /// sent on as one `data:` line.
    pub data: String,
    /// Whether its `event` field is `error`.
    pub is_error: bool,
    /// Whether the body ended before the blank line that ends an event: it may be a part of one.
    pub is_cut: bool,
}

/// Why no further events can be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SseFault {
    /// The connection failed.
    #[error("the connection broke: {cause}")]
    Connection {
        /// What the network said.
        cause: String,
        /// Whether any byte of the body had arrived.
        begun: bool,
    },
    /// So many bytes and no end of the event.
    #[error("an event is longer than ai.max_event_bytes ({0})")]
    TooLong(usize),
    /// Not UTF-8.
    #[error("the stream is not text")]
    NotText,
}

#[derive(Debug, thiserror::Error)]
enum BodyFault {
    #[error("{0}")]
    Connection(String),
    #[error("an event is too long")]
    TooLong,
}

/// What is known of the body beside its events.
#[derive(Debug, Default)]
struct Meter {
    /// Bytes since the last event.
    pending: usize,
    /// When the last bytes came, those of comments too.
    heard: Option<Instant>,
    /// Nothing more comes.
    ended: bool,
}

/// The events of a response. Nothing is read ahead: the sender waits while nobody asks for the next event.
pub struct SseEvents {
    events: SseByteStream<BoxStream<'static, Result<Bytes, BodyFault>>>,
    meter: Arc<Mutex<Meter>>,
    most: usize,
}

impl SseEvents {
    /// Reads a body whose errors are texts for the log, and whose events have at most `most` bytes each.
    pub fn new(body: impl Stream<Item = Result<Bytes, String>> + Send + 'static, most: usize) -> Self {
        let meter = Arc::new(Mutex::new(Meter::default()));
        let count = Arc::clone(&meter);
        let mut mender = Mender::default();
        // What the body breaks off with may be an event for all that, and comes before the fault.
        let marked = body.map(Some).chain(stream::iter([None])).flat_map(|piece| match piece {
            Some(Ok(piece)) => stream::iter([Some(Step::Piece(piece)), None]),
            Some(Err(cause)) => stream::iter([Some(Step::End), Some(Step::Fault(cause))]),
            None => stream::iter([Some(Step::End), None]),
        });
        let pieces = marked.filter_map(std::future::ready).map(move |step| {
            let mut meter = locked(&count);
            match step {
                Step::Fault(cause) => Err(BodyFault::Connection(cause)),
                Step::End => {
                    meter.ended = true;
                    Ok([mender.rest(), END].concat().into())
                }
                Step::Piece(piece) => {
                    meter.heard = Some(Instant::now());
                    meter.pending = meter.pending.saturating_add(piece.len());
                    if meter.pending > most { Err(BodyFault::TooLong) } else { Ok(mender.mend(piece)) }
                }
            }
        });
        Self { events: SseByteStream::new(pieces.boxed()), meter, most }
    }

    /// Feels whether the backend lives, while the next event is waited for.
    pub fn pulse(&self) -> Pulse {
        Pulse(Arc::clone(&self.meter))
    }

    fn heard(&self) -> Option<Instant> {
        locked(&self.meter).heard
    }

    /// The next event that has data; `None` at the end. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<SseEvent, SseFault>> {
        loop {
            let next = self.events.next().await?;
            let is_cut = {
                let mut meter = locked(&self.meter);
                meter.pending = 0;
                meter.ended
            };
            let event = match next {
                Ok(event) => event,
                // Half a character, perhaps.
                Err(Error::Body(cause)) => return Some(Err(self.fault(cause.as_ref()))),
                Err(_) if is_cut => return None,
                Err(_) => return Some(Err(SseFault::NotText)),
            };
            let is_error = event.event.as_deref() == Some("error");
            if let Some(data) = event.data.filter(|data| !data.trim().is_empty()) {
                let data = if data.contains('\n') { data.replace('\n', " ") } else { data };
                return Some(Ok(SseEvent { data, is_error, is_cut }));
            }
        }
    }

    /// Reads to the end and forgets what comes.
    pub async fn drain(mut self) {
        while let Some(Ok(_)) = self.next().await {}
    }

    fn fault(&self, cause: &(dyn std::error::Error + Send + Sync + 'static)) -> SseFault {
        match cause.downcast_ref() {
            Some(BodyFault::TooLong) => SseFault::TooLong(self.most),
            _ => SseFault::Connection { cause: cause.to_string(), begun: self.heard().is_some() },
        }
    }
}

/// Whether the backend lives.
pub struct Pulse(Arc<Mutex<Meter>>);

impl Pulse {
    /// When something came last. A comment is no event, but a sign of life.
    pub fn last(&self) -> Option<Instant> {
        locked(&self.0).heard
    }
}

/// A move of the body.
enum Step {
    Piece(Bytes),
    End,
    Fault(String),
}

fn locked(meter: &Mutex<Meter>) -> std::sync::MutexGuard<'_, Meter> {
    // Every change is one step.
    meter.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 8 * 1024 * 1024;

    async fn read(pieces: impl IntoIterator<Item = Vec<u8>>) -> Vec<Result<SseEvent, SseFault>> {
        let pieces: Vec<_> = pieces.into_iter().map(|piece| Ok(Bytes::from(piece))).collect();
        let mut events = SseEvents::new(stream::iter(pieces), MOST);
        let mut all = vec![];
        while let Some(event) = events.next().await {
            all.push(event);
        }
        all
    }

    async fn data(pieces: impl IntoIterator<Item = Vec<u8>>) -> Vec<String> {
        read(pieces).await.into_iter().map(|event| event.expect("readable").data).collect()
    }

    #[tokio::test]
    async fn every_line_end_of_the_standard_is_one() {
        for text in ["data: a\n\ndata: b\n\n", "data: a\r\rdata: b\r\r", "data: a\r\n\r\ndata: b\r\n\r\n"] {
            assert_eq!(data([text.into()]).await, ["a", "b"], "{text:?}");
        }
    }

    #[tokio::test]
    async fn an_event_may_be_split_at_every_byte() {
        let text = "\u{feff}: hi\r\nevent: x\r\ndata: {\"é😀\"\r\ndata:}\r\rid: 1\n\ndata: [DONE]\n\n";
        let whole = data([text.into()]).await;
        assert_eq!(whole, ["{\"é😀\" }", "[DONE]"]);
        assert_eq!(data(text.bytes().map(|byte| vec![byte])).await, whole);
        for at in 1..text.len() {
            let (a, b) = text.as_bytes().split_at(at);
            assert_eq!(data([a.to_vec(), b.to_vec()]).await, whole, "split at {at}");
        }
    }

    #[tokio::test]
    async fn comments_and_events_without_data_are_nothing() {
        assert!(data([b": ping\n\nevent: ping\n\ndata:\n\ndata\n\n".to_vec()]).await.is_empty());
    }

    #[tokio::test]
    async fn an_event_at_the_end_needs_no_blank_line_but_is_marked() {
        for end in ["", "\n", "\r", "\r\n"] {
            let events = read([format!("data: a\n\ndata: [DONE]{end}").into()]).await;
            let event = |data: &str, is_cut| Ok(SseEvent { data: data.into(), is_error: false, is_cut });
            assert_eq!(events, [event("a", false), event("[DONE]", true)], "{end:?}");
        }
        assert_eq!(data([b"data: a\n\ndata: \xf0\x9f".to_vec()]).await, ["a"]);
        assert_eq!(data([b"data: a\n\n: comment".to_vec()]).await, ["a"]);
    }

    #[tokio::test]
    async fn what_a_connection_breaks_after_comes_before_the_fault() {
        let body = [Ok(Bytes::from_static(b"data: [DONE]")), Err("reset".to_owned())];
        let mut events = SseEvents::new(stream::iter(body), MOST);
        assert_eq!(events.next().await.expect("an event").expect("readable").data, "[DONE]");
        assert!(matches!(events.next().await, Some(Err(SseFault::Connection { begun: true, .. }))));
    }

    #[tokio::test]
    async fn comments_are_heard() {
        let body = stream::iter([Ok(Bytes::from_static(b": working\n\n"))]).chain(stream::pending());
        let mut events = SseEvents::new(body, MOST);
        assert_eq!(events.heard(), None);
        let waited = tokio::time::timeout(std::time::Duration::from_millis(1), events.next()).await;
        assert!(waited.is_err() && events.heard().is_some());
    }

    #[tokio::test]
    async fn an_event_named_error_is_told_apart() {
        let events = read([b"event: error\ndata: x\n\n".to_vec()]).await;
        assert_eq!(events, [Ok(SseEvent { data: "x".into(), is_error: true, is_cut: false })]);
    }

    #[tokio::test]
    async fn an_endless_line_ends_in_an_error_and_a_long_one_passes() {
        let part = vec![b'x'; 1024 * 1024];
        let endless = std::iter::once(b"data: ".to_vec()).chain(std::iter::repeat_n(part.clone(), 9));
        assert_eq!(read(endless).await, [Err(SseFault::TooLong(MOST))]);
        let long = std::iter::once(b"data: ".to_vec()).chain(std::iter::repeat_n(part, 5)).chain([b"\n\n".to_vec()]);
        assert_eq!(data(long.clone().chain(long)).await.len(), 2, "the bound is for each event");
    }

    #[tokio::test]
    async fn what_is_not_utf_8_is_an_error() {
        assert_eq!(read([b"data: \xff\n\n".to_vec()]).await, [Err(SseFault::NotText)]);
    }

    #[tokio::test]
    async fn a_broken_connection_says_whether_anything_had_come() {
        for (piece, begun) in [(None, false), (Some(":"), true), (Some("data: a\n\n"), true)] {
            let body = piece.map(|text| Ok(Bytes::from(text))).into_iter().chain([Err("reset".to_owned())]);
            let mut events = SseEvents::new(stream::iter(body.collect::<Vec<_>>()), MOST);
            let fault = loop {
                if let Err(fault) = events.next().await.expect("an error comes") {
                    break fault;
                }
            };
            assert_eq!(fault, SseFault::Connection { cause: "reset".into(), begun });
        }
    }
}
