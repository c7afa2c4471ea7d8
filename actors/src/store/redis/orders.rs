//! What is to be carried out at every node, in Redis.

use std::collections::HashMap;

use async_trait::async_trait;
use redis::Script;
use redis::streams::{StreamId, StreamRangeReply};
use serde::Deserialize;

use super::feed;
use super::keys::Keys;
use crate::ids::{NodeId, NodeKey};
use crate::redis::Database;
use crate::store::{Concerned, Given, NodeInfo, Order, OrderBook, Orders, StoreResult, Told};

/// How long orders are kept after the last one was given, in seconds: longer than anybody goes on without the store.
const LIFE_SECONDS: u64 = 3_600;
/// How many are kept.
const KEPT: usize = 10_000;
/// How long reports are kept, in seconds: longer than anybody waits for them.
const REPORTS_SECONDS: u64 = 60;
/// How many are read at once.
const BATCH: usize = 200;

/// The orders: one stream for the cluster, and a hash of reports for each that somebody waits for.
pub struct RedisOrders {
    database: Database,
    keys: Keys,
    channel: String,
    node_key: NodeKey,
    give: Script,
    after: Script,
}

impl RedisOrders {
    pub(super) fn new(database: Database, keys: Keys, channel: String, node_key: NodeKey) -> Self {
        let give = Script::new(include_str!("scripts/order.lua"));
        let after = Script::new(include_str!("scripts/orders.lua"));
        Self { database, keys, channel, node_key, give, after }
    }
}

/// What an order bears beside what it tells.
#[derive(Deserialize)]
struct Mark {
    order: String,
    after: String,
    awaited: bool,
}

/// Reads an order as it is published: what a node tells, as JSON, with its mark.
pub(super) fn published(json: &str, own: bool) -> Option<Order> {
    // Quotes within a text are escaped: this is a key or nothing.
    if !json.contains(",\"order\":\"") {
        return None;
    }
    let Mark { order, after, awaited } = serde_json::from_str(json).ok()?;
    Some(Order { id: order, previous: after, awaited, own, told: serde_json::from_str(json).ok() })
}

#[async_trait]
impl OrderBook for RedisOrders {
    async fn give(&self, told: &Told, concerned: Concerned<'_>) -> StoreResult<Given> {
        let mut call = self.give.key(self.keys.orders());
        call.key(self.keys.nodes());
        let whom = match concerned {
            Concerned::Nobody => "nobody",
            Concerned::Everybody => "everybody",
            Concerned::With(session) => {
                call.key(self.keys.here(session));
                "holders"
            }
            Concerned::Of(group) => {
                call.key(self.keys.at(group));
                "holders"
            }
        };
        call.arg(self.node_key.as_str()).arg(feed::json(told)).arg(&self.channel).arg(LIFE_SECONDS).arg(KEPT).arg(whom);
        let (id, concerned) = self.database.script(&call).await?;
        Ok(Given { id, concerned })
    }

    async fn after(&self, id: Option<&str>) -> StoreResult<Orders> {
        let mut call = self.after.key(self.keys.orders());
        call.arg(id.unwrap_or_default()).arg(BATCH);
        let (newest, now_ms, entries): (String, u64, StreamRangeReply) = self.database.script(&call).await?;
        let order = |entry: StreamId| {
            let node: String = entry.get("n").unwrap_or_default();
            let told = entry.get::<String>("o").and_then(|json| serde_json::from_str(&json).ok());
            let awaited = entry.get::<u8>("a") == Some(1);
            Order { own: node == self.node_key.as_str(), id: entry.id, previous: String::new(), awaited, told }
        };
        Ok(Orders { now_ms, newest, orders: entries.ids.into_iter().map(order).collect() })
    }

    async fn report(&self, id: &str, done: u64) -> StoreResult<()> {
        let mut pipe = redis::pipe();
        let key = self.keys.order(id);
        pipe.atomic().hset(&key, self.node_key.as_str(), done).ignore();
        pipe.expire(&key, REPORTS_SECONDS.cast_signed()).ignore();
        self.database.call(async |mut connection| pipe.query_async(&mut connection).await).await
    }

    async fn reports(&self, id: &str) -> StoreResult<HashMap<String, u64>> {
        let mut get = redis::cmd("HGETALL");
        get.arg(self.keys.order(id));
        self.database.call(async |mut connection| get.query_async(&mut connection).await).await
    }

    async fn names(&self, keys: &[String]) -> StoreResult<Vec<NodeId>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut get = redis::cmd("MGET");
        keys.iter().for_each(|key| _ = get.arg(self.keys.info(key)));
        let infos: Vec<Option<String>> =
            self.database.call(async |mut connection| get.query_async(&mut connection).await).await?;
        let name = |info: Option<String>| Some(serde_json::from_str::<NodeInfo>(&info?).ok()?.node);
        Ok(infos.into_iter().filter_map(name).collect())
    }
}
