//! What outlives a session's actor: logs, records, leases, the cache. Each trait has two twins, `memory` and `redis`,
//! and one contract suite that both must pass (`contract.rs`).

#[cfg(test)]
mod contract;
mod feed;
mod flights;
pub mod limits;
pub mod memory;
mod orders;
mod outbox;
mod presence;
pub mod redis;
mod slots;
mod usage;

use std::sync::Arc;

pub use feed::{Feed, Heard, Told};
pub use flights::{Boarding, Course, FLIGHT_LEASE_MS, FOLLOWED_MS, Flight, Flights, Standing};
pub use orders::{Concerned, Given, Order, OrderBook, Orders};
pub use outbox::{Happened, Hearing, Leases, Outbox, OutboxEntry};
pub use presence::{ChangedRow, Listing, NodeInfo, Presence, Row, RowSocket, Rows, Spread};
pub use slots::{Held, Room, SLOT_LEASE_MS, SlotLeases};
pub use usage::{By, KEPT_SECONDS as USAGE_KEPT_SECONDS, MOST as USAGE_MOST, Totals, UsageRecords, UsageRow};

use async_trait::async_trait;
use bytestring::ByteString;

pub use crate::failure::{StoreError, StoreResult};
use crate::ids::{AnswerId, Epoch, GroupName, MessageId, NodeId, SessionId, UserId};
use crate::protocol::{CacheStatus, LogHead, Logged};
use crate::rights::{Rights, Shown};

/// Makes an append once-only for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// Whose ids these are: a session, or an API key.
    pub scope: String,
    /// The id within the scope.
    pub id: String,
    /// A digest of the content: the same id with another one is a conflict.
    pub fingerprint: String,
    /// How long the id is remembered, in seconds.
    pub seconds: u64,
}

/// How long the ids of clients and applications are remembered, in seconds (the protocol's 10 minutes).
pub const ONCE_SECONDS: u64 = 600;

/// How long a session's record, and that of an answer that nobody ended, is kept after its last use, in seconds: 24 h.
pub(crate) const RECORD_SECONDS: u64 = 86_400;

/// How long an answer is known to have ended, in seconds: long enough for a writer that was cut off to learn of it.
pub(crate) const ENDED_SECONDS: u64 = 600;

/// How long a group lives in which nothing was ever logged, after its last member has left, in seconds: long enough for who
/// reconnects, short enough that names which nobody uses do not fill the store.
pub(crate) const BLANK_GROUP_SECONDS: u64 = 300;

/// The same after a node has said that it is in it, which nodes do at least every [`BLANK_GROUP_SECONDS`].
pub(crate) const BLANK_GROUP_HELD_SECONDS: u64 = 3 * BLANK_GROUP_SECONDS;

/// One event to be logged.
#[derive(Debug, Clone)]
pub struct Append {
    /// The group whose log it is.
    pub group: GroupName,
    /// The event, encoded without its `seq`.
    pub body: ByteString,
    /// The message's id. In the log it tells the message's place ([`MessageId::at`]); with `once` it is kept, so that a
    /// repetition can be acknowledged alike.
    pub message: Option<MessageId>,
    /// Makes it once-only.
    pub once: Option<Once>,
    /// The node that owes the message an answer, if it is a question. The debt is noted in the same step, unless the assistant is
    /// off in this group: if no answer is begun within [`ANSWER_LEASE_SECONDS`], it is an orphan of the id
    /// [`AnswerId::owed_to`].
    pub owes: Option<NodeId>,
}

impl Append {
    /// The event as it lies in the log at `seq`, and the message's id.
    pub fn logged(&self, seq: u64) -> (StoredEvent, Option<MessageId>) {
        let id = self.message.as_ref().map(|message| message.at(seq));
        let body = match (&self.message, &id) {
            (Some(message), Some(id)) => self.body.replacen(message.as_str(), id.as_str(), 1).into(),
            _ => self.body.clone(),
        };
        (StoredEvent { seq, body }, id)
    }
}

