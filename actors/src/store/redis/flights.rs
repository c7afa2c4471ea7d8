//! Generations under way in the cluster, in Redis.

use async_trait::async_trait;
use bytestring::ByteString;
use redis::Script;

use super::keys::Keys;
use crate::ids::{NodeKey, random_text};
use crate::redis::Database;
use crate::redis::wrong;
use crate::store::{Boarding, Course, FLIGHT_LEASE_MS, FOLLOWED_MS, Flight, FlightStanding, Flights, StoreResult};

/// Chunks that are added or read in one call.
const BATCH: usize = 500;
/// How long chunks are kept for those who follow, in seconds: longer than the backend may pause.
const CHUNKS_SECONDS: u64 = 600;
/// How long it is known that a flight has landed, in milliseconds: longer than anybody takes from the cache's no to
/// boarding, and than a follower takes to find back to a store that was away.
const LANDED_MS: u64 = 10_000;

macro_rules! flight_script {
    ($name:literal) => {
        Script::new(concat!(include_str!("scripts/flight.lua"), include_str!(concat!("scripts/flight_", $name))))
    };
}

/// The flights: a hash for each question, with a list of what was written for those who follow.
pub struct RedisFlights {
    database: Database,
    keys: Keys,
    node: NodeKey,
    board: Script,
    add: Script,
    land: Script,
    give_up: Script,
    read: Script,
    leave: Script,
}

impl RedisFlights {
    pub(super) fn new(database: Database, keys: Keys, node: NodeKey) -> Self {
        Self {
            database,
            keys,
            node,
            board: flight_script!("board.lua"),
            add: flight_script!("add.lua"),
            land: flight_script!("land.lua"),
            give_up: flight_script!("give_up.lua"),
            read: flight_script!("read.lua"),
            leave: flight_script!("leave.lua"),
        }
    }
}

#[async_trait]
impl Flights for RedisFlights {
    async fn board(&self, digest: &str, anew: bool) -> StoreResult<Boarding> {
        let mut call = self.board.key(self.keys.flight(digest));
        call.arg(random_text(16)).arg(FLIGHT_LEASE_MS).arg(self.node.as_str()).arg(FOLLOWED_MS).arg(i32::from(anew));
        let (word, id): (String, String) = self.database.script(&call).await?;
        let flight = Flight { digest: digest.to_owned(), id };
        match word.as_str() {
            "lead" => Ok(Boarding::Lead(flight)),
            "follow" => Ok(Boarding::Follow(flight)),
            "landed" => Ok(Boarding::Landed),
            other => Err(wrong(other)),
        }
    }

    async fn add(&self, flight: &Flight, mut added: usize, chunks: &[ByteString]) -> StoreResult<FlightStanding> {
        let mut rest = chunks;
        loop {
            let (batch, later) = rest.split_at(rest.len().min(BATCH));
            let mut call = self.add.key(self.keys.flight(&flight.digest));
            call.key(self.keys.flight_chunks(&flight.id));
            call.arg(&flight.id).arg(FLIGHT_LEASE_MS).arg(CHUNKS_SECONDS).arg(added);
            batch.iter().for_each(|chunk| _ = call.arg(&**chunk));
            let standing: i8 = self.database.script(&call).await?;
            (added, rest) = (added + batch.len(), later);
            match standing {
                -1 => return Ok(FlightStanding::Lost),
                _ if !rest.is_empty() => {}
                0 => return Ok(FlightStanding::Alone),
                _ => return Ok(FlightStanding::Followed),
            }
        }
    }

    async fn land(&self, flight: &Flight, all_added: bool, end: &str) -> StoreResult<bool> {
        let mut call = self.land.key(self.keys.flight(&flight.digest));
        call.arg(&flight.id).arg(i32::from(all_added)).arg(end).arg(LANDED_MS);
        self.database.script(&call).await
    }

    async fn give_up(&self, flight: &Flight, forced: bool) -> StoreResult<bool> {
        let mut call = self.give_up.key(self.keys.flight(&flight.digest));
        call.arg(&flight.id).arg(i32::from(forced));
        self.database.script(&call).await
    }

    async fn leave(&self, flight: &Flight) -> StoreResult<()> {
        let mut call = self.leave.key(self.keys.flight(&flight.digest));
        call.arg(&flight.id).arg(self.node.as_str());
        self.database.script(&call).await
    }

    async fn read(&self, flight: &Flight, seen: usize) -> StoreResult<(Vec<ByteString>, Course)> {
        let mut call = self.read.key(self.keys.flight(&flight.digest));
        call.key(self.keys.flight_chunks(&flight.id));
        call.arg(&flight.id).arg(seen).arg(BATCH).arg(self.node.as_str()).arg(FOLLOWED_MS);
        let (word, end, chunks): (String, String, Vec<String>) = self.database.script(&call).await?;
        // What is behind the end of a page comes before the end of the flight.
        let course = match word.as_str() {
            _ if chunks.len() >= BATCH => Course::Flying,
            "flying" => Course::Flying,
            "landed" => Course::Landed(end.into()),
            _ => Course::Lost,
        };
        Ok((chunks.into_iter().map(ByteString::from).collect(), course))
    }
}
