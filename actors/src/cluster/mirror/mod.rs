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
mod naming;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::actor::ExitGuard;
use crate::aside::{in_parts, set_aside};
use crate::channel_layer::ChannelLayer;
use crate::cluster::resync;
use crate::ids::{GroupName, SessionId};
use crate::metrics::Metrics;
use crate::registry::{RegistryHandle, Roster};
use crate::store::{ChangedRow, StoreResult, Stores};

/// Groups that are written in one round trip: a few milliseconds of the server's time.
const BATCH: usize = 250;
/// Sessions whose records are restored in one round trip.
const RECORDS: usize = 100;
/// Memberships are written anew at least this often.
const MAX_RENEWAL: Duration = Duration::from_secs(200);
/// How soon something that failed is tried again.
const RETRY: Duration = Duration::from_millis(250);
/// What giving up every membership may take on shutdown.
const RESIGN_WITHIN: Duration = Duration::from_secs(1);

/// Gives up every membership of this node: it is going.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Resign;

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

#[derive(Clone)]
struct Desk {
    roster: Arc<Roster>,
    stores: Stores,
    layer: Arc<dyn ChannelLayer>,
    registry: RegistryHandle,
    metrics: Metrics,
    renewal: Duration,
    shared: Arc<Shared>,
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

/// The actor.
pub struct Mirror {
    desk: Desk,
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
            desk: Desk { roster, stores, layer, registry, metrics, renewal, shared },
            tasks: Vec::new(),
            _exit: exit,
        }
    }
}

impl Actor for Mirror {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let desk = || self.desk.clone();
        self.tasks = vec![
            ctx.spawn(desk().beat().into_actor(self)),
            ctx.spawn(desk().write_changes().into_actor(self)),
            ctx.spawn(desk().restore().into_actor(self)),
            ctx.spawn(desk().clean_up().into_actor(self)),
            ctx.spawn(desk().take_care().into_actor(self)),
        ];
    }
}

impl Handler<Resign> for Mirror {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Resign, ctx: &mut Context<Self>) -> Self::Result {
        self.tasks.drain(..).for_each(|task| _ = ctx.cancel_future(task));
        let desk = self.desk.clone();
        Box::pin(async move {
            let groups = desk.roster.groups();
            let resigned = timeout(RESIGN_WITHIN, async {
                desk.roster.mark_all_sessions();
                let gone: Vec<_> = desk.roster.take_changed_sessions().into_iter().map(|(id, _)| (id, None)).collect();
                desk.write_rows(&gone, false).await?;
                desk.leave(&groups).await?;
                desk.stores.membership.resign().await
            });
            match resigned.await {
                Ok(Ok(())) => log::info!("memberships given up groups={}", groups.len()),
                Ok(Err(error)) => log::warn!("memberships not given up, they expire by themselves error={error}"),
                Err(_) => log::warn!("memberships not given up in time, they expire by themselves"),
            }
        })
    }
}

impl Desk {
    /// Writes what changes, and from time to time everything.
    async fn write_changes(self) {
        // Whether what is written next is everything, changed or not.
        let mut renewing = false;
        let mut renew_at = Instant::now() + self.renewal;
        loop {
            tokio::select! {
                () = self.roster.changed() => {}
                () = self.shared.write.notified() => {}
                () = sleep_until(renew_at) => lock(&self.shared.due).everything = true,
            }
            let due = {
                let mut due = lock(&self.shared.due);
                Due { everything: std::mem::take(&mut due.everything), rows: std::mem::take(&mut due.rows), ..*due }
            };
            if due.rows && self.clear_rows().await.is_err() {
                // The next beat wakes this again.
                lock(&self.shared.due).rows = true;
            }
            if due.everything || due.rows {
                renew_at = Instant::now() + self.renewal;
                renewing = true;
                self.roster.mark_changed(self.roster.groups());
                self.roster.mark_all_sessions();
            }
            let sessions = self.roster.take_changed_sessions();
            let changed = self.roster.take_changed();
            let written = async {
                self.write_rows(&sessions, renewing).await?;
                let part = |inside: bool| -> Vec<GroupName> {
                    changed.iter().filter(|(_, is_in)| *is_in == inside).map(|(group, _)| group.clone()).collect()
                };
                self.join(&part(true)).await?;
                self.leave(&part(false)).await
            };
            let written = written.await;
            renewing &= written.is_err();
            match written {
                Ok(()) => self.metrics.mirror_writes.with_label_values(&["ok"]).inc_by(changed.len() as u64),
                Err(error) => {
                    log::debug!(
                        "mirror not written groups={} sessions={} error={error}",
                        changed.len(),
                        sessions.len()
                    );
                    self.metrics.mirror_writes.with_label_values(&["failed"]).inc_by(changed.len() as u64);
                    sleep(RETRY).await;
                    self.roster.mark_changed(changed.into_iter().map(|(group, _)| group));
                    self.roster.mark_sessions(sessions.into_iter().map(|(session, _)| session));
                }
            }
        }
    }

