use async_trait::async_trait;
use redis::Script;

use super::connection::Database;
use super::keys::Keys;
use super::logs::wrong;
use crate::store::{By, StoreResult, Totals, USAGE_KEPT_SECONDS, USAGE_MOST, UsageRecords, UsageRow};

/// Rows in one script run.
const BATCH: usize = 200;

/// The sums: for each day and way of counting a sorted set of names, and a hash for each name.
pub struct RedisUsage {
    database: Database,
    keys: Keys,
    add: Script,
    top: Script,
}

macro_rules! usage_script {
    ($name:literal) => {
        Script::new(include_str!(concat!("scripts/usage_", $name)))
    };
}

impl RedisUsage {
    pub(super) fn new(database: Database, keys: Keys) -> Self {
        Self { database, keys, add: usage_script!("add.lua"), top: usage_script!("top.lua") }
    }
}

#[async_trait]
impl UsageRecords for RedisUsage {
    async fn add(&self, day: &str, rows: &[UsageRow]) -> StoreResult<()> {
        for by in By::ALL {
            let rows: Vec<&UsageRow> = rows.iter().filter(|row| row.0 == by).collect();
            for batch in rows.chunks(BATCH) {
                let mut call = self.add.key(self.keys.usage(day, by));
                call.arg(USAGE_KEPT_SECONDS).arg(USAGE_MOST).arg(Totals::FIELDS.len());
                call.arg(Totals::FIELDS);
                for (_, name, totals) in batch {
                    call.arg(name).arg(totals.rank()).arg(&totals.values()[..]);
                }
                let _: () = self.database.script(&call).await?;
            }
        }
        Ok(())
    }

    async fn top(&self, day: &str, by: By, limit: usize) -> StoreResult<Vec<(String, Totals)>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut call = self.top.key(self.keys.usage(day, by));
        call.arg(limit - 1).arg(Totals::FIELDS);
        let flat: Vec<redis::Value> = self.database.script(&call).await?;
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
