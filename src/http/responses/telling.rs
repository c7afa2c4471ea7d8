//! What comes of a response: its events one after the other, or it when it is through.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use sophie_actors::answers::GenerationOrigin;
use sophie_actors::backend::BackendError;
use sophie_actors::dialects::responses::{Head, Response, ResponseEvent, ResponseFold};
use sophie_actors::dialects::{AnswerEnd, Fold};
use sophie_actors::openai::Chunk;
use sophie_actors::protocol::CacheStatus;
use tokio::time::timeout;

use crate::http::gateway::GatewayError;
use crate::http::gateway::source::{Broken, Source, Told};

/// A response under way, or one that is told again.
pub struct Telling {
    head: Head,
    source: Source,
    /// What came first, if that was waited for.
    first: Option<Told>,
}

impl Telling {
    /// That of a response which is read from its first chunk.
    pub fn new(head: Head, source: Source) -> Self {
        Self { head, source, first: None }
    }

    /// How the answer came about; known once something was read.
    pub fn origin(&self) -> (CacheStatus, GenerationOrigin) {
        self.source.origin()
    }

    /// Waits for what comes first, no longer than `within`. `false`: nothing has come.
    ///
    /// # Errors
    /// The answer failed before anything came; it cannot be read to its end here.
    pub async fn begins_within(&mut self, within: Duration) -> Result<bool, GatewayError> {
        match timeout(within, self.source.told()).await {
            Ok(Ok(Told::Failed(error))) => Err(error.into()),
            Ok(Err(Broken)) => Err(GatewayError::draining()),
            Ok(Ok(told)) => {
                self.first = Some(told);
                Ok(true)
            }
            Err(_) => Ok(false),
        }
    }

    async fn told(&mut self) -> Result<Told, Broken> {
        match self.first.take() {
            Some(first) => Ok(first),
            None => self.source.told().await,
        }
    }

    /// The response while nothing of it was read.
    pub fn at_its_beginning(&self) -> Response {
        Response::of(self.head.clone(), [], None)
    }

    /// The response when it is through.
    ///
    /// # Errors
    /// The answer failed; it cannot be read to its end here.
    pub async fn whole(mut self) -> Result<(Response, CacheStatus, GenerationOrigin), GatewayError> {
        let mut chunks = Vec::new();
        loop {
            match self.told().await {
                Ok(Told::Chunks(more)) => chunks.extend(more),
                Ok(Told::End(AnswerEnd::Failed { code, reason })) => {
                    return Err(BackendError::new(code, &reason, "recorded").into());
                }
                Ok(Told::End(end)) => {
                    let (status, origin) = self.origin();
                    let response = Response::of(self.head, chunks.iter().map(Arc::as_ref), Some(&end));
                    return Ok((response, status, origin));
                }
                Ok(Told::Failed(error)) => return Err(error.into()),
                Err(Broken) => return Err(GatewayError::draining()),
            }
        }
    }

    /// Its events, the first one at once.
    pub fn events(self) -> Events {
        let mut fold = ResponseFold::new(self.head.clone());
        let ready = fold.begin().into();
        Events { telling: self, fold, come: Vec::new().into_iter(), ready, is_over: false }
    }
}

/// The events of a response, the same under the same numbers whenever and wherever they are told.
pub struct Events {
    telling: Telling,
    fold: ResponseFold,
    /// Chunks that have come and are not told: readers share them, so a slow one costs little.
    come: std::vec::IntoIter<Arc<Chunk>>,
    ready: VecDeque<ResponseEvent>,
    is_over: bool,
}

impl Events {
    /// The next one; `None` after the last one. Cancelling the wait loses nothing.
    ///
    /// # Errors
    /// The rest cannot be had here: whoever reads must come back, and must not take this for an end.
    pub async fn next(&mut self) -> Result<Option<ResponseEvent>, Broken> {
        loop {
            if self.has_more() {
                return Ok(self.ready.pop_front());
            }
            if self.is_over {
                return Ok(None);
            }
            match self.telling.told().await? {
                Told::Chunks(chunks) => self.come = chunks.into_iter(),
                Told::End(end) => self.end(&end),
                Told::Failed(error) => self.end(&AnswerEnd::Failed { code: error.code, reason: error.reason }),
            }
        }
    }

    /// Whether the next one is there already.
    pub fn has_more(&mut self) -> bool {
        while self.ready.is_empty()
            && let Some(chunk) = self.come.next()
        {
            self.ready.extend(self.fold.chunk(&chunk));
        }
        !self.ready.is_empty()
    }

    fn end(&mut self, end: &AnswerEnd) {
        self.ready.extend(self.fold.end(end));
        self.is_over = true;
    }
}