/// How an append went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// It is in the log now.
    New {
        /// Which log.
        epoch: Epoch,
        /// Its place there.
        seq: u64,
        /// Whether it is owed an answer.
        owed: bool,
    },
    /// It was there already.
    Again {
        /// Its place.
        seq: u64,
        /// The id that it was given.
        message: Option<MessageId>,
        /// Whether its answer is still owed: nobody has begun it ([`AnswerRecords::begin`]).
        owed: bool,
    },
    /// The id is known with another content.
    Conflict,
}

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

/// A group as the log side knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupInfo {
    /// Its name.
    pub name: GroupName,
    /// Unix milliseconds.
    pub created_at_ms: u64,
    /// Unix milliseconds at which the group is forgotten if nobody joins or writes.
    pub expires_at_ms: u64,
    /// The last event's `seq`.
    pub last_seq: u64,
    /// Whether the assistant may answer here.
    pub assistant: bool,
}

/// The index of groups, for operators. Every group that has a log is in it.
#[async_trait]
pub trait GroupIndex: Send + Sync {
    /// At most `limit` groups after `cursor` (exclusive) whose names begin with `prefix`, sorted by name bytewise.
    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: usize) -> StoreResult<Vec<GroupInfo>>;
    /// One group.
    async fn info(&self, group: &GroupName) -> StoreResult<Option<GroupInfo>>;
    /// Turns the assistant on or off for a group.
    async fn set_assistant(&self, group: &GroupName, on: bool) -> StoreResult<()>;
    /// Forgets a group: log, index entry, switch. Returns whether it was there.
    async fn delete(&self, group: &GroupName) -> StoreResult<bool>;
}

/// What a session is, beyond its actor's life; kept for 24 h after its last use, and as long as its home group is: whoever
/// comes after the owner must not find the owner's log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionRecord {
    /// The user who had it first, where users are known.
    pub owner: Option<UserId>,
    /// The groups it joined, its home group not among them, in the order of joining.
    pub groups: Vec<GroupName>,
    /// What it may join, where users are known: the newest that was shown, while that is good.
    pub rights: Option<Rights>,
}

/// The sessions' records.
#[async_trait]
pub trait SessionRecords: Send + Sync {
    /// Makes `user` the owner if there is none, atomically; returns the owner.
    async fn claim(&self, session: &SessionId, user: &UserId) -> StoreResult<UserId>;
    /// The record (empty if there is none), its life renewed.
    async fn load(&self, session: &SessionId) -> StoreResult<SessionRecord>;
    /// Notes what a user may join if it is newer than what is known, or that is no longer good, atomically; returns the record
    /// as it is then.
    async fn grant(&self, session: &SessionId, shown: &Shown) -> StoreResult<SessionRecord>;
    /// Adds a group.
    async fn add_group(&self, session: &SessionId, group: &GroupName) -> StoreResult<()>;
    /// Adds groups to records, after the store has lost its data.
    async fn restore(&self, records: &[(SessionId, Vec<GroupName>)]) -> StoreResult<()> {
        for (session, groups) in records {
            for group in groups {
                self.add_group(session, group).await?;
            }
        }
        Ok(())
    }
    /// Takes a group away.
    async fn remove_group(&self, session: &SessionId, group: &GroupName) -> StoreResult<()>;
}

/// What is known once an answer is being written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct AnswerStart {
    /// Who writes.
    pub model: String,
    /// How it came about.
    pub cache: CacheStatus,
}

/// An answer that is under way, as others must know it to show it, and to end it if its writer dies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerRecord {
    /// Which answer.
    pub answer: AnswerId,
    /// Whose.
    pub group: GroupName,
    /// What it answers.
    pub message: MessageId,
    /// Who writes it.
    pub node: NodeId,
    /// What was written, as far as it was saved.
    pub text: String,
    /// `None` before it is known how it comes about: until then clients have not heard of it.
    pub start: Option<AnswerStart>,
}

