//! One request to a backend, which tells the backend's record how it went.

use std::sync::Arc;
use std::time::Duration;

use sophie_actors::backend::{AskedBackend, BackendError};
use sophie_actors::ids::RequestId;
use sophie_actors::openai::{BackendRequest, Chunk};
use sophie_actors::protocol::unix_ms;
use tokio::time::Instant;

use super::blame::Blame;
use super::breaker::Entry;
use super::fault::Fault;
use super::member::Member;
use super::operation::{Asked, Operation};

/// One request to a member. Dropped without an end, it counts as cancelled.
pub struct Call {
    member: Arc<Member>,
    entry: Entry,
    began: Instant,
    open: bool,
    operation: Operation,
}

impl Call {
    /// Begins one that the member has let in.
    pub(super) fn new(member: &Arc<Member>, entry: Entry, request: &BackendRequest) -> Self {
        let asked = Asked {
            model: &member.model_for(request),
            backend: member.name(),
            url: member.client.url(),
            price: member.price_of(request),
        };
        let operation = Operation::begin(member.metrics(), request, asked);
        Self { member: member.clone(), entry, began: Instant::now(), open: true, operation }
    }

    /// Whom it asks.
    pub fn member(&self) -> &Member {
        &self.member
    }

    /// The request that it is made for, in its span.
    pub fn request(&self) -> Option<RequestId> {
        self.operation.request()
    }

    /// The first chunk has come.
    pub fn began(&self) {
        let seconds = self.began.elapsed().as_secs_f64();
        let first = &self.member.metrics().backend_first_chunk_seconds;
        first.with_label_values(&[self.member.name()]).observe(seconds);
    }

    /// Something of the answer can be seen: it answers.
    pub fn answered(&mut self) {
        self.operation.seen();
        self.member.change(|record, now| record.breaker.answered(self.entry, now));
    }

    /// More of the answer has come.
    pub fn chunk(&mut self, chunk: &Chunk) {
        self.operation.chunk(chunk);
    }

    /// The answer came to its end.
    pub fn completed(&mut self) {
        self.end("answered");
        self.member.change(|record, now| record.breaker.completed(self.entry, now));
    }

    /// It failed; `wait` is the backend's own word on when to come back. Returns what a caller is told.
    pub fn failed(&mut self, fault: &Fault, wait: Option<Duration>) -> BackendError {
        let blame = fault.blame();
        self.end(blame.outcome());
        let mut told = fault.for_caller(wait, self.member.client.secrets());
        self.member.change(|record, now| {
            if !blame.counts() {
                return record.breaker.completed(self.entry, now);
            }
            record.failures += 1;
            record.last = Some((unix_ms(), told.detail.clone(), blame));
            // What a broken account says of a time to come back is no promise.
            record.breaker.failed(self.entry, wait.filter(|_| matches!(blame, Blame::Limit | Blame::Backend)), now);
        });
        let (backend, url) = (self.member.name().to_owned(), self.member.client.place().to_owned());
        told.asked = Some(Box::new(AskedBackend { backend, url }));
        told
    }

    fn end(&mut self, outcome: &str) {
        self.open = false;
        self.operation.ended(if outcome == "answered" { "" } else { outcome });
        let requests = &self.member.metrics().backend_requests;
        requests.with_label_values(&[self.member.name(), outcome]).inc();
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.open {
            self.end("cancelled");
            self.member.change(|record, now| record.breaker.dropped(self.entry, now));
        }
    }
}
