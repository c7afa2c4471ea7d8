//! A backend that the test plays.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sophie_actors::backend::{Backend, BackendError, ChunkStream, StreamItem};
use sophie_actors::openai::{BackendRequest, Chunk, ChunkWriter};
use sophie_actors::protocol::ErrorCode;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::*;

/// One request at the backend, to be answered by the test.
pub struct Feed {
    items: mpsc::UnboundedSender<Option<Result<StreamItem, BackendError>>>,
    writer: ChunkWriter,
}

impl Feed {
    fn send(&self, item: Option<Result<StreamItem, BackendError>>) {
        _ = self.items.send(item);
    }

    pub fn chunk(&self, chunk: Chunk) {
        self.send(Some(Ok(StreamItem::Chunk(chunk))));
    }

    pub fn text(&self, text: &str) {
        self.chunk(self.writer.text(text));
    }

    pub fn finish(&self, reason: &str) {
        self.chunk(self.writer.finish(reason));
    }

    pub fn done(&self) {
        self.send(Some(Ok(StreamItem::Done)));
    }

    /// A whole answer.
    pub fn answer(&self, text: &str) {
        self.text(text);
        self.finish("stop");
        self.done();
    }

    pub fn fail(&self) {
        let error = BackendError::new(ErrorCode::AiUnavailable, "the AI cannot be reached", "told to fail");
        self.send(Some(Err(error)));
    }

    /// The stream panics.
    pub fn panic(&self) {
        self.send(None);
    }

    pub fn is_dropped(&self) -> bool {
        self.items.is_closed()
    }
}

/// The test's end of the backend.
pub struct Ai(Mutex<mpsc::UnboundedReceiver<Feed>>);

impl Ai {
    pub fn new() -> (Self, Arc<dyn Backend>) {
        let (asked, requests) = mpsc::unbounded_channel();
        (Self(Mutex::new(requests)), Arc::new(Played(asked)))
    }

    /// The next request.
    pub async fn asked(&self) -> Feed {
        let next = std::future::poll_fn(|cx| self.0.lock().expect("one reader").poll_recv(cx));
        timeout(SOON, next).await.expect("a request in time").expect("the backend lives")
    }

    /// Whether nobody asks, once everything has come to rest.
    pub async fn is_idle(&self) -> bool {
        sleep(Duration::from_millis(200)).await;
        self.0.lock().expect("one reader").try_recv().is_err()
    }
}

struct Played(mpsc::UnboundedSender<Feed>);

#[async_trait]
impl Backend for Played {
    async fn stream(&self, _: &BackendRequest) -> Result<ChunkStream, BackendError> {
        let (items, from) = mpsc::unbounded_channel::<Option<Result<StreamItem, BackendError>>>();
        _ = self.0.send(Feed { items, writer: ChunkWriter::new("test") });
        let stream = futures_util::stream::unfold(from, |mut from| async {
            let item = from.recv().await?;
            Some((item.expect("told to panic"), from))
        });
        Ok(Box::pin(stream))
    }

    fn name(&self) -> &'static str {
        "played"
    }
}