/// How ending an answer went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// This call ended it; its end is in the log.
    Now {
        /// Which log.
        epoch: Epoch,
        /// Its place there.
        seq: u64,
    },
    /// Another call had ended it before; that end is in the log.
    Before {
        /// Its place there.
        seq: u64,
    },
    /// The store knows nothing of it: it has lost the answer, or forgotten the end. The log tells which.
    Unknown,
}

/// How renewing an answer's lease went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewed {
    /// It is still this writer's.
    Held,
    /// Somebody else has ended the answer.
    Ended,
    /// As [`Ended::Unknown`], or less is known of its text than was saved.
    Unknown,
}

/// How long an answer's lease lasts without renewal, in seconds. With one second between looks at the leases this
/// keeps what is promised, 15 s from a writer's death to `interrupted`.
pub const ANSWER_LEASE_SECONDS: u64 = 8;

/// How long whoever was given an orphan has it for itself, in seconds: it is read and ended in much less.
pub const CLAIM_SECONDS: u64 = 3;

/// The leases of answers under way. An end exists only by one atomic step: running to ended, plus the append.
#[async_trait]
pub trait AnswerRecords: Send + Sync {
    /// Notes that an answer is under way, with its text so far. `once` names the message's once-only key (scope, id): `false`
    /// means that the answer has ended, or was begun before, by another node or under another id.
    async fn begin(&self, record: &AnswerRecord, once: Option<&Once>) -> StoreResult<bool>;
    /// Notes that the answer is being written, as its `start` says, and tells the other nodes, unless somebody has ended it.
    async fn start(&self, record: &AnswerRecord) -> StoreResult<()>;
    /// Renews the lease, saves more text and tells it to the other nodes, in one step: what is saved is what was told. After an
    /// error the same text is to be given again, with what has followed it; it is not saved twice. Renew at least every 4 s.
    async fn renew(&self, answer: &AnswerId, more: &str) -> StoreResult<Renewed>;
    /// Ends the answer with `body` in its group's log.
    async fn end(&self, answer: &AnswerId, group: &GroupName, body: ByteString) -> StoreResult<Ended>;
    /// The answers that are being written for these groups, at most some hundreds of each: the others are found when they are
    /// heard of.
    async fn running(&self, groups: &[GroupName]) -> StoreResult<Vec<AnswerRecord>>;
    /// One answer, unless it is not known or has ended.
    async fn find(&self, answer: &AnswerId) -> StoreResult<Option<AnswerRecord>>;
    /// Notes that an answer of which nothing is known is owed, with its text so far: it is an orphan when its lease has run out,
    /// if its writer has not begun it again. `false`: it has ended.
    async fn owe(&self, record: &AnswerRecord) -> StoreResult<bool>;
    /// An answer whose lease has run out, or that is owed and was not begun, if there is one. Nobody else is given the same one
    /// for [`CLAIM_SECONDS`].
    async fn orphan(&self) -> StoreResult<Option<AnswerRecord>>;
}

/// Another process that has this node's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namesake {
    /// Its key.
    pub key: String,
    /// When its lease was renewed last, by the server's clock in Unix milliseconds.
    pub renewed_ms: u64,
}

/// What a heartbeat found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beat {
    /// This node was known, though its lease may have run out. `false`: it was cleaned up after, the store has lost its data,
    /// or this is the first time.
    pub known: bool,
    /// Another one than before: the store has lost its data.
    pub life: String,
    /// Who has this node's name. `None`: this node.
    pub namesake: Option<Namesake>,
    /// The keys of nodes whose lease has run out, for whoever is alive to clean up after.
    pub dead: Vec<String>,
}

