//! The mirror: writes this node's memberships and the rows of its sessions to the store and to the channel layer, newest
//! state first, keeps them alive as a lease, sees that they are still there, and removes what dead nodes left.
//!
//! Owns: what has been written and what has not, and the node's name. Reads: the roster, so it never delays the registry.
//! Sends: where the logs stand, to the registry, after the store was away. Ends when: never; its end ends the process.
//!
//! Each of its tasks has a pace of its own, and none waits for another: above all the beat, by which the others tell that
//! this node lives.

mod beat;
mod care;
mod handle;
mod naming;
mod restoring;
mod writing;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

pub use handle::MirrorHandle;

use crate::actor::ExitGuard;
use crate::channel_layer::ChannelLayer;
use crate::ids::GroupName;
use crate::metrics::Metrics;
use crate::registry::{RegistryHandle, Roster};
use crate::store::Stores;

/// Memberships are written anew at least this often.
const MAX_RENEWAL: Duration = Duration::from_secs(200);
/// How soon something that failed is tried again.
const RETRY: Duration = Duration::from_millis(250);
/// What giving up every membership may take on shutdown: less than the program waits for it, so that the reason is told.
const RESIGN_WITHIN: Duration = Duration::from_millis(800);

/// Gives up every membership of this node: it is going.
#[derive(Message)]
#[rtype(result = "()")]
struct Resign;

/// What is to be done beside what changes.
#[derive(Debug, Default, Clone, Copy)]
struct Due {
    /// The logs are to be looked at: something may have been missed.
    logs: bool,
    /// The sessions' records are to be written: the store has lost its data.
    records: bool,
    /// Everything is to be written, changed or not: it is not known there.
    everything: bool,
    /// Before that, rows are to be removed that may be there again: the store has gone back.
    rows: bool,
}

/// What the tasks tell each other.
#[derive(Default)]
struct Shared {
    due: Mutex<Due>,
    /// Wakes who looks at logs and records, and who writes.
    restore: Notify,
    write: Notify,
    /// The keys of dead nodes, at the last beat.
    dead: Mutex<Vec<String>>,
    died: Notify,
    /// The groups that this node is known to be in.
    mirrored: Mutex<BTreeSet<GroupName>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What each task works with.
#[derive(Clone)]
struct Writer {
    roster: Arc<Roster>,
    stores: Stores,
    layer: Arc<dyn ChannelLayer>,
    registry: RegistryHandle,
    metrics: Metrics,
    renewal: Duration,
    shared: Arc<Shared>,
}

/// The actor.
pub struct Mirror {
    writer: Writer,
    tasks: Vec<SpawnHandle>,
    _exit: ExitGuard,
}

impl Mirror {
    /// `group_expiry` is how long a membership lives that nobody renews.
    pub fn new(
        roster: Arc<Roster>,
        stores: Stores,
        layer: Arc<dyn ChannelLayer>,
        registry: RegistryHandle,
        metrics: Metrics,
        group_expiry: Duration,
        exit: ExitGuard,
    ) -> Self {
        let renewal = (group_expiry / 4).min(MAX_RENEWAL);
        let shared = Arc::default();
        Self {
            writer: Writer { roster, stores, layer, registry, metrics, renewal, shared },
            tasks: Vec::new(),
            _exit: exit,
        }
    }
}

impl Actor for Mirror {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let writer = || self.writer.clone();
        self.tasks = vec![
            ctx.spawn(writer().beat().into_actor(self)),
            ctx.spawn(writer().write_changes().into_actor(self)),
            ctx.spawn(writer().restore().into_actor(self)),
            ctx.spawn(writer().clean_up().into_actor(self)),
            ctx.spawn(writer().take_care().into_actor(self)),
            ctx.spawn(writer().count_waiting().into_actor(self)),
        ];
    }
}

impl Handler<Resign> for Mirror {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Resign, ctx: &mut Context<Self>) -> Self::Result {
        self.tasks.drain(..).for_each(|task| _ = ctx.cancel_future(task));
        let writer = self.writer.clone();
        Box::pin(async move {
            let groups = writer.roster.groups();
            let until = Instant::now() + RESIGN_WITHIN;
            loop {
                let resigned = timeout_at(until, writer.resign(&groups)).await;
                let (can_retry, error) = match resigned {
                    Ok(Ok(())) => {
                        return log::info!(
                            event = "memberships_given_up", groups = groups.len();
                            "memberships are given up"
                        );
                    }
                    Ok(Err(error)) => (Instant::now() + RETRY < until, error.to_string()),
                    Err(_) => (false, "it takes too long".to_owned()),
                };
                if !can_retry {
                    return log::warn!(
                        event = "memberships_not_given_up", error;
                        "memberships are not given up, they expire by themselves"
                    );
                }
                sleep(RETRY).await;
            }
        })
    }
}
