//! Places for WebSockets: a bound on how many there are at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of this node.
#[derive(Debug, Clone)]
pub struct SocketPlaces(Arc<Semaphore>);

/// One place, free again when dropped.
#[derive(Debug)]
pub struct SocketPlace(#[allow(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl SocketPlaces {
    /// `max` places; 0 for as many as the machine takes.
    pub fn new(max: usize) -> Self {
        Self(Arc::new(Semaphore::new(if max == 0 { Semaphore::MAX_PERMITS } else { max })))
    }

    /// A place, if one is free.
    pub fn take(&self) -> Option<SocketPlace> {
        self.0.clone().try_acquire_owned().ok().map(SocketPlace)
    }
}
