//! What operators did, as a single node knows it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::store::{ACTS_KEPT, ACTS_SECONDS, ActRecords, OperatorAct, StoreResult};

/// The acts of a single node, with their numbers and until when they are kept, oldest first.
#[derive(Default)]
pub(super) struct MemoryActs(Mutex<VecDeque<(u64, Instant, OperatorAct)>>);

#[async_trait]
impl ActRecords for MemoryActs {
    async fn add(&self, act: &OperatorAct) -> StoreResult<()> {
        let mut acts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = acts.back().map_or(1, |(last, ..)| last + 1);
        acts.push_back((number, Instant::now() + Duration::from_secs(ACTS_SECONDS), act.clone()));
        if acts.len() > ACTS_KEPT {
            acts.pop_front();
        }
        Ok(())
    }

    async fn newest(&self, before: Option<&str>, limit: usize) -> StoreResult<Vec<(String, OperatorAct)>> {
        let acts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = before.map_or(Some(u64::MAX), |before| before.parse().ok()).unwrap_or(0);
        let now = Instant::now();
        let kept = acts.iter().rev().filter(|(number, until, _)| *number < before && *until > now);
        Ok(kept.take(limit).map(|(number, _, act)| (number.to_string(), act.clone())).collect())
    }
}
