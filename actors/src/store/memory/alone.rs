//! A node that has no others beside it: what only a cluster or Django needs is empty, or its own.

use std::collections::HashMap;

use async_trait::async_trait;

use crate::ids::NodeId;
use crate::store::{
    Concerned, Given, Hearing, Leases, OrderBook, Orders, StoreResult, Told, WorkerQueue, WorkerQueueEntry,
};

/// A single node without Django: it has no worker, and every turn is its own.
pub struct Alone;

#[async_trait]
impl WorkerQueue for Alone {
    async fn waiting(&self) -> StoreResult<Vec<WorkerQueueEntry>> {
        Ok(Vec::new())
    }

    async fn done(&self, _: &str) -> StoreResult<()> {
        Ok(())
    }
}

#[async_trait]
impl Leases for Alone {
    async fn hold(&self, _: &str, _: u64) -> StoreResult<bool> {
        Ok(true)
    }

    async fn number(&self, hearing: &Hearing<'_>, _: u64) -> StoreResult<String> {
        // Nobody else hears it.
        Ok(hearing.name.to_owned())
    }
}

#[async_trait]
impl OrderBook for Alone {
    async fn give(&self, _: &Told, _: Concerned<'_>) -> StoreResult<Given> {
        Ok(Given::default())
    }

    async fn after(&self, _: Option<&str>) -> StoreResult<Orders> {
        Ok(Orders::default())
    }

    async fn report(&self, _: &str, _: u64) -> StoreResult<()> {
        Ok(())
    }

    async fn reports(&self, _: &str) -> StoreResult<HashMap<String, u64>> {
        Ok(HashMap::new())
    }

    async fn names(&self, _: &[String]) -> StoreResult<Vec<NodeId>> {
        Ok(Vec::new())
    }
}