    /// Removes this node's rows, also those of sessions that have gone since the store was as it is.
    async fn clear_rows(&self) -> StoreResult<()> {
        while !self.stores.presence.forget_own().await? {}
        Ok(())
    }

    async fn write_rows(&self, rows: &[ChangedRow], renewing: bool) -> StoreResult<()> {
        let presence = &self.stores.presence;
        let write = async |part: &[ChangedRow]| match renewing {
            true => presence.renew(part).await,
            false => presence.write(part).await,
        };
        in_parts(rows, BATCH, write, |(session, _), error| set_aside("session", session, error)).await
    }

    async fn join(&self, groups: &[GroupName]) -> StoreResult<()> {
        let (membership, layer) = (&self.stores.membership, &self.layer);
        let bad = |group: &GroupName, error: &_| set_aside("group", group, error);
        // Noted before and crossed out after: whoever cleans up after this node must know of all of it.
        in_parts(groups, BATCH, async |part| membership.join(part).await, bad).await?;
        in_parts(groups, BATCH, async |part| layer.join(part).await, bad).await?;
        lock(&self.shared.mirrored).extend(groups.iter().cloned());
        Ok(())
    }

    async fn leave(&self, groups: &[GroupName]) -> StoreResult<()> {
        let (membership, layer) = (&self.stores.membership, &self.layer);
        let bad = |group: &GroupName, error: &_| set_aside("group", group, error);
        {
            let mut mirrored = lock(&self.shared.mirrored);
            groups.iter().for_each(|group| _ = mirrored.remove(group));
        }
        in_parts(groups, BATCH, async |part| layer.leave(part).await, bad).await?;
        in_parts(groups, BATCH, async |part| membership.leave(part).await, bad).await
    }

    /// Looks at the logs, and writes the sessions' records, when that is due.
    async fn restore(self) {
        loop {
            self.shared.restore.notified().await;
            loop {
                let due = {
                    let mut due = lock(&self.shared.due);
                    let now = *due;
                    (due.logs, due.records) = (false, false);
                    now
                };
                if !due.logs && !due.records {
                    break;
                }
                let records = if due.records { self.restore_records().await } else { Ok(()) };
                let groups = self.roster.groups();
                let logs = if due.logs { resync(&self.stores, &self.registry, &groups).await } else { Ok(()) };
                if records.is_err() || logs.is_err() {
                    {
                        let mut again = lock(&self.shared.due);
                        again.records |= records.is_err();
                        again.logs |= logs.is_err();
                    }
                    sleep(RETRY).await;
                }
            }
        }
    }

    /// The store came back empty: what sessions of this node joined is known here alone.
    async fn restore_records(&self) -> StoreResult<()> {
        let joined = |(session, groups): (_, Vec<GroupName>)| {
            let home = SessionId::home(&session);
            let groups: Vec<_> = groups.into_iter().filter(|group| *group != home).collect();
            (!groups.is_empty()).then_some((session, groups))
        };
        let sessions = self.roster.memberships();
        let records: Vec<_> = sessions.iter().cloned().filter_map(joined).collect();
        let write = async |part: &[_]| self.stores.sessions.restore(part).await;
        in_parts(&records, RECORDS, write, |(session, _), error| set_aside("session", session, error)).await?;
        let write = async |part: &[(SessionId, Vec<GroupName>)]| {
            for (session, _) in part {
                self.restore_rights(session).await?;
            }
            Ok(())
        };
        in_parts(&sessions, 1, write, |(session, _), error| set_aside("session", session, error)).await
    }

    /// What a session's sockets have shown.
    async fn restore_rights(&self, session: &SessionId) -> StoreResult<()> {
        for socket in self.roster.sockets(session) {
            if let Some(shown) = socket.access.rights() {
                let again = shown.again();
                self.stores.sessions.grant(session, &again).await?;
            }
            if socket.access.owns() {
                self.stores.sessions.claim(session, socket.access.user()).await?;
            }
        }
        Ok(())
    }
}
