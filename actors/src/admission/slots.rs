//! How many answers a session, and the whole service, has under way.
//!
//! Slots are leases that all nodes share, taken together with what the limits ask (`fallback`). While those are away this
//! node's own count applies; what it gave meanwhile becomes a lease when they are back. One task renews them all, and gives back
//! what is no longer used.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::held::{HeldHere, Returned};
use super::messages::SlotOf;
use crate::actor::OwnedTask;
use crate::ids::{SessionId, random_text};
use crate::in_force::InForce;
use crate::metrics::Metrics;
use crate::options::LimitOptions;
use crate::protocol::{ErrorCode, Refusal};
use crate::store::{Held, Room, SLOT_LEASE_MS, SlotLeases, SlotRequest, StoreResult};

/// How often leases are renewed: several tries before one ends.
const RENEW: Duration = Duration::from_secs(4);
/// How long an answer's end may wait until its slot is free for the next question.
const GIVE_BACK_WITHIN: Duration = Duration::from_millis(250);
/// The room of all answers.
const SERVICE: &str = "service";
/// After this it is worth asking the full service again, in milliseconds.
const SERVICE_RETRY_MS: u64 = 1_000;

/// The slots; clones share them.
#[derive(Clone)]
pub struct Slots {
    books: Arc<Books>,
    _keeper: Arc<OwnedTask>,
}

/// A slot, free again when dropped.
pub(super) struct Slot {
    books: Arc<Books>,
    holder: String,
}

struct Books {
    leases: Arc<dyn SlotLeases>,
    options: InForce<LimitOptions>,
    held: Mutex<HeldHere>,
    /// Held while leases are renewed or given back: no renewal may come after the end.
    order: tokio::sync::Mutex<()>,
    /// Something was taken or given back.
    changed: Notify,
    metrics: Metrics,
}

fn room_of(session: &SessionId) -> String {
    format!("session:{session}")
}

impl Slots {
    /// Slots as the options say. Must be called within a tokio runtime, which renews their leases.
    pub fn new(leases: Arc<dyn SlotLeases>, options: &InForce<LimitOptions>, metrics: Metrics) -> Self {
        let books = Arc::new(Books {
            leases,
            options: options.clone(),
            held: Mutex::default(),
            order: tokio::sync::Mutex::default(),
            changed: Notify::new(),
            metrics,
        });
        let keeper = OwnedTask::spawn(keep(books.clone()));
        Self { books, _keeper: Arc::new(keeper) }
    }

    /// A slot that is to be asked for, for an answer in a session or for an application's, and the rooms that must have one. It
    /// is not held yet. `None`: no room has a bound.
    pub(super) fn wanted(&self, of: &SlotOf) -> Option<(Slot, SlotRequest)> {
        let books = &self.books;
        let options = books.options.get();
        let of_session = match of {
            SlotOf::Session(session) => Some(Room { name: room_of(session), slots: options.answers_per_session }),
            SlotOf::Service => None,
        };
        let of_service =
            (options.answers_at_once > 0).then(|| Room { name: SERVICE.into(), slots: options.answers_at_once });
        let rooms: Vec<Room> = of_session.into_iter().chain(of_service).collect();
        (!rooms.is_empty()).then(|| {
            let holder = random_text(16);
            (Slot { books: books.clone(), holder: holder.clone() }, SlotRequest { holder, rooms })
        })
    }

    /// Notes that the shared leases gave one.
    pub(super) fn given(&self, request: &SlotRequest) {
        self.books.held().enter(&request.holder, &request.rooms);
        self.books.changed.notify_one();
    }

    /// Takes one by this node's own count, as the shared leases did not answer: or the index of a room that is full. They may
    /// have given it all the same, so it is noted either way: then it is renewed, or given back like the others.
    pub(super) fn take_here(&self, request: &SlotRequest) -> Result<(), usize> {
        let mut held = self.books.held();
        let full = request.rooms.iter().position(|room| held.count(&room.name) >= room.slots);
        held.enter(&request.holder, &request.rooms);
        drop(held);
        self.books.changed.notify_one();
        full.map_or(Ok(()), Err)
    }

