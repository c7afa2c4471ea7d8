//! The leases of answers under way, and how an answer ends once.

use async_trait::async_trait;
use bytestring::ByteString;

use super::{Once, Page, PageSize, StoreResult};
use crate::ids::{AnswerId, Epoch, GroupName, MessageId, NodeId};
use crate::protocol::CacheStatus;

/// How long an answer's lease lasts without renewal, in seconds. With one second between looks at the leases this
/// keeps what is promised, 15 s from a writer's death to `interrupted`.
pub const ANSWER_LEASE_SECONDS: u64 = 8;

/// How long whoever was given an orphan has it for itself, in seconds: it is read and ended in much less.
pub const CLAIM_SECONDS: u64 = 3;

/// How long an answer is known to have ended, in seconds: long enough for a writer that was cut off to learn of it.
pub(crate) const ENDED_SECONDS: u64 = 600;

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
    /// What the model thought, as far as it was saved. An answer that begins has none.
    pub reasoning: String,
    /// `None` before it is known how it comes about: until then clients have not heard of it.
    pub start: Option<AnswerStart>,
}

/// What is to be known of the group in which a question was asked.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The question's place: the events before it are read.
    pub before: u64,
    /// How much of them, the newest first.
    pub size: PageSize,
    /// It is answered though the group's assistant is off: that was asked when it was logged.
    pub even_if_off: bool,
}

/// Whether an answer is begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TakenUp {
    /// It is, with the conversation before it if that was wanted.
    Begun(Page),
    /// It has ended, or was begun before, by another node or under another id.
    Before,
    /// A person answers in this group.
    Off,
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

/// The leases of answers under way. An end exists only by one atomic step: running to ended, plus the append.
#[async_trait]
pub trait AnswerRecords: Send + Sync {
    /// Notes that an answer is under way, with its text so far, and reads the conversation that it belongs to, in one step. `once`
    /// names the message's once-only key (scope, id).
    async fn take_up(
        &self,
        record: &AnswerRecord,
        once: Option<&Once>,
        wanted: Option<&Wanted>,
    ) -> StoreResult<TakenUp>;
    /// [`Self::take_up`] without a conversation. `false`: [`TakenUp::Before`].
    async fn begin(&self, record: &AnswerRecord, once: Option<&Once>) -> StoreResult<bool> {
        Ok(matches!(self.take_up(record, once, None).await?, TakenUp::Begun(_)))
    }
    /// Notes that the answer is being written, as its `start` says, and tells the other nodes, unless somebody has ended it.
    async fn start(&self, record: &AnswerRecord) -> StoreResult<()>;
    /// Renews the lease, saves more text and tells it to the other nodes, in one step: what is saved is what was told. After an
    /// error the same text is to be given again, with what has followed it; it is not saved twice. Renew at least every 4 s.
    async fn renew(&self, answer: &AnswerId, more: &str) -> StoreResult<Renewed>;
    /// Renews the lease with more of what the model thinks, as [`Self::renew`] does with text.
    async fn think(&self, answer: &AnswerId, more: &str) -> StoreResult<Renewed>;
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
