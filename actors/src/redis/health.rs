//! How the databases are doing, for readiness and for operators.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{join, join_all};
use tokio::time::Instant;

use super::connection::Database;
use super::facts::Facts;
use super::guard::ping;
use super::latency::Quantiles;
use crate::failure::StoreResult;

/// How the databases are doing.
#[derive(Debug, Clone)]
pub struct RedisHealth {
    /// The first is the main one.
    databases: Arc<[Database]>,
    /// Whether the feed has its connection to the main one.
    is_heard: Arc<AtomicBool>,
}

/// One database, as it is now.
#[derive(Debug, Clone)]
pub struct DatabaseLook {
    /// `main` (logs, limits, membership), `cache` (answers) or `general`.
    pub database: &'static str,
    /// How long a ping took.
    pub ping: StoreResult<Duration>,
    /// Why it is away, if it is.
    pub away: Option<String>,
    /// How long calls took of late; none before the first.
    pub calls: Option<Quantiles>,
    /// Connections that this node's stores have to it.
    pub connections: usize,
    /// What its server says of itself; none if it is away, or does not let this node ask.
    pub server: Option<Facts>,
}

impl RedisHealth {
    pub(crate) fn new(databases: Vec<Database>, is_heard: Arc<AtomicBool>) -> Self {
        Self { databases: databases.into(), is_heard }
    }

    /// Whether the main database answers. The cache does not count: without it the backend is asked.
    pub fn available(&self) -> bool {
        *self.databases[0].available().borrow()
    }

    /// Why the main database is away; `None` while it is not.
    pub fn away(&self) -> Option<String> {
        self.databases[0].away()
    }

    /// `available`, to be watched.
    #[cfg(test)]
    pub(crate) fn subscribe(&self) -> tokio::sync::watch::Receiver<bool> {
        self.databases[0].available()
    }

    /// Asks every database, within the budget of a call.
    pub async fn look(&self) -> Vec<DatabaseLook> {
        join_all(self.databases.iter().enumerate().map(|(at, database)| async move {
            let started = Instant::now();
            let pinging = async { database.call(ping).await.map(|()| started.elapsed()) };
            let (ping, info) = join(pinging, database.call(info)).await;
            let listens = at == 0 && self.is_heard.load(Ordering::Relaxed);
            DatabaseLook {
                database: database.name(),
                ping,
                away: database.away(),
                calls: database.latency().quantiles(),
                connections: usize::from(database.available_for().is_some()) + usize::from(listens),
                server: info.ok().and_then(|info| Facts::read(&info)),
            }
        }))
        .await
    }
}

async fn info(mut connection: redis::aio::MultiplexedConnection) -> redis::RedisResult<String> {
    redis::cmd("INFO").query_async(&mut connection).await
}
