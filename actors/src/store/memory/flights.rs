//! Generations of a single node: nobody else wants them.

use async_trait::async_trait;
use bytestring::ByteString;

use super::alone::Alone;
use crate::store::{Boarding, Course, Flight, FlightStanding, Flights, StoreResult};

#[async_trait]
impl Flights for Alone {
    async fn board(&self, digest: &str, _: bool) -> StoreResult<Boarding> {
        Ok(Boarding::Lead(Flight { digest: digest.to_owned(), id: String::new() }))
    }

    async fn add(&self, _: &Flight, _: usize, _: &[ByteString]) -> StoreResult<FlightStanding> {
        Ok(FlightStanding::Alone)
    }

    async fn land(&self, _: &Flight, _: bool, _: &str) -> StoreResult<bool> {
        Ok(true)
    }

    async fn give_up(&self, _: &Flight, _: bool) -> StoreResult<bool> {
        Ok(true)
    }

    async fn leave(&self, _: &Flight) -> StoreResult<()> {
        Ok(())
    }

    async fn read(&self, _: &Flight, _: usize) -> StoreResult<(Vec<ByteString>, Course)> {
        Ok((Vec::new(), Course::Lost))
    }
}
