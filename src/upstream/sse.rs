//! Server-sent events out of a response body, bounded.
//!
//! The parsing is `sse-stream`'s: it takes a lone CR as a line end at once, drops a BOM, and joins UTF-8 across network
//! frames. Like its rivals (`eventsource-stream`, `sseer`) it holds an event of any size, so the bound is kept here, on
//! what goes in before something comes out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use sse_stream::{Error, SseByteStream};

/// The most bytes that may arrive without completing an event. A piece of an answer is a few hundred bytes; one with an
/// image in it a few million.
pub const MAX_EVENT_BYTES: usize = 8 * 1024 * 1024;

/// One event with data.
#[derive(Debug, PartialEq, Eq)]
pub struct SseEvent {
    /// Its data on one line. JSON has line ends only between its tokens, where a space does as well; so the text can be
    /// sent on as one `data:` line.
    pub data: String,
    /// Whether its `event` field is `error`.
    pub is_error: bool,
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
    /// [`MAX_EVENT_BYTES`] and no end of the event.
    #[error("an event is longer than {MAX_EVENT_BYTES} bytes")]
    TooLong,
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

/// The events of a response. Nothing is read ahead: the sender waits while nobody asks for the next event.
pub struct SseEvents {
    events: SseByteStream<BoxStream<'static, Result<Bytes, BodyFault>>>,
    /// Bytes since the last event.
    pending: Arc<AtomicUsize>,
    /// Whether an event came.
    begun: bool,
}

impl SseEvents {
    /// Reads a body whose errors are texts for the log.
    pub fn new(body: impl Stream<Item = Result<Bytes, String>> + Send + 'static) -> Self {
        let pending = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&pending);
        let counted = body.map(move |piece| {
            let piece = piece.map_err(BodyFault::Connection)?;
            let held = count.fetch_add(piece.len(), Ordering::Relaxed).saturating_add(piece.len());
            if held > MAX_EVENT_BYTES { Err(BodyFault::TooLong) } else { Ok(piece) }
        });
        Self { events: SseByteStream::new(counted.boxed()), pending, begun: false }
    }

    /// The next event that has data; `None` at the end. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<SseEvent, SseFault>> {
        loop {
            let event = match self.events.next().await? {
                Ok(event) => event,
                Err(error) => return Some(Err(self.fault(error))),
            };
            self.begun = true;
            self.pending.store(0, Ordering::Relaxed);
            let is_error = event.event.as_deref() == Some("error");
            if let Some(data) = event.data.filter(|data| !data.trim().is_empty()) {
                let data = if data.contains('\n') { data.replace('\n', " ") } else { data };
                return Some(Ok(SseEvent { data, is_error }));
            }
        }
    }

    /// Reads to the end and forgets what comes.
    pub async fn drain(mut self) {
        while let Some(Ok(_)) = self.next().await {}
    }

    fn fault(&self, error: Error) -> SseFault {
        let Error::Body(cause) = error else { return SseFault::NotText };
        match cause.downcast_ref() {
            Some(BodyFault::TooLong) => SseFault::TooLong,
            _ => SseFault::Connection {
                cause: cause.to_string(),
                begun: self.begun || self.pending.load(Ordering::Relaxed) > 0,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    async fn read(pieces: impl IntoIterator<Item = Vec<u8>>) -> Vec<Result<SseEvent, SseFault>> {
        let pieces: Vec<_> = pieces.into_iter().map(|piece| Ok(Bytes::from(piece))).collect();
        let mut events = SseEvents::new(stream::iter(pieces));
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
    async fn an_unfinished_event_at_the_end_is_dropped() {
        assert_eq!(data([b"data: a\n\ndata: b\n".to_vec()]).await, ["a"]);
    }

    #[tokio::test]
    async fn an_event_named_error_is_told_apart() {
        let events = read([b"event: error\ndata: x\n\n".to_vec()]).await;
        assert_eq!(events, [Ok(SseEvent { data: "x".into(), is_error: true })]);
    }

    #[tokio::test]
    async fn an_endless_line_ends_in_an_error_and_a_long_one_passes() {
        let part = vec![b'x'; 1024 * 1024];
        let endless = std::iter::once(b"data: ".to_vec()).chain(std::iter::repeat_n(part.clone(), 9));
        assert_eq!(read(endless).await, [Err(SseFault::TooLong)]);
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
            let mut events = SseEvents::new(stream::iter(body.collect::<Vec<_>>()));
            let fault = loop {
                if let Err(fault) = events.next().await.expect("an error comes") {
                    break fault;
                }
            };
            assert_eq!(fault, SseFault::Connection { cause: "reset".into(), begun });
        }
    }
}
