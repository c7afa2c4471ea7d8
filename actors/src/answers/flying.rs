//! One generation for the whole cluster: a node leads it, the others read what it writes.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::generation::{End, Follower, Generation, GenerationOrigin};
use super::{Join, Parts};
use crate::backend::BackendError;
use crate::openai::{BackendRequest, is_plausible};
use crate::store::{Boarding, Course, Flight, FlightStanding, Flights, StoreResult};

/// How often chunks are added while other nodes follow, and how often those look.
const BATCH: Duration = Duration::from_millis(30);
/// How often it is said that the leader lives, and asked whether somebody follows.
const RENEW: Duration = Duration::from_millis(150);
/// How long a flight must be lost, to a store that answers all the time, until it is believed: after a moment in which the
/// store was away, leaders say that they live before that.
const LOST_FOR: Duration = Duration::from_secs(1);
/// The same once the store was away in the meantime: leases ran out then, and leaders first find their own way back to it.
const LOST_FOR_AFTER: Duration = Duration::from_secs(5);
/// A landing that the store did not confirm is tried again after this, so often.
const LAND_RETRY: Duration = Duration::from_millis(250);
const LAND_TRIES: u32 = 8;
/// The same while other nodes follow: they wait for the store to be back, and so does the end that they wait for.
const LAND_TRIES_FOLLOWED: u32 = 1_200;

/// Who generates.
pub(super) enum Boarded {
    /// This node; with a store that is away, for itself alone.
    Leads(Option<Flight>),
    /// Another node did, to the end, or the cache had it.
    Ended,
}

/// Finds out who generates, and follows them; `look` reads the cache once more.
pub(super) async fn board(
    parts: &Parts,
    generation: &Generation,
    join: &Join,
    look: impl AsyncFn() -> bool,
) -> Boarded {
    let mut anew = false;
    loop {
        let boarding = parts.stores.flights.board(&join.digest, anew);
        match parts.metrics.dependencies.flights.watch(boarding).await {
            Ok(Boarding::Lead(flight)) => return Boarded::Leads(Some(flight)),
            Ok(Boarding::Landed) if look().await => return Boarded::Ended,
            // It failed, or is not kept: another try.
            Ok(Boarding::Landed) => anew = true,
            Ok(Boarding::Follow(flight)) => {
                generation.begin(GenerationOrigin::OtherNode);
                if follow(parts, generation, &join.request, &flight).await {
                    return Boarded::Ended;
                }
                log::info!(
                    event = "flight_taken_over";
                    "the node that generated an answer is gone, another one begins"
                );
            }
            Err(error) => {
                log::debug!(error:%; "an answer is generated without the other nodes");
                parts.metrics.store_failed("flight_board");
                return Boarded::Leads(None);
            }
        }
    }
}

/// Reads another node's generation. `false`: that node is gone, and nothing of it was seen here.
async fn follow(parts: &Parts, generation: &Generation, request: &BackendRequest, flight: &Flight) -> bool {
    let following = Following { flights: parts.stores.flights.clone(), flight: flight.clone() };
    let (mut seen, mut lost_at, mut lost_for) = (0, None, LOST_FOR);
    let mut data = 0;
    loop {
        let Ok((chunks, course)) = following.flights.read(flight, seen).await else {
            // While the store is away nobody is declared dead.
            (lost_at, lost_for) = (None, LOST_FOR_AFTER);
            sleep(BATCH).await;
            continue;
        };
        seen += chunks.len();
        for raw in chunks {
            match request.endpoint.read(raw) {
                Some(mut chunk) => {
                    data += chunk.raw.len();
                    chunk.usage = chunk.usage.filter(|usage| is_plausible(*usage, request, data));
                    generation.push(chunk);
                }
                None => {
                    generation.finish(End::Failed(BackendError::cut_off("a chunk of another node cannot be read")));
                    return true;
                }
            }
        }
        match course {
            Course::Flying => (lost_at, lost_for) = (None, LOST_FOR),
            Course::Landed(end) => {
                let end = serde_json::from_str(&end);
                generation
                    .finish(end.unwrap_or_else(|_| End::Failed(BackendError::cut_off("an end that cannot be read"))));
                return true;
            }
            Course::Lost => {
                if lost_at.get_or_insert_with(Instant::now).elapsed() >= lost_for {
                    if seen > 0 {
                        generation.finish(End::Failed(BackendError::cut_off("the node that generated it is gone")));
                    }
                    return seen > 0;
                }
            }
        }
        sleep(BATCH).await;
    }
}

