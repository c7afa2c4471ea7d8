//! Who reads a generation.

use std::sync::Arc;

use super::{End, Generation, GenerationOrigin, Reuse};
use crate::ledger::Asker;
use crate::openai::Chunk;
use crate::spans::Span;

/// What a follower finds.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Chunks that it has not seen.
    Chunks(Vec<Arc<Chunk>>),
    /// The end, after all chunks.
    End(End),
}

/// One reader of a generation; the generation is dropped when the last one is.
#[derive(Debug)]
pub struct Follower {
    pub(super) generation: Arc<Generation>,
    pub(super) seen: usize,
}

impl Follower {
    /// Says who follows, and what is to be done with the answer.
    pub(in crate::answers) fn wants(&self, reuse: Reuse, asker: Asker) {
        let mut state = self.generation.state();
        state.askers.push(asker);
        if reuse.write {
            state.keep = Some(match state.keep {
                None => reuse.ttl_seconds,
                Some(kept) => kept.zip(reuse.ttl_seconds).map(|(kept, more)| kept.max(more)),
            });
        }
    }

    /// Who follows what was begun for somebody else finds the trace that tells of it, and that one tells of all who do.
    pub(in crate::answers) fn link(&self, asker: &Span) {
        asker.link(&self.generation.span);
        self.generation.span.link(asker);
    }

    /// Waits until it is known where the chunks come from (or the generation has failed before that).
    pub async fn origin(&self) -> GenerationOrigin {
        loop {
            let grew = self.generation.grew.notified();
            if let Some(origin) = self.known_origin() {
                return origin;
            }
            grew.await;
        }
    }

    /// Where the chunks come from, if that is known; it is as soon as there is something to read.
    pub fn known_origin(&self) -> Option<GenerationOrigin> {
        let state = self.generation.state();
        state.origin.or_else(|| state.end.as_ref().map(|_| GenerationOrigin::Backend))
    }

    /// Waits for what comes next. Cancelling the wait loses nothing.
    pub async fn next(&mut self) -> Next {
        loop {
            let grew = self.generation.grew.notified();
            {
                let state = self.generation.state();
                if state.chunks.len() > self.seen {
                    let chunks = state.chunks[self.seen..].to_vec();
                    self.seen = state.chunks.len();
                    return Next::Chunks(chunks);
                }
                if let Some(end) = &state.end {
                    return Next::End(end.clone());
                }
            }
            grew.await;
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut state = self.generation.state();
        state.followers -= 1;
        if state.followers == 0 && state.end.is_none() {
            state.abandoned = !state.shared;
            self.generation.left.notify_waiters();
        }
    }
}
