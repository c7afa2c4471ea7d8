//! What operators did.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreResult;

/// Acts that are kept, the newest of them, and for how long, in seconds: 90 days.
pub const ACTS_KEPT: usize = 10_000;
/// See [`ACTS_KEPT`].
pub const ACTS_SECONDS: u64 = 90 * 86_400;

/// An act of an operator, as its line in the log tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorAct {
    /// When; RFC 3339.
    pub at: String,
    /// What.
    pub act: String,
    /// Who: by which token.
    pub who: String,
    /// From where.
    pub address: String,
    /// To what.
    pub about: String,
    /// How it went.
    pub outcome: String,
    /// The status of its response.
    pub status: u16,
    /// The name of its request.
    pub request_id: Option<String>,
    /// How many sockets, members or entries it was done to.
    pub done: Option<u64>,
    /// How many nodes had yet to do it.
    pub pending: Option<usize>,
}

/// The acts.
#[async_trait]
pub trait ActRecords: Send + Sync {
    /// Keeps an act.
    async fn add(&self, act: &OperatorAct) -> StoreResult<()>;
    /// Acts with their names, newest first; those before the named one.
    async fn newest(&self, before: Option<&str>, limit: usize) -> StoreResult<Vec<(String, OperatorAct)>>;
}
