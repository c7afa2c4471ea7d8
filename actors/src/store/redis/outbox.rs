use async_trait::async_trait;
use redis::Script;
use redis::streams::StreamRangeReply;

use super::connection::Database;
use super::keys::Keys;
use crate::layer::NodeKey;
use crate::store::{Happened, Leases, Outbox, OutboxEntry, StoreResult, StoredEvent};

/// Entries that are read at once.
const BATCH: usize = 100;

/// The outbox: one stream for the cluster.
pub struct RedisOutbox {
    database: Database,
    keys: Keys,
}

impl RedisOutbox {
    pub(super) fn new(database: Database, keys: Keys) -> Self {
        Self { database, keys }
    }
}

#[async_trait]
impl Outbox for RedisOutbox {
    async fn waiting(&self) -> StoreResult<Vec<OutboxEntry>> {
        let mut range = redis::cmd("XRANGE");
        range.arg(self.keys.outbox()).arg("-").arg("+").arg("COUNT").arg(BATCH);
        let call = async |mut connection| range.query_async::<StreamRangeReply>(&mut connection).await;
        let reply = self.database.call(call).await?;
        let entry = |entry: redis::streams::StreamId| {
            let happened = match (entry.get::<u64>("s"), entry.get::<String>("b"), entry.get::<String>("t")) {
                (Some(seq), Some(body), _) => Happened::Logged(StoredEvent { seq, body: body.into() }),
                (.., Some(told)) => Happened::Told(serde_json::from_str(&told).ok()?),
                _ => return None,
            };
            Some(OutboxEntry { id: entry.id, happened })
        };
        Ok(reply.ids.into_iter().filter_map(entry).collect())
    }

    async fn done(&self, id: &str) -> StoreResult<()> {
        let mut delete = redis::cmd("XDEL");
        delete.arg(self.keys.outbox()).arg(id);
        self.database.call(async |mut connection| delete.query_async(&mut connection).await).await
    }
}

/// Turns: a key each, with the node that has it and how long.
pub struct RedisLeases {
    database: Database,
    keys: Keys,
    node_key: NodeKey,
    hold: Script,
}

impl RedisLeases {
    pub(super) fn new(database: Database, keys: Keys, node_key: NodeKey) -> Self {
        Self { database, keys, node_key, hold: Script::new(include_str!("scripts/hold.lua")) }
    }
}

#[async_trait]
impl Leases for RedisLeases {
    async fn hold(&self, name: &str, seconds: u64) -> StoreResult<bool> {
        let mut call = self.hold.key(self.keys.turn(name));
        call.arg(self.node_key.as_str()).arg(seconds);
        self.database.script(&call).await
    }
}
