//! The groups' logs: what is kept of each, and where it stands.

use async_trait::async_trait;
use bytestring::ByteString;

use super::{Append, Appended, Once, StoreResult};
use crate::ids::{Epoch, GroupName};
use crate::protocol::{LogHead, Logged};

/// How long a group lives in which nothing was ever logged, after its last member has left, in seconds: long enough for who
/// reconnects, short enough that names which nobody uses do not fill the store.
pub(crate) const BLANK_GROUP_SECONDS: u64 = 300;

/// The same after a node has said that it is in it, which nodes do at least every [`BLANK_GROUP_SECONDS`].
pub(crate) const BLANK_GROUP_HELD_SECONDS: u64 = 3 * BLANK_GROUP_SECONDS;

/// Where a log begins and ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LogState {
    /// Epoch and last `seq` (0 for a fresh log).
    pub head: LogHead,
    /// The `seq` of the oldest event that is still kept; `head.seq + 1` when none is.
    pub first: u64,
    /// The `seq` after which the epoch began: what comes after it is new to whoever knows another epoch.
    pub began: u64,
}

/// One kept event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StoredEvent {
    /// Its place.
    pub seq: u64,
    /// The encoded event without `seq`.
    pub body: ByteString,
}

impl StoredEvent {
    /// The text frame that clients get.
    pub fn frame(&self) -> ByteString {
        Logged::frame(self.seq, &self.body)
    }
}

/// Some events of a log, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The log that was read; `None` when the group has none.
    pub epoch: Option<Epoch>,
    /// The events, without holes among them.
    pub events: Vec<StoredEvent>,
    /// Whether there are more in the direction of reading.
    pub more: bool,
}

impl Page {
    /// What is read where there is no log.
    pub(crate) const fn none() -> Self {
        Self { epoch: None, events: Vec::new(), more: false }
    }
}

/// How much of a log to read at once. At least one event is returned if there is one, whatever its size.
#[derive(Debug, Clone, Copy)]
pub struct PageSize {
    /// At most this many events.
    pub events: usize,
    /// At most this many bytes of bodies.
    pub bytes: usize,
}

/// The groups' logs. An event older than `session.log_seconds` or beyond the newest `session.log_events` is gone.
#[async_trait]
pub trait Logs: Send + Sync {
    /// Adds one event, gives it the next `seq`, and makes the log (with the group's index entry) if there is none.
    /// Once-only check and append are one atomic step.
    async fn append(&self, append: Append) -> StoreResult<Appended>;
    /// What is known of an id, without appending.
    async fn recall(&self, once: &Once) -> StoreResult<Option<Appended>>;
    /// Where the logs stand, in the order of `groups`; makes those that are missing and renews their lease of life.
    async fn open(&self, groups: &[GroupName]) -> StoreResult<Vec<LogState>>;
    /// Where a log stands that somebody has delivered up to `head`. If it stands behind that in the same epoch, it has lost
    /// what is missing, and begins a new epoch here; an event that is logged after that is of the new one.
    async fn confirm(&self, group: &GroupName, head: &LogHead) -> StoreResult<LogState>;
    /// The events after `after`, oldest first; `more` tells of newer ones.
    async fn read_after(&self, group: &GroupName, after: u64, size: PageSize) -> StoreResult<Page>;
    /// The newest events before `before` (the newest of all without one), oldest first; `more` tells of older ones.
    async fn read_before(&self, group: &GroupName, before: Option<u64>, size: PageSize) -> StoreResult<Page>;
}
