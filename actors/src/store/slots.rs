//! Answers at once, counted by all nodes together.

use async_trait::async_trait;

use super::StoreResult;

/// How long a slot is held without renewal, in milliseconds. A node that died without a word keeps what it had for so long.
pub const SLOT_LEASE_MS: u64 = 15_000;

/// What has a number of slots: a session, or the whole service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Its name.
    pub name: String,
    /// How many slots it has.
    pub slots: usize,
}

/// A slot that is asked for: one in each of these rooms, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotRequest {
    /// Whose: an id that is drawn for each answer. Once taken, it is the holder's to take again.
    pub holder: String,
    /// Where.
    pub rooms: Vec<Room>,
}

/// One holder's slot in one room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Where.
    pub room: String,
    /// Whose: an id that is drawn for each answer.
    pub holder: String,
}

/// Leases of slots: each ends by itself unless it is renewed, so that nothing is lost with a node. They are taken together with
/// what the rate limits ask ([`Limits::admit`](super::limits::Limits::admit)).
#[async_trait]
pub trait SlotLeases: Send + Sync {
    /// Renews leases, and takes those anew that the store has lost, whether there is room or not.
    async fn renew(&self, held: &[Held]) -> StoreResult<()>;
    /// Gives slots back.
    async fn release(&self, held: &[Held]) -> StoreResult<()>;
    /// How many slots of a room are taken.
    async fn taken(&self, room: &str) -> StoreResult<usize>;
}
