//! What answers cost, in Redis.

use async_trait::async_trait;
use redis::Script;

use super::keys::Keys;
use crate::ids::NodeKey;
use crate::redis::Database;
use crate::redis::wrong;
use crate::store::{By, StoreResult, Totals, USAGE_KEPT_SECONDS, USAGE_MOST, UsageRecords, UsageRow};

/// Rows in one script run.
const BATCH: usize = 200;
/// Names in one script run that shows them: a few milliseconds of the server's time.
const PAGE: usize = 500;
/// Script runs of one flush have numbers of their own: more than there can be.
const RUNS: u64 = 1 << 20;
/// How long it is remembered what a node has flushed last, in seconds.
const REMEMBERED_SECONDS: u64 = 86_400;
/// The largest sum that is added at once: sums of sums stay far below what Redis counts to (2^63).
const MOST_AT_ONCE: u64 = 1 << 53;

/// The sums: for each day and way of counting a sorted set of names, and a hash for each name.
pub struct RedisUsage {
    database: Database,
    keys: Keys,
    node_key: NodeKey,
    add: Script,
    top: Script,
}

macro_rules! usage_script {
    ($name:literal) => {
        Script::new(include_str!(concat!("scripts/usage_", $name)))
    };
}

impl RedisUsage {
    pub(super) fn new(database: Database, keys: Keys, node_key: NodeKey) -> Self {
        Self { database, keys, node_key, add: usage_script!("add.lua"), top: usage_script!("top.lua") }
    }
}

#[async_trait]
impl UsageRecords for RedisUsage {
    async fn add(&self, flush: u64, day: &str, rows: &[UsageRow]) -> StoreResult<()> {
        let mut runs = flush.saturating_mul(RUNS)..;
        for by in By::ALL {
            let rows: Vec<&UsageRow> = rows.iter().filter(|row| row.0 == by).collect();
            for batch in rows.chunks(BATCH) {
                let mut call = self.add.key(self.keys.usage(day, by));
                call.key(self.keys.usage_flushed(self.node_key.as_str())).arg(runs.next()).arg(REMEMBERED_SECONDS);
                call.arg(USAGE_KEPT_SECONDS).arg(USAGE_MOST).arg(Totals::FIELDS.len());
                call.arg(Totals::FIELDS);
                for (_, name, totals) in batch {
                    call.arg(name).arg(totals.rank().min(MOST_AT_ONCE));
                    call.arg(&totals.values().map(|sum| sum.min(MOST_AT_ONCE))[..]);
                }
                let _: () = self.database.script(&call).await?;
            }
        }
        Ok(())
    }

    async fn top(&self, day: &str, by: By, limit: usize) -> StoreResult<Vec<(String, Totals)>> {
        let mut flat: Vec<redis::Value> = Vec::new();
        for start in (0..limit).step_by(PAGE) {
            let count = PAGE.min(limit - start);
            let mut call = self.top.key(self.keys.usage(day, by));
            call.arg(start).arg(start + count - 1).arg(Totals::FIELDS);
            let page: Vec<redis::Value> = self.database.script(&call).await?;
            let was_last = page.len() < 2 * count;
            flat.extend(page);
            if was_last {
                break;
            }
        }
        let row = |pair: &[redis::Value]| {
            let [name, sums] = pair else { return Err(wrong("half a row")) };
            let name = redis::from_redis_value(name.clone()).map_err(|error| wrong(&error.to_string()))?;
            let sums: Vec<Option<u64>> =
                redis::from_redis_value(sums.clone()).map_err(|error| wrong(&error.to_string()))?;
            Ok((name, Totals::of(&sums.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>())))
        };
        flat.chunks(2).map(row).collect()
    }
}
