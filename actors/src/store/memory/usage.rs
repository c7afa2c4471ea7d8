//! What answers cost, as a single node knows it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::Expiring;
use crate::store::{By, StoreResult, Totals, USAGE_KEPT_SECONDS, USAGE_MOST, UsageRecords, UsageRow};

/// The sums of a single node.
pub struct MemoryUsage {
    days: Mutex<Expiring<(String, By), HashMap<String, Totals>>>,
    /// The number of the last flush.
    flushed: AtomicU64,
}

impl MemoryUsage {
    pub(super) fn new() -> Self {
        Self { days: Mutex::new(Expiring::new()), flushed: AtomicU64::new(0) }
    }
}

#[async_trait]
impl UsageRecords for MemoryUsage {
    async fn add(&self, flush: u64, day: &str, rows: &[UsageRow]) -> StoreResult<()> {
        if self.flushed.fetch_max(flush, Ordering::Relaxed) >= flush {
            return Ok(());
        }
        let now = Instant::now();
        let mut days = self.days.lock().unwrap_or_else(PoisonError::into_inner);
        for by in By::ALL {
            let key = (day.to_owned(), by);
            let mut names = days.remove(&key, now).unwrap_or_default();
            for (_, name, totals) in rows.iter().filter(|row| row.0 == by) {
                names.entry(name.clone()).or_default().add(totals);
            }
            while names.len() > USAGE_MOST {
                let least = names.iter().min_by_key(|(_, totals)| totals.rank()).map(|(name, _)| name.clone());
                least.map(|name| names.remove(&name));
            }
            days.put(key, names, now + Duration::from_secs(USAGE_KEPT_SECONDS), now);
        }
        Ok(())
    }

    async fn top(&self, day: &str, by: By, limit: usize) -> StoreResult<Vec<(String, Totals)>> {
        let days = self.days.lock().unwrap_or_else(PoisonError::into_inner);
        let names = days.get(&(day.to_owned(), by), Instant::now());
        let mut rows: Vec<_> = names.into_iter().flatten().map(|(name, totals)| (name.clone(), *totals)).collect();
        rows.sort_by(|(name, one), (other_name, other)| other.rank().cmp(&one.rank()).then(other_name.cmp(name)));
        rows.truncate(limit);
        Ok(rows)
    }
}
