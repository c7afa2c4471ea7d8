//! What waits for Django's worker.

use async_trait::async_trait;

use super::{StoreResult, StoredEvent, Told};

/// Something that the worker is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Happened {
    /// An event was logged.
    Logged(StoredEvent),
    /// An answer began or grew.
    Told(Told),
}

/// One entry of the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerQueueEntry {
    /// Its name, unique and in order.
    pub id: String,
    /// What it is about.
    pub happened: Happened,
}

/// What happened and has not been passed on to the worker. It is put in by the very step that logs or tells it, so that
/// nothing is missed; only where [`super::redis::RedisOptions::worker`] asks for it.
#[async_trait]
pub trait WorkerQueue: Send + Sync {
    /// The oldest entries, in order.
    async fn waiting(&self) -> StoreResult<Vec<WorkerQueueEntry>>;
    /// An entry has been passed on.
    async fn done(&self, id: &str) -> StoreResult<()>;
}
