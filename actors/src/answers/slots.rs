//! How many answers a session, and the whole service, has under way.
//!
//! Slots are leases that all nodes share. While those are away this node's own count applies; what it gave meanwhile
//! becomes a lease when they are back. One task renews them all, and gives back what is no longer used.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::desk::{Desk, Returned};
use crate::actor::OwnedTask;
use crate::ids::{SessionId, random_text};
use crate::metrics::Metrics;
use crate::options::LimitOptions;
use crate::protocol::{ErrorCode, Refusal};
use crate::store::{Held, Room, SLOT_LEASE_MS, SlotLeases, StoreResult};

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
pub struct Slot {
    books: Arc<Books>,
    holder: String,
}

struct Books {
    leases: Arc<dyn SlotLeases>,
    per_session: usize,
    /// Of all sessions; 0: no limit.
    at_once: usize,
    desk: Mutex<Desk>,
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
    pub fn new(leases: Arc<dyn SlotLeases>, options: &LimitOptions, metrics: Metrics) -> Self {
        let books = Arc::new(Books {
            leases,
            per_session: options.answers_per_session,
            at_once: options.answers_at_once,
            desk: Mutex::default(),
            order: tokio::sync::Mutex::default(),
            changed: Notify::new(),
            metrics,
        });
        let keeper = OwnedTask::spawn(keep(books.clone()));
        Self { books, _keeper: Arc::new(keeper) }
    }

    /// A slot for an answer in a session, or for an application's.
    ///
    /// # Errors
    /// `busy`: none is free.
    pub async fn take(&self, session: Option<&SessionId>) -> Result<Slot, Refusal> {
        let books = &self.books;
        let of_session = session.map(|session| Room { name: room_of(session), slots: books.per_session });
        let of_service = (books.at_once > 0).then(|| Room { name: SERVICE.into(), slots: books.at_once });
        let rooms: Vec<Room> = of_session.into_iter().chain(of_service).collect();
        let slot = Slot { books: books.clone(), holder: random_text(16) };
        if rooms.is_empty() {
            return Ok(slot);
        }
        let mut said = books.hear(books.leases.take(&slot.holder, &rooms)).await;
        // A slot that this node has given back a moment ago may not be free on the books yet.
        if matches!(said, Ok(Err(_))) && books.settle_returns().await {
            said = books.hear(books.leases.take(&slot.holder, &rooms)).await;
        }
        let full = match said {
            Ok(Ok(())) => {
                books.desk().enter(&slot.holder, &rooms);
                None
            }
            Ok(Err(full)) => Some(full),
            // It may have been taken all the same: then it is renewed or given back like the others.
            Err(_) => {
                let mut desk = books.desk();
                let full = rooms.iter().position(|room| desk.count(&room.name) >= room.slots);
                desk.enter(&slot.holder, &rooms);
                full
            }
        };
        books.changed.notify_one();
        match full.and_then(|full| rooms.get(full)) {
            None => Ok(slot),
            Some(room) => Err(busy(room)),
        }
    }

    /// Frees the slot of a holder, wherever it is. One that is free stays so.
    pub fn free(&self, holder: &str) {
        self.books.give_back(holder, None);
    }

    /// How many slots of a session are taken by answers that are written here.
    pub fn taken_here(&self, session: &SessionId) -> usize {
        self.books.desk().count(&room_of(session))
    }

    /// How many slots of a session are taken, on all nodes.
    pub async fn taken(&self, session: &SessionId) -> usize {
        match self.books.hear(self.books.leases.taken(&room_of(session))).await {
            Ok(taken) => taken,
            Err(_) => self.taken_here(session),
        }
    }
}

fn busy(room: &Room) -> Refusal {
    let mut refusal =
        Refusal::new(ErrorCode::Busy, "this session has as many answers under way as it may; wait for one to end");
    if room.name == SERVICE {
        refusal.message = "the service has as many answers under way as it may; try again in a moment".into();
        refusal.retry_after_ms = Some(SERVICE_RETRY_MS);
    }
    refusal
}

impl Slot {
    /// Its name among the slots.
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// Gives it back, and waits a moment until it is free on all nodes.
    pub async fn give_back(self) {
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
    fn desk(&self) -> MutexGuard<'_, Desk> {
        // Each change is one step; a panic elsewhere leaves it right.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, holder: &str, told: Option<oneshot::Sender<()>>) {
        let mut desk = self.desk();
        let held = desk.leave(holder);
        if !held.is_empty() {
            desk.returned.push(Returned { held, until: Instant::now() + Duration::from_millis(SLOT_LEASE_MS), told });
            self.changed.notify_one();
        }
    }

    /// Asks for the shared leases, and notes whether they are there.
    async fn hear<T>(&self, call: impl Future<Output = StoreResult<T>>) -> StoreResult<T> {
        let (started, slots) = (Instant::now(), &self.metrics.dependencies.slots);
        call.await.inspect(|_| slots.worked()).inspect_err(|error| slots.failed(started, &error.to_string()))
    }

    /// Sees to it that what was returned is given back. `false`: nothing was.
    async fn settle_returns(&self) -> bool {
        let (under_way, waiting) = (self.order.try_lock().is_err(), !self.desk().returned.is_empty());
        (under_way || waiting) && self.release().await
    }

    /// Gives back what was returned. Whether nothing is left to do.
    async fn release(&self) -> bool {
        let _alone = self.order.lock().await;
        let returned = std::mem::take(&mut self.desk().returned);
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
                let mut desk = self.desk();
                desk.returned.extend(returned.into_iter().filter(|it| it.until > now));
                desk.returned.is_empty()
            }
        }
    }

    /// Renews what is held.
    async fn renew(&self) {
        let _alone = self.order.lock().await;
        let held = self.desk().all_held();
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
        let idle = !behind && books.desk().is_empty();
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
