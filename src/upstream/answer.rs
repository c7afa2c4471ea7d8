//! An answer under way: events into chunks, against the clock.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use sophie_actors::backend::StreamItem;
use sophie_actors::openai::error::ReportedError;
use sophie_actors::openai::{Chunk, Parsed, ResponseReader};
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

/// Whose words the events are.
#[derive(Debug)]
pub enum Words {
    /// Those of chat completions.
    Chat,
    /// Those of OpenAI's Responses.
    Response(ResponseReader),
}

impl Words {
    /// What the data of an event says.
    fn read(&mut self, data: String) -> Result<Vec<Parsed>, Fault> {
        let parsed = match self {
            Self::Chat => Chunk::parse(data.into()).map(|parsed| vec![parsed]),
            Self::Response(reader) => reader.event(&data),
        };
        parsed.map_err(|bad| Fault::Unreadable(bad.to_string()))
    }
}

/// An answer whose first item has come. Dropping it before its end closes the connection.
pub struct Answer {
    words: Words,
    /// What has come and was not told yet.
    ready: VecDeque<Parsed>,
    events: SseEvents,
    bounds: Bounds,
}

impl Answer {
    /// Waits for the first item, so that whatever fails before it can still be tried elsewhere. Without one the stream ended without a word.
    pub async fn begin(words: Words, events: SseEvents, bounds: Bounds, clock: &mut Clock) -> Result<Self, Fault> {
        let mut answer = Self { words, ready: VecDeque::new(), events, bounds };
        while answer.ready.is_empty() {
            match next(&mut answer.events, clock).await? {
                None => break,
                Some(Ok(event)) => answer.hear(event)?,
                Some(Err(SseFault::Connection { cause, begun: false })) => return Err(Fault::Connection(cause)),
                Some(Err(fault @ SseFault::Connection { .. })) => return Err(broken(&fault)),
                Some(Err(fault)) => return Err(Fault::Unreadable(fault.to_string())),
            }
        }
        if let Some(Parsed::Error(_)) = answer.ready.front() {
            answer.take()?;
        }
        Ok(answer)
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
        self.read().await.transpose()
    }

    async fn read(&mut self) -> Result<Option<StreamItem>, Fault> {
        while self.ready.is_empty() {
            let mut clock = Clock::new(self.bounds.idle, Stage::Idle, self.bounds.deadline);
            match next(&mut self.events, &mut clock).await? {
                None => return Ok(None),
                Some(Err(fault)) => return Err(broken(&fault)),
                Some(Ok(event)) => self.hear(event).map_err(|fault| match fault {
                    Fault::Unreadable(cause) => Fault::Broken(cause),
                    fault => fault,
                })?,
            }
        }
        self.take()
    }

    /// Takes what has come first.
    fn take(&mut self) -> Result<Option<StreamItem>, Fault> {
        match self.ready.pop_front() {
            Some(Parsed::Chunk(chunk)) => Ok(Some(StreamItem::Chunk(chunk))),
            Some(Parsed::Done) => Ok(Some(StreamItem::Done)),
            Some(Parsed::Error(error)) => Err(Fault::Reported(error)),
            None => Ok(None),
        }
    }

    /// Takes what an event says; nothing if it is a part of one that never came.
    fn hear(&mut self, event: SseEvent) -> Result<(), Fault> {
        let left = self.bounds.bytes.checked_sub(event.data.len());
        self.bounds.bytes = left.ok_or(Fault::Overlong)?;
        if event.is_error {
            let named = serde_json::from_str(&event.data).ok().and_then(|body| ReportedError::in_words(&body));
            let bare = || ReportedError { message: event.data.clone(), ..ReportedError::default() };
            self.ready.push_back(Parsed::Error(named.unwrap_or_else(bare)));
            return Ok(());
        }
        match self.words.read(event.data) {
            Ok(said) => self.ready.extend(said),
            Err(_) if event.is_cut => {}
            Err(fault) => return Err(fault),
        }
        Ok(())
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
        let answer =
            Answer::begin(Words::Chat, SseEvents::new(busy, 1_000), bounds, &mut clock).await.expect("a first chunk");
        let mut items = answer.into_stream();
        for _ in 0..3 {
            assert!(matches!(items.next().await, Some(Ok(StreamItem::Chunk(_)))));
        }
        tokio::time::advance(second).await;
        assert!(matches!(items.next().await, Some(Err(Fault::Timeout(_)))));
        assert_eq!(items.next().await, None);
    }
}
