//! Orders: what is to be carried out at every node, also at one that does not hear the others just now. They are kept until
//! everybody has had the time to see them, and those who carry them out say what they did.

use std::collections::HashMap;

use async_trait::async_trait;

use super::{StoreResult, Told};
use crate::ids::{GroupName, NodeId, SessionId};

/// Whose word is waited for.
#[derive(Debug, Clone, Copy)]
pub enum Concerned<'a> {
    /// Nobody's.
    Nobody,
    /// That of every living node.
    Everybody,
    /// That of the living nodes where a session has sockets.
    With(&'a SessionId),
    /// That of the living nodes where a group has members.
    Of(&'a GroupName),
}

/// An order as it was given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Order {
    /// Its name: rises from order to order, and begins with the server's Unix milliseconds.
    pub id: String,
    /// The order before it.
    pub previous: String,
    /// Whether somebody waits for a report.
    pub awaited: bool,
    /// This node gave it, and has done its own part.
    pub own: bool,
    /// What is to be done; `None` if this version does not know it.
    pub told: Option<Told>,
}

impl Order {
    /// When it was given, by the server's clock in Unix milliseconds.
    pub fn given_ms(&self) -> u64 {
        self.id.split('-').next().and_then(|ms| ms.parse().ok()).unwrap_or(0)
    }
}

/// An order that stands in the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// Its name.
    pub id: String,
    /// The keys of the other nodes whose word is waited for.
    pub concerned: Vec<String>,
}

/// The orders after one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Orders {
    /// The server's Unix milliseconds.
    pub now_ms: u64,
    /// The newest order, which may be among the next ones.
    pub newest: String,
    /// Some orders, oldest first.
    pub orders: Vec<Order>,
}

/// Where orders are kept.
#[async_trait]
pub trait OrderBook: Send + Sync {
    /// Keeps an order, and tells the other nodes of it in the same step.
    async fn give(&self, told: &Told, concerned: Concerned<'_>) -> StoreResult<Given>;
    /// The orders after one; none with `None`, which asks only where they stand.
    async fn after(&self, id: Option<&str>) -> StoreResult<Orders>;
    /// This node has carried an order out, and that many times something was done.
    async fn report(&self, id: &str, done: u64) -> StoreResult<()>;
    /// What was reported so far, by the nodes' keys.
    async fn reports(&self, id: &str) -> StoreResult<HashMap<String, u64>>;
    /// What nodes are called, as far as they live.
    async fn names(&self, keys: &[String]) -> StoreResult<Vec<NodeId>>;
}
