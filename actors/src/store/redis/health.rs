use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::Instant;

use super::connection::{Database, ping};
use crate::store::StoreResult;

/// How the databases are doing.
#[derive(Debug, Clone)]
pub struct RedisHealth {
    /// The first is the main one.
    databases: Arc<[Database]>,
    available: watch::Receiver<bool>,
}

/// One database's answer to a ping.
#[derive(Debug, Clone)]
pub struct DatabasePing {
    /// `main` (logs, limits, membership), `cache` (answers) or `general`.
    pub database: &'static str,
    /// How long it took.
    pub latency: StoreResult<Duration>,
}

impl RedisHealth {
    pub(super) fn new(databases: Vec<Database>) -> Self {
        let available = databases[0].available();
        Self { databases: databases.into(), available }
    }

    /// Whether the main database answers. The cache does not count: without it the backend is asked.
    pub fn available(&self) -> bool {
        *self.available.borrow()
    }

    /// `available`, to be watched.
    pub fn subscribe(&self) -> watch::Receiver<bool> {
        self.available.clone()
    }

    /// Pings every database, within the budget of a call.
    pub async fn ping(&self) -> Vec<DatabasePing> {
        join_all(self.databases.iter().map(|database| async move {
            let start = Instant::now();
            let answer = database.call(ping).await;
            DatabasePing { database: database.name(), latency: answer.map(|()| start.elapsed()) }
        }))
        .await
    }
}
