//! What a response is read from: the answer itself, which ends with its caller's going, or the recording of it, which goes on.

use sophie_actors::answers::{GenerationOrigin, Next};
use sophie_actors::protocol::CacheStatus;

use super::kept::Kept;
use super::reading::Reading;

/// Either of them.
pub enum Source {
    /// The answer, for this caller alone.
    Own(Box<Reading>),
    /// Its recording.
    Kept(Kept),
}

impl Source {
    /// What comes next. Cancelling the wait loses nothing.
    pub async fn next(&mut self) -> Next {
        match self {
            Self::Own(reading) => reading.next().await,
            Self::Kept(kept) => kept.next().await.into(),
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
