use async_trait::async_trait;

use crate::store::{Leases, Outbox, OutboxEntry, StoreResult};

/// A single node without Django: it has no worker, and every turn is its own.
pub struct Alone;

#[async_trait]
impl Outbox for Alone {
    async fn waiting(&self) -> StoreResult<Vec<OutboxEntry>> {
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

    async fn release(&self, _: &[String]) -> StoreResult<()> {
        Ok(())
    }
}
