//! Generations that are under way, for the whole cluster: equal questions at once are asked of the backend once,
//! whichever nodes they come to.

use async_trait::async_trait;
use bytestring::ByteString;

use super::StoreResult;

/// One generation under way, by the digest of its question and an id of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flight {
    /// Of the question.
    pub digest: String,
    /// Another generation of the same question has another one.
    pub id: String,
}

/// What becomes of a node that wants an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Boarding {
    /// It generates it.
    Lead(Flight),
    /// Another node does, and this one reads what comes.
    Follow(Flight),
    /// Another node did, a moment ago: the cache may have it.
    Landed,
}

/// How it stands with one's own flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlightStanding {
    /// Nobody else wants it just now: nothing needs to be added.
    Alone,
    /// Other nodes read what is added.
    Followed,
    /// Another node has taken it for dead and leads one of its own.
    Lost,
}

/// Where a flight is that one follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Course {
    /// Under way.
    Flying,
    /// At its end: the JSON that its leader gave.
    Landed(ByteString),
    /// Its leader has not been heard of for its lease, or gave it up.
    Lost,
}

/// The flights. Where there is one node, everybody leads.
#[async_trait]
pub trait Flights: Send + Sync {
    /// Leads or follows. `anew`: one that has landed does not count.
    async fn board(&self, digest: &str, anew: bool) -> StoreResult<Boarding>;
    /// The leader lives (to be said well within [`FLIGHT_LEASE_MS`]), and adds chunks for those who follow, behind the `added`
    /// ones. May be repeated.
    async fn add(&self, flight: &Flight, added: usize, chunks: &[ByteString]) -> StoreResult<FlightStanding>;
    /// The leader is through. `false`: somebody follows, and not everything was added.
    async fn land(&self, flight: &Flight, all_added: bool, end: &str) -> StoreResult<bool>;
    /// The leader gives up: others may lead. `false`: somebody follows, and that matters unless it is `forced`.
    async fn give_up(&self, flight: &Flight, forced: bool) -> StoreResult<bool>;
    /// What a follower has not `seen`, and where the flight is after that; says as well that somebody follows.
    async fn read(&self, flight: &Flight, seen: usize) -> StoreResult<(Vec<ByteString>, Course)>;
    /// This node follows no longer; otherwise it counts for [`FOLLOWED_MS`] more.
    async fn leave(&self, flight: &Flight) -> StoreResult<()>;
}

/// How long a flight without word of its leader counts as under way, in milliseconds.
pub const FLIGHT_LEASE_MS: u64 = 5_000;
/// How long a follower is counted after it has read last, in milliseconds.
pub const FOLLOWED_MS: u64 = 2_000;
