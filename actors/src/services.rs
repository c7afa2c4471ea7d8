//! Whom a session may ask: what is handed to every actor that carries out commands.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;

use crate::answers::{Answers, Slots};
use crate::limiter::RateLimiter;
use crate::metrics::Metrics;
use crate::options::SessionOptions;
use crate::registry::{GroupRegistry, Roster};
use crate::store::Stores;

/// How long one actor waits for another before it gives up.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// The other actors, the stores and the figures.
#[derive(Clone)]
#[allow(missing_docs, reason = "each field is named after its type")]
pub struct Services {
    pub roster: Arc<Roster>,
    pub registry: Addr<GroupRegistry>,
    pub limiter: Addr<RateLimiter>,
    pub answers: Addr<Answers>,
    pub slots: Slots,
    pub stores: Stores,
    pub options: SessionOptions,
    pub metrics: Metrics,
}