/// This node follows a flight until this is dropped: the leader is not to go on for nobody.
struct Following {
    flights: Arc<dyn Flights>,
    flight: Flight,
}

impl Drop for Following {
    fn drop(&mut self) {
        let (flights, flight) = (self.flights.clone(), self.flight.clone());
        actix::spawn(async move {
            if let Err(error) = flights.leave(&flight).await {
                // It counts for a little longer.
                log::debug!(error:%; "a flight was not left");
            }
        });
    }
}

/// This node's lead of a flight. Given up when it is dropped before it has landed.
pub(super) struct Lead {
    flights: Arc<dyn Flights>,
    flight: Option<Flight>,
    generation: Arc<Generation>,
    /// Chunks that the other nodes can read.
    added: usize,
    /// Other nodes follow: a reader like any other, for the generation.
    followed: Option<Follower>,
}

impl Lead {
    pub(super) fn new(flights: Arc<dyn Flights>, flight: Flight, generation: Arc<Generation>) -> Self {
        generation.share(true);
        Self { flights, flight: Some(flight), generation, added: 0, followed: None }
    }

    /// Says that this node lives, lets the others read along, and ends the generation when nobody follows anywhere.
    /// Cancelling it loses nothing.
    pub(super) async fn keep(&mut self) -> Infallible {
        while let Some(flight) = self.flight.clone() {
            let pause = if self.followed.is_some() { BATCH } else { RENEW };
            tokio::select! {
                () = self.generation.unfollowed() => {
                    if self.leave(&flight).await {
                        // It is dropped now, and a store that refuses at once must not keep this from standing still.
                        break;
                    }
                }
                () = sleep(pause) => self.renew(&flight).await,
            }
        }
        std::future::pending().await
    }

    async fn renew(&mut self, flight: &Flight) {
        let chunks = if self.followed.is_some() { self.generation.raw_after(self.added) } else { Vec::new() };
        match self.flights.add(flight, self.added, &chunks).await {
            Ok(standing @ (FlightStanding::Followed | FlightStanding::Alone)) => {
                self.added += chunks.len();
                if standing == FlightStanding::Alone {
                    self.followed = None;
                } else if self.followed.is_none() {
                    self.followed = self.generation.follow();
                }
            }
            // Another node has begun anew: this one goes on for its own followers.
            Ok(FlightStanding::Lost) => self.go_alone(),
            Err(error) => log::debug!(error:%; "a flight was not renewed"),
        }
    }

    /// Nobody follows here: it is given up, unless somebody does elsewhere. `true`: the generation is abandoned, or has ended.
    async fn leave(&mut self, flight: &Flight) -> bool {
        match self.flights.give_up(flight, false).await {
            Ok(false) => {
                self.followed = self.generation.follow();
                self.followed.is_none()
            }
            Ok(true) => {
                self.go_alone();
                false
            }
            Err(error) => {
                log::debug!(error:%; "a flight was not given up");
                self.generation.abandon()
            }
        }
    }

    fn go_alone(&mut self) {
        self.flight = None;
        self.followed = None;
        self.generation.share(false);
    }

    /// Gives the others the rest and the end.
    pub(super) async fn land(mut self, end: &End) {
        let tries = if self.followed.is_some() { LAND_TRIES_FOLLOWED } else { LAND_TRIES };
        for _ in 0..tries {
            match self.try_to_land(end).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(_) => sleep(LAND_RETRY).await,
            }
        }
    }

    /// One step of landing. `true`: nothing is left to do.
    pub(super) async fn try_to_land(&mut self, end: &End) -> StoreResult<bool> {
        let (Some(flight), Ok(json)) = (&self.flight, serde_json::to_string(end)) else { return Ok(true) };
        let rest = self.generation.raw_after(self.added);
        let mut is_over = self.flights.land(flight, rest.is_empty(), &json).await?;
        if !is_over {
            match self.flights.add(flight, self.added, &rest).await? {
                FlightStanding::Lost => is_over = true,
                FlightStanding::Followed | FlightStanding::Alone => self.added += rest.len(),
            }
        }
        if is_over {
            self.flight = None;
        }
        Ok(is_over)
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.generation.share(false);
        let Some(flight) = self.flight.take() else { return };
        let flights = self.flights.clone();
        actix::spawn(async move {
            if let Err(error) = flights.give_up(&flight, true).await {
                // Its lease runs out.
                log::debug!(error:%; "a flight was not given up");
            }
        });
    }
}
