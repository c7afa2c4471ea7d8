//! What answers consisted of, chunk by chunk, for whoever reads one again or joins it late, at any node: from the first chunk
//! on, and for a while after its end.

use async_trait::async_trait;
use bytestring::ByteString;
use serde::{Deserialize, Serialize};

use super::StoreResult;
use crate::ids::{AnswerId, GroupName};
use crate::protocol::CacheStatus;

/// Whose an answer is: who may read it, and end it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswerOwner {
    /// The members of a group.
    Group(GroupName),
    /// Whoever holds the API key of this digest.
    Key(String),
}

/// What is known of an answer before its first chunk, and does not change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingHead {
    /// Whose it is.
    pub owner: AnswerOwner,
    /// The model that was asked for.
    pub model: String,
    /// How it came about, if that was known at its beginning.
    pub cache: Option<CacheStatus>,
    /// When it began, in Unix milliseconds.
    pub began_ms: u64,
    /// Seconds for which it is kept after its last change.
    pub keep_seconds: u64,
}

/// Chunks that were stored together, as data lines.
pub type Window = Vec<ByteString>;

/// How it stands with a recording that is being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingStanding {
    /// It is this writer's.
    Held {
        /// How many windows it holds.
        windows: usize,
        /// Somebody has read it at another node, a moment ago ([`RECORDING_READ_MS`]).
        is_read: bool,
    },
    /// It has an end, and takes nothing more.
    Ended,
    /// Nothing is known of it (any more).
    Unknown,
}

/// What became of an attempt to end a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordingEnded {
    /// This end stands: the one that was given, or one that had come before.
    As(ByteString),
    /// Its writer lives, or it lacks windows: it has no end yet.
    NotYet,
    /// Nothing is known of it (any more).
    Unknown,
}

/// Where a recording is, as a reader finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordingState {
    /// It is being written.
    Running,
    /// No more than was read: the JSON that its writer gave.
    Ended(ByteString),
    /// Its writer was not heard of for its lease.
    Lost,
}

/// The recordings.
#[async_trait]
pub trait Recordings: Send + Sync {
    /// Begins one, with what only its dialect understands (`about`). `false`: there is one already, and it stands.
    async fn begin(&self, answer: &AnswerId, head: &RecordingHead, about: &str) -> StoreResult<bool>;
    /// Its writer lives (to be said well within [`RECORDING_LEASE_MS`]), and adds windows behind the `added` ones. May be repeated.
    async fn add(&self, answer: &AnswerId, added: usize, windows: &[Window]) -> StoreResult<RecordingStanding>;
    /// Ends it after `windows` windows; without a number, if its writer is gone. The first end stands.
    async fn end(&self, answer: &AnswerId, windows: Option<usize>, end: &str) -> StoreResult<RecordingEnded>;
    /// What a reader has not seen, a page at a time, and where it is after that; its writer hears that it is read. `None`: nothing is
    /// known of it.
    async fn read(&self, answer: &AnswerId, seen: usize) -> StoreResult<Option<(Vec<Window>, RecordingState)>>;
    /// Its head, and what only its dialect understands.
    async fn head(&self, answer: &AnswerId) -> StoreResult<Option<(RecordingHead, ByteString)>>;
    /// Nothing is to be known of it any more. `false`: nothing was.
    async fn forget(&self, answer: &AnswerId) -> StoreResult<bool>;
}

/// How long the writer of a recording counts as alive without a word, in milliseconds.
pub const RECORDING_LEASE_MS: u64 = 5_000;
/// How long a reader counts after it has read last, in milliseconds.
pub const RECORDING_READ_MS: u64 = 2_000;
