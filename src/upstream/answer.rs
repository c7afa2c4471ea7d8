//! An answer under way: events into chunks, against the clock.

use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use sophie_actors::backend::StreamItem;
use sophie_actors::openai::error::ReportedError;
use sophie_actors::openai::{Chunk, Parsed};
use tokio::time::{Instant, timeout};

use super::clock::Clock;
use super::fault::{Fault, Stage};
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
    pub async fn begin(mut events: SseEvents, mut bounds: Bounds, clock: &mut Clock) -> Result<Self, Fault> {
        let first = match next(&mut events, clock).await? {
            None => None,
            Some(Ok(event)) => item(event, &mut bounds.bytes)?,
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
        let mut clock = Clock::new(self.bounds.idle, Stage::Idle, self.bounds.deadline);
        match next(&mut self.events, &mut clock).await? {
            None => Ok(None),
            Some(Err(fault)) => Err(broken(&fault)),
            Some(Ok(event)) => item(event, &mut self.bounds.bytes).map_err(|fault| match fault {
                Fault::Unreadable(cause) => Fault::Broken(cause),
                fault => fault,
            }),
        }
    }
}

/// The next event. Whatever comes on the way, a comment or a part of it, is a sign of life.
async fn next(events: &mut SseEvents, clock: &mut Clock) -> Result<Option<Result<SseEvent, SseFault>>, Fault> {
    let heard = events.pulse();
    clock.wait_hearing(events.next(), || heard.last()).await
}

fn broken(fault: &SseFault) -> Fault {
    Fault::Broken(fault.to_string())
}

/// What an event says; nothing if it is a part of one that never came.
fn item(event: SseEvent, bytes_left: &mut usize) -> Result<Option<StreamItem>, Fault> {
    let Some(left) = bytes_left.checked_sub(event.data.len()) else {
        return Err(Fault::Overlong);
    };
    *bytes_left = left;
    if event.is_error {
        let named = serde_json::from_str(&event.data).ok().and_then(|body| ReportedError::in_words(&body));
        let bare = || ReportedError { message: event.data.clone(), ..ReportedError::default() };
        return Err(Fault::Reported(named.unwrap_or_else(bare)));
    }
    match Chunk::parse(event.data.into()) {
        Ok(Parsed::Chunk(chunk)) => Ok(Some(StreamItem::Chunk(chunk))),
        Ok(Parsed::Done) => Ok(Some(StreamItem::Done)),
        Ok(Parsed::Error(error)) => Err(Fault::Reported(error)),
        Err(_) if event.is_cut => Ok(None),
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
        let mut clock = Clock::new(second, Stage::FirstChunk, bounds.deadline);
        let answer = Answer::begin(SseEvents::new(busy, 1_000), bounds, &mut clock).await.expect("a first chunk");
        let mut items = answer.into_stream();
        for _ in 0..3 {
            assert!(matches!(items.next().await, Some(Ok(StreamItem::Chunk(_)))));
        }
        tokio::time::advance(second).await;
        assert!(matches!(items.next().await, Some(Err(Fault::Timeout(_)))));
        assert_eq!(items.next().await, None);
    }
}
