//! What waits for Django's worker, as it lies in Redis.

use async_trait::async_trait;
use redis::streams::{StreamId, StreamRangeReply};

use super::keys::Keys;
use crate::redis::Database;
use crate::store::{Happened, StoreResult, StoredEvent, WorkerQueue, WorkerQueueEntry};

/// Entries that are read at once.
const BATCH: usize = 100;

/// The queue: one stream for the cluster.
pub struct RedisWorkerQueue {
    database: Database,
    keys: Keys,
}

impl RedisWorkerQueue {
    pub(super) fn new(database: Database, keys: Keys) -> Self {
        Self { database, keys }
    }
}

#[async_trait]
impl WorkerQueue for RedisWorkerQueue {
    async fn waiting(&self) -> StoreResult<Vec<WorkerQueueEntry>> {
        let mut range = redis::cmd("XRANGE");
        range.arg(self.keys.worker_queue()).arg("-").arg("+").arg("COUNT").arg(BATCH);
        let call = async |mut connection| range.query_async::<StreamRangeReply>(&mut connection).await;
        let reply = self.database.call(call).await?;
        let mut waiting = Vec::new();
        for entry in reply.ids {
            match happened(&entry) {
                Some(happened) => waiting.push(WorkerQueueEntry { id: entry.id, happened }),
                None => {
                    // It would stand before all others for ever.
                    log::error!(
                        event = "worker_entry_unreadable", id = entry.id;
                        "an entry of the worker's queue is not readable, it is passed over"
                    );
                    self.done(&entry.id).await?;
                }
            }
        }
        Ok(waiting)
    }

    async fn done(&self, id: &str) -> StoreResult<()> {
        let mut delete = redis::cmd("XDEL");
        delete.arg(self.keys.worker_queue()).arg(id);
        self.database.call(async |mut connection| delete.query_async(&mut connection).await).await
    }
}

fn happened(entry: &StreamId) -> Option<Happened> {
    match (entry.get::<u64>("s"), entry.get::<String>("b"), entry.get::<String>("t")) {
        (Some(seq), Some(body), _) => Some(Happened::Logged(StoredEvent { seq, body: body.into() })),
        (.., Some(told)) => serde_json::from_str(&told).ok().map(Happened::Told),
        _ => None,
    }
}