    /// Sees to it that what this node has given back a moment ago is free in the shared leases. `false`: nothing was.
    pub(super) async fn settle_returns(&self) -> bool {
        let books = &self.books;
        let (under_way, waiting) = (books.order.try_lock().is_err(), !books.held().returned.is_empty());
        (under_way || waiting) && books.release().await
    }

    /// How many slots of a session are taken by answers that are written here.
    pub fn taken_here(&self, session: &SessionId) -> usize {
        self.books.held().count(&room_of(session))
    }

    /// How many slots of a session are taken, on all nodes.
    pub async fn taken(&self, session: &SessionId) -> usize {
        match self.books.hear(self.books.leases.taken(&room_of(session))).await {
            Ok(taken) => taken,
            Err(_) => self.taken_here(session),
        }
    }
}

/// What is said where a room is full.
pub(super) fn busy(room: &Room) -> Refusal {
    let mut refusal =
        Refusal::new(ErrorCode::Busy, "this session has as many answers under way as it may; wait for one to end");
    if room.name == SERVICE {
        refusal.message = "the service has as many answers under way as it may; try again in a moment".into();
        refusal.retry_after_ms = Some(SERVICE_RETRY_MS);
    }
    refusal
}

impl Slot {
    /// Gives it back, and waits a moment until it is free on all nodes.
    pub(super) async fn give_back(self) {
        let (told, done) = oneshot::channel();
        self.books.give_back(&self.holder, Some(told));
        // What is not done in time is done later.
        _ = timeout(GIVE_BACK_WITHIN, done).await;
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("holder", &self.holder).finish_non_exhaustive()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.books.give_back(&self.holder, None);
    }
}

impl Books {
    fn held(&self) -> MutexGuard<'_, HeldHere> {
        // Each change is one step; a panic elsewhere leaves it right.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, holder: &str, told: Option<oneshot::Sender<()>>) {
        let mut here = self.held();
        let held = here.leave(holder);
        if !held.is_empty() {
            here.returned.push(Returned { held, until: Instant::now() + Duration::from_millis(SLOT_LEASE_MS), told });
            self.changed.notify_one();
        }
    }

    /// Asks for the shared leases, and notes whether they are there.
    async fn hear<T>(&self, call: impl Future<Output = StoreResult<T>>) -> StoreResult<T> {
        self.metrics.dependencies.slots.watch(call).await
    }

    /// Gives back what was returned. Whether nothing is left to do.
    async fn release(&self) -> bool {
        let _alone = self.order.lock().await;
        let returned = std::mem::take(&mut self.held().returned);
        if returned.is_empty() {
            return true;
        }
        let held: Vec<Held> = returned.iter().flat_map(|it| it.held.iter().cloned()).collect();
        match self.hear(self.leases.release(&held)).await {
            Ok(()) => {
                returned.into_iter().filter_map(|it| it.told).for_each(|told| _ = told.send(()));
                true
            }
            Err(_) => {
                let now = Instant::now();
                let mut here = self.held();
                here.returned.extend(returned.into_iter().filter(|it| it.until > now));
                here.returned.is_empty()
            }
        }
    }

    /// Renews what is held.
    async fn renew(&self) {
        let _alone = self.order.lock().await;
        let held = self.held().all_held();
        if !held.is_empty() {
            _ = self.hear(self.leases.renew(&held)).await;
        }
    }
}

/// Renews the leases of this node and gives back what is no longer used.
async fn keep(books: Arc<Books>) {
    let mut beat_at = Instant::now() + RENEW;
    // What could not be given back is tried again with the next beat, and not at each change.
    let mut behind = false;
    loop {
        let idle = !behind && books.held().is_empty();
        tokio::select! {
            () = books.changed.notified() => {}
            () = sleep_until(beat_at), if !idle => {}
        }
        let beat = Instant::now() >= beat_at;
        if beat || !behind {
            behind = !books.release().await;
        }
        if beat {
            beat_at = Instant::now() + RENEW;
            books.renew().await;
        }
    }
}
