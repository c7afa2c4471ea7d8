//! Turns and numbers in Redis, by the server's clock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use redis::Script;
use tokio::time::Instant;

use super::clock::Clock;
use super::keys::Keys;
use crate::ids::NodeKey;
use crate::redis::Database;
use crate::store::{Hearing, Leases, StoreResult};

/// Equal ones whose times are remembered.
const EQUAL: usize = 1_000;
/// How often the server's clock is asked for before it is relied on.
const LOOKS: usize = 3;

/// Turns: a key each, with the node that has it and how long.
pub struct RedisLeases {
    database: Database,
    keys: Keys,
    node_key: NodeKey,
    hold: Script,
    number: Script,
    clock: Mutex<Clock>,
}

impl RedisLeases {
    pub(super) fn new(database: Database, keys: Keys, node_key: NodeKey) -> Self {
        let hold = Script::new(include_str!("scripts/hold.lua"));
        let number = Script::new(include_str!("scripts/number.lua"));
        Self { database, keys, node_key, hold, number, clock: Mutex::new(Clock::new(Instant::now())) }
    }

    fn clock(&self) -> MutexGuard<'_, Clock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the server's clock showed at these moments, in Unix microseconds.
    async fn times<const N: usize>(&self, moments: [Instant; N]) -> StoreResult<[i64; N]> {
        let looks = if self.clock().is_known(Instant::now()) { 0 } else { LOOKS };
        for _ in 0..looks {
            let asked = Instant::now();
            let time = redis::cmd("TIME");
            let read = async |mut connection| time.query_async::<(i64, i64)>(&mut connection).await;
            let (seconds, us) = self.database.call(read).await?;
            self.clock().note(asked, seconds * 1_000_000 + us);
        }
        Ok(moments.map(|moment| self.clock().at(moment)))
    }
}

#[async_trait]
impl Leases for RedisLeases {
    async fn hold(&self, name: &str, seconds: u64) -> StoreResult<bool> {
        let mut call = self.hold.key(self.keys.turn(name));
        call.arg(self.node_key.as_str()).arg(seconds);
        self.database.script(&call).await
    }

    async fn number(&self, hearing: &Hearing<'_>, seconds: u64) -> StoreResult<String> {
        let [heard_at, listens_since] = self.times([hearing.at, hearing.since]).await?;
        let mut call = self.number.key(self.keys.heard(hearing.what));
        let ms = |us: i64| format!("{}.{:03}", us / 1_000, us % 1_000);
        call.arg(self.node_key.as_str()).arg(hearing.name).arg(seconds);
        call.arg(ms(heard_at)).arg(ms(listens_since)).arg(EQUAL);
        self.database.script(&call).await
    }
}
