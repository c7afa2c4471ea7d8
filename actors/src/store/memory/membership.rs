//! Memberships and the lease of a single node.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tokio::time::Instant;

use super::state::MemoryStore;
use crate::ids::GroupName;
use crate::store::{Beat, Membership, NodeInfo, StoreResult};

/// A single node has nobody to tell of its memberships.
pub struct MemoryMembership {
    store: Arc<MemoryStore>,
    alive: AtomicBool,
}

impl MemoryMembership {
    pub(super) fn new(store: Arc<MemoryStore>) -> Self {
        Self { store, alive: AtomicBool::new(false) }
    }
}

#[async_trait]
impl Membership for MemoryMembership {
    async fn join(&self, groups: &[GroupName]) -> StoreResult<()> {
        self.store.lock().held(groups, Instant::now());
        Ok(())
    }

    async fn leave(&self, groups: &[GroupName]) -> StoreResult<()> {
        self.store.lock().left(groups, Instant::now());
        Ok(())
    }

    async fn heartbeat(&self, _: &NodeInfo) -> StoreResult<Beat> {
        Ok(Beat { known: self.alive.swap(true, Ordering::Relaxed), ..Beat::default() })
    }

    async fn left_by(&self, _: &str) -> StoreResult<Vec<GroupName>> {
        Ok(Vec::new())
    }

    async fn cleared(&self, _: &str, _: &[GroupName]) -> StoreResult<()> {
        Ok(())
    }

    async fn bury(&self, _: &str) -> StoreResult<()> {
        Ok(())
    }

    async fn resign(&self) -> StoreResult<()> {
        self.alive.store(false, Ordering::Relaxed);
        Ok(())
    }

    async fn returned(&self) {
        std::future::pending().await
    }
}