/// Where the mirror notes which groups this node is in, and that it lives.
#[async_trait]
pub trait Membership: Send + Sync {
    /// Notes groups that this node is in, and renews the life of their logs: a group that somebody is in is in use,
    /// however silent.
    async fn join(&self, groups: &[GroupName]) -> StoreResult<()>;
    /// Notes groups that this node is no longer in.
    async fn leave(&self, groups: &[GroupName]) -> StoreResult<()>;
    /// Renews this node's lease and tells the others of it. The name in `info` becomes this node's unless another process
    /// has renewed its lease on it in the last few seconds.
    async fn heartbeat(&self, info: &NodeInfo) -> StoreResult<Beat>;
    /// Some of the groups that a dead node was in.
    async fn left_by(&self, dead: &str) -> StoreResult<Vec<GroupName>>;
    /// These groups have been cleaned up after a dead node.
    async fn cleared(&self, dead: &str, groups: &[GroupName]) -> StoreResult<()>;
    /// Everything has been cleaned up after a dead node.
    async fn bury(&self, dead: &str) -> StoreResult<()>;
    /// Gives up the node's lease.
    async fn resign(&self) -> StoreResult<()>;
    /// Waits until the store is back after having been away, however shortly; for ever where it cannot be away.
    async fn returned(&self);
}

/// A finished answer as the cache keeps it, complete enough to be replayed chunk by chunk. Its JSON is what Django reads.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CachedAnswer {
    /// The model that wrote it.
    pub model: String,
    /// The text, for readers who want no more.
    pub text: String,
    /// Why it ended.
    pub finish_reason: String,
    /// RFC 3339.
    pub created_at: String,
    /// Tokens that it cost.
    pub usage: Option<crate::protocol::Usage>,
    /// The stream's data lines, each one JSON text, as they came.
    pub chunks: Vec<ByteString>,
}

/// What a cache holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheSize {
    /// Entries.
    pub entries: u64,
    /// Bytes of their JSON.
    pub bytes: u64,
}

/// The chat response cache.
#[async_trait]
pub trait AnswerCache: Send + Sync {
    /// The entry under a digest (lower-case hex).
    async fn get(&self, digest: &str) -> StoreResult<Option<CachedAnswer>>;
    /// Keeps an entry for so many seconds, `cache.ttl_seconds` without any.
    async fn put(&self, digest: &str, entry: &CachedAnswer, ttl_seconds: Option<u64>) -> StoreResult<()>;
    /// What it holds. Looks at every entry: for operators.
    async fn held(&self) -> StoreResult<CacheSize>;
    /// Drops the entries of a model, or all; returns how many. Looks at every entry.
    async fn purge(&self, model: Option<&str>) -> StoreResult<u64>;
}

/// The general cache: small facts about users and services, in a form that a Django application shares.
#[async_trait]
pub trait GeneralCache: Send + Sync {
    /// The entry of a name.
    async fn get(&self, name: &str) -> StoreResult<Option<serde_json::Value>>;
    /// Keeps an entry for so many seconds, at least one.
    async fn set(&self, name: &str, value: &serde_json::Value, seconds: u64) -> StoreResult<()>;
}

/// Everything that is kept, by whichever twin.
#[derive(Clone)]
pub struct Stores {
    /// The groups' logs.
    pub logs: Arc<dyn Logs>,
    /// The index of groups.
    pub groups: Arc<dyn GroupIndex>,
    /// The sessions' records.
    pub sessions: Arc<dyn SessionRecords>,
    /// Leases of answers.
    pub answers: Arc<dyn AnswerRecords>,
    /// Generations under way in the cluster.
    pub flights: Arc<dyn Flights>,
    /// This node's memberships.
    pub membership: Arc<dyn Membership>,
    /// The response cache.
    pub cache: Arc<dyn AnswerCache>,
    /// The general cache.
    pub general: Arc<dyn GeneralCache>,
    /// The rate limits.
    pub limits: Arc<dyn limits::Limits>,
    /// The answers at once.
    pub slots: Arc<dyn SlotLeases>,
    /// The way to the other nodes.
    pub feed: Arc<dyn Feed>,
    /// What is to be carried out at every node.
    pub orders: Arc<dyn OrderBook>,
    /// Who is at the other nodes.
    pub presence: Arc<dyn Presence>,
    /// What waits for Django's worker.
    pub outbox: Arc<dyn Outbox>,
    /// What one node does at a time.
    pub leases: Arc<dyn Leases>,
    /// What answers cost.
    pub usage: Arc<dyn UsageRecords>,
}
