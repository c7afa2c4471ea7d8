//! What a response is read from: the answer itself, which ends with its caller's going, or the recording of it, which goes on.

use std::sync::Arc;

use sophie_actors::answers::{End, GenerationOrigin, Next, Recorded};
use sophie_actors::backend::BackendError;
use sophie_actors::dialects::AnswerEnd;
use sophie_actors::openai::Chunk;
use sophie_actors::protocol::CacheStatus;

use super::kept::{Found, Kept};
use super::reading::Reading;

/// Either of them.
pub enum Source {
    /// The answer, for this caller alone.
    Own(Box<Reading>),
    /// Its recording.
    Kept(Kept),
}

/// What comes, as dialects fold it.
pub enum Told {
    /// Chunks that were not seen.
    Chunks(Vec<Arc<Chunk>>),
    /// The end, after all chunks.
    End(AnswerEnd),
    /// The same of an answer that failed, with all that is known of that.
    Failed(BackendError),
}

/// The rest cannot be had here: the node goes, or the recording is gone.
#[derive(Debug)]
pub struct Broken;

impl Source {
    /// What comes next. Cancelling the wait loses nothing.
    pub async fn next(&mut self) -> Next {
        match self {
            Self::Own(reading) => reading.next().await,
            Self::Kept(kept) => kept.next().await.into(),
        }
    }

    /// The same as dialects fold it.
    ///
    /// # Errors
    /// There is an end, and it cannot be had here.
    pub async fn told(&mut self) -> Result<Told, Broken> {
        match self {
            Self::Own(reading) => Ok(match reading.next().await {
                Next::Chunks(chunks) => Told::Chunks(chunks),
                Next::End(End::Failed(error)) => Told::Failed(error),
                Next::End(end) => Told::End((&end).into()),
            }),
            Self::Kept(kept) => match kept.next().await {
                Found::Recorded(Recorded::Chunks(chunks)) => Ok(Told::Chunks(chunks)),
                Found::Recorded(Recorded::End(end)) => Ok(Told::End(end)),
                Found::Refused(error) => Ok(Told::Failed(error)),
                Found::Recorded(Recorded::Gone) | Found::Interrupted => Err(Broken),
            },
        }
    }

    /// How the answer came about; known once something was read.
    pub fn origin(&self) -> (CacheStatus, GenerationOrigin) {
        match self {
            Self::Own(reading) => reading.origin(),
            Self::Kept(kept) => kept.origin(),
        }
    }
}
