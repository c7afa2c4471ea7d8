use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use crate::ids::GroupName;
use crate::store::{Membership, StoreResult};

/// A single node has nobody to tell of its memberships.
pub struct MemoryMembership {
    alive: AtomicBool,
}

impl MemoryMembership {
    pub(super) fn new() -> Self {
        Self { alive: AtomicBool::new(false) }
    }
}

#[async_trait]
impl Membership for MemoryMembership {
    async fn join(&self, _: &[GroupName]) -> StoreResult<()> {
        Ok(())
    }

    async fn leave(&self, _: &[GroupName]) -> StoreResult<()> {
        Ok(())
    }

    async fn heartbeat(&self) -> StoreResult<bool> {
        Ok(self.alive.swap(true, Ordering::Relaxed))
    }

    async fn resign(&self) -> StoreResult<()> {
        self.alive.store(false, Ordering::Relaxed);
        Ok(())
    }
}
