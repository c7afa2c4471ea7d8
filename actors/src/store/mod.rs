//! What outlives a session's actor: logs, records, leases, the cache. Each trait has two twins, `memory` and `redis`,
//! and one contract suite that both must pass (`contract`).

mod acts;
mod answers;
mod append;
mod cache;
mod claims;
#[cfg(test)]
mod contract;
mod desk;
mod feed;
mod feedback;
mod flights;
mod general;
mod groups;
mod leases;
pub mod limits;
mod logs;
mod membership;
pub mod memory;
mod node_figures;
mod orders;
mod presence;
mod recordings;
pub mod redis;
mod sessions;
mod slots;
mod usage;
mod worker_queue;

use std::sync::Arc;

pub use acts::{ACTS_KEPT, ACTS_SECONDS, ActRecords, OperatorAct};
pub(crate) use answers::ENDED_SECONDS;
pub use answers::{
    ANSWER_LEASE_SECONDS, AnswerRecord, AnswerRecords, AnswerStart, CLAIM_SECONDS, Ended, Renewed, TakenUp, Wanted,
};
pub use append::{Append, Appended, ONCE_SECONDS, Once};
pub use cache::{AnswerCache, CacheSize, CachedAnswer};
pub use claims::Claims;
pub(crate) use desk::REMARK_ONCE_SECONDS;
pub use desk::{Act, Asked, Asker, Attendance, Change, Desk, MOST_WAITING, PersonNews, PersonTold, Waiting};
pub use feed::{Feed, Heard, Told};
pub use feedback::{FEEDBACK_KEPT, FEEDBACK_SECONDS, Feedback, FeedbackRecords, Rated, SESSION_RATINGS};
pub use flights::{Boarding, Course, FLIGHT_LEASE_MS, FOLLOWED_MS, Flight, FlightStanding, Flights};
pub use general::GeneralCache;
pub use groups::{GroupIndex, GroupInfo};
pub use leases::{Hearing, Leases};
pub(crate) use logs::{BLANK_GROUP_HELD_SECONDS, BLANK_GROUP_SECONDS};
pub use logs::{LogState, Logs, Page, PageSize, StoredEvent};
pub use membership::{Beat, Membership, Namesake};
pub use node_figures::{NodeFigures, Times};
pub use orders::{Concerned, Given, Order, OrderBook, Orders};
pub use presence::{ChangedRow, Listing, NodeInfo, Presence, RefusedThere, Row, RowSocket, Rows, Spread};
pub use recordings::{
    AnswerOwner, RECORDING_LEASE_MS, RECORDING_READ_MS, RecordingEnded, RecordingHead, RecordingStanding,
    RecordingState, Recordings, Window,
};
pub use sessions::{SessionRecord, SessionRecords};
pub use slots::{Held, Room, SLOT_LEASE_MS, SlotLeases, SlotRequest};
pub use usage::{By, KEPT_SECONDS as USAGE_KEPT_SECONDS, MOST as USAGE_MOST, Totals, UsageRecords, UsageRow};
pub use worker_queue::{Happened, WorkerQueue, WorkerQueueEntry};

pub use crate::failure::{StoreError, StoreResult};

/// How long a session's record, and that of an answer that nobody ended, is kept after its last use, in seconds: 24 h.
pub(crate) const RECORD_SECONDS: u64 = 86_400;

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
    /// What answers consisted of.
    pub recordings: Arc<dyn Recordings>,
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
    pub worker_queue: Arc<dyn WorkerQueue>,
    /// What one node does at a time.
    pub leases: Arc<dyn Leases>,
    /// What is claimed by whoever comes first.
    pub claims: Arc<dyn Claims>,
    /// What answers cost.
    pub usage: Arc<dyn UsageRecords>,
    /// Who answers in groups.
    pub desk: Arc<dyn Desk>,
    /// What people say of answers.
    pub feedback: Arc<dyn FeedbackRecords>,
    /// What operators did.
    pub acts: Arc<dyn ActRecords>,
}
