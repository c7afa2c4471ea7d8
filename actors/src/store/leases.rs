//! Turns that nodes take, and the numbers of what several of them hear at once.

use async_trait::async_trait;
use tokio::time::Instant;

use super::StoreResult;

/// One node's hearing of something.
#[derive(Debug, Clone, Copy)]
pub struct Hearing<'a> {
    /// What: the same for equal ones.
    pub what: &'a str,
    /// Names this hearing, so that the call may be repeated.
    pub name: &'a str,
    /// When it was.
    pub at: Instant,
    /// Since when the node hears everything: what others heard before that is nothing that it heard.
    pub since: Instant,
}

/// Turns: what one node of the cluster does at a time; and what several hear at once.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Takes a turn, or renews it, for so many seconds. `false`: another node has it.
    async fn hold(&self, name: &str, seconds: u64) -> StoreResult<bool>;
    /// This node has heard something that has no name of its own: which one of equal ones it is, among those that came within
    /// so many seconds of each other. The same for every node that hears it.
    async fn number(&self, hearing: &Hearing<'_>, seconds: u64) -> StoreResult<String>;
}
