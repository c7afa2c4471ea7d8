//! The order in which sockets are closed when the node goes: evenly over the time given, those with an answer under
//! way only when it has ended, or at the end.

use std::time::Duration;

use actix::prelude::*;
use rand::RngExt;
use tokio::time::Instant;

use super::GroupRegistry;
use super::messages::Drain;
use crate::ids::SessionId;
use crate::protocol::{Close, CloseCode};
use crate::socket::SocketHandle;

/// How often some are closed.
const STEP: Duration = Duration::from_millis(50);

/// Clients come back after a random time up to this, in milliseconds, so that they do not all come at once.
const RETRY_SPREAD_MS: u64 = 1_000;

/// The sockets that are still to be closed.
pub(super) struct Draining {
    waiting: Vec<(SessionId, SocketHandle)>,
    total: usize,
    since: Instant,
    within: Duration,
    /// Nobody waits for a turn any more.
    hurried: bool,
}

impl Draining {
    pub(super) fn new(waiting: Vec<(SessionId, SocketHandle)>, within: Duration) -> Self {
        Self { total: waiting.len(), waiting, since: Instant::now(), within, hurried: false }
    }

    /// From now on all of them are closed as soon as no answer is under way, and all that are left after this time.
    fn hurry(&mut self, within: Duration) {
        self.within = self.since.elapsed() + within;
        self.hurried = true;
    }

    /// Closes those whose turn it is.
    pub(super) fn step(&mut self, busy: impl Fn(&SessionId) -> bool) {
        let elapsed = self.since.elapsed() + STEP;
        let over = elapsed >= self.within;
        // Four fifths of the time for closing, the rest for the clients' own close frames.
        let share = elapsed.as_secs_f64() / (self.within.as_secs_f64() * 0.8).max(f64::MIN_POSITIVE);
        let mut quota =
            if over || self.hurried { self.total } else { (self.total as f64 * share.min(1.0)).ceil() as usize };
        quota = quota.saturating_sub(self.total - self.waiting.len());
        let mut rng = rand::rng();
        self.waiting.retain(|(session, socket)| {
            if socket.is_gone() {
                return false;
            }
            if quota == 0 || (!over && busy(session)) {
                return true;
            }
            quota -= 1;
            let retry_in_ms = Some(rng.random_range(0..=RETRY_SPREAD_MS));
            socket.close(Close { code: CloseCode::Draining, retry_in_ms });
            false
        });
    }
}

impl Handler<Drain> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Drain { within }: Drain, ctx: &mut Context<Self>) {
        if let Some(draining) = &mut self.draining {
            draining.hurry(within);
            return self.drain_step();
        }
        self.roster.goes();
        let sockets = self.roster.all_sockets();
        log::info!(event = "draining", sockets = sockets.len(), seconds = within.as_secs(); "the drain begins");
        self.draining = Some(Draining::new(sockets, within));
        self.drain_step();
        ctx.run_interval(STEP, |registry, _| registry.drain_step());
    }
}

impl GroupRegistry {
    fn drain_step(&mut self) {
        let Some(mut draining) = self.draining.take() else { return };
        let busy = |session: &SessionId| {
            let groups = self.roster.groups_of(session);
            groups.iter().any(|name| self.groups.get(name).is_some_and(|group| !group.answers.is_empty()))
        };
        draining.step(busy);
        self.draining = Some(draining);
    }
}
