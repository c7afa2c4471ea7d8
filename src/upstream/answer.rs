//! An answer under way: events into chunks, against the clock.

use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use sophie_actors::backend::{Chunk, Parsed, ReportedError, StreamItem};
use tokio::time::{Instant, timeout, timeout_at};

use super::errors::{Fault, Stage};
use super::sse::{SseEvent, SseEvents, SseFault};

/// How long the end of a response is waited for after `[DONE]`. It is a few bytes that often come in a packet of their
/// own; a connection that is closed before them costs the next answer a new TLS handshake.
const LINGER: Duration = Duration::from_secs(1);

/// The items of an answer, with faults as they are.
pub type Items = BoxStream<'static, Result<StreamItem, Fault>>;

/// The bounds of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The longest silence between two chunks.
    pub idle: Duration,
    /// When the answer must be through.
    pub deadline: Instant,
    /// How many bytes of data it may still have.
    pub bytes: usize,
}

/// An answer whose first item has come. Dropping it before its end closes the connection.
pub struct Answer {
    first: Option<StreamItem>,
    events: SseEvents,
    bounds: Bounds,
}

impl Answer {
    /// Waits for the first item, so that whatever fails before it can still be tried elsewhere. `None`: the stream ended
    /// without a word.
    pub async fn begin(mut events: SseEvents, mut bounds: Bounds) -> Result<Self, Fault> {
        let first = match events.next().await {
            None => None,
            Some(Ok(event)) => Some(item(event, &mut bounds.bytes)?),
            Some(Err(SseFault::Connection { cause, begun: false })) => return Err(Fault::Connection(cause)),
            Some(Err(fault @ SseFault::Connection { .. })) => return Err(broken(&fault)),
            Some(Err(fault)) => return Err(Fault::Unreadable(fault.to_string())),
        };
        Ok(Self { first, events, bounds })
    }

    /// The items, pulled: nothing is read from the backend while nobody asks.
    pub fn into_stream(self) -> Items {
        let items = stream::unfold(Some(self), |answer| async move {
            let mut answer = answer?;
            let item = answer.next().await?;
            let rest = match item {
                Ok(StreamItem::Chunk(_)) => Some(answer),
                Ok(StreamItem::Done) => {
                    tokio::spawn(timeout(LINGER, answer.events.drain()));
                    None
                }
                Err(_) => None,
            };
            Some((item, rest))
        });
        Box::pin(items.fuse())
    }

    async fn next(&mut self) -> Option<Result<StreamItem, Fault>> {
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        self.read().await.transpose()
    }

    async fn read(&mut self) -> Result<Option<StreamItem>, Fault> {
        let now = Instant::now();
        let (limit, stage) = sooner((now + self.bounds.idle, Stage::Idle), (self.bounds.deadline, Stage::Whole));
        // A backend that is always ready would never let the timer have its turn.
        if now >= limit {
            return Err(Fault::Timeout(stage));
        }
        match timeout_at(limit, self.events.next()).await {
            Err(_) => Err(Fault::Timeout(stage)),
            Ok(None) => Ok(None),
            Ok(Some(Err(fault))) => Err(broken(&fault)),
            Ok(Some(Ok(event))) => item(event, &mut self.bounds.bytes).map(Some).map_err(|fault| match fault {
                Fault::Unreadable(cause) => Fault::Broken(cause),
                fault => fault,
            }),
        }
    }
}

/// The earlier of two time limits.
pub fn sooner(a: (Instant, Stage), b: (Instant, Stage)) -> (Instant, Stage) {
    if b.0 < a.0 { b } else { a }
}

fn broken(fault: &SseFault) -> Fault {
    Fault::Broken(fault.to_string())
}

fn item(event: SseEvent, bytes_left: &mut usize) -> Result<StreamItem, Fault> {
    let Some(left) = bytes_left.checked_sub(event.data.len()) else {
        return Err(Fault::Overlong);
    };
    *bytes_left = left;
    if event.is_error {
        let named = serde_json::from_str(&event.data).ok().and_then(|body| ReportedError::find(&body));
        let bare = || ReportedError { message: event.data.clone(), ..ReportedError::default() };
        return Err(Fault::Reported(named.unwrap_or_else(bare)));
    }
    match Chunk::parse(event.data.into()) {
        Ok(Parsed::Chunk(chunk)) => Ok(StreamItem::Chunk(chunk)),
        Ok(Parsed::Done) => Ok(StreamItem::Done),
        Ok(Parsed::Error(error)) => Err(Fault::Reported(error)),
        Err(bad) => Err(Fault::Unreadable(bad.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[tokio::test(start_paused = true)]
    async fn a_backend_that_is_always_ready_is_held_to_its_time_too() {
        let busy = stream::repeat_with(|| Ok(Bytes::from_static(b"data: {\"choices\":[]}\n\n")));
        let second = Duration::from_secs(1);
        let bounds = Bounds { idle: second, deadline: Instant::now() + second, bytes: 1_000 };
        let answer = Answer::begin(SseEvents::new(busy), bounds).await.expect("a first chunk");
        let mut items = answer.into_stream();
        for _ in 0..3 {
            assert!(matches!(items.next().await, Some(Ok(StreamItem::Chunk(_)))));
        }
        tokio::time::advance(second).await;
        assert!(matches!(items.next().await, Some(Err(Fault::Timeout(_)))));
        assert_eq!(items.next().await, None);
    }
}
