//! The mirror: writes this node's memberships to the store, newest state first, and keeps them alive as a lease.
//!
//! Owns: what has been written and what has not. Reads: the roster, so it never delays the registry. Sends: where the
//! logs stand, to the registry, after the store was away. Ends when: never; its end ends the process.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::time::{Instant, sleep, timeout};

use crate::exit::ExitGuard;
use crate::ids::GroupName;
use crate::metrics::Metrics;
use crate::registry::{GroupRegistry, Roster};
use crate::relay;
use crate::store::{StoreResult, Stores};

/// How often the node's lease is renewed, and a store that lost its data is noticed.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Groups that are written or read in one round trip.
const BATCH: usize = 500;
/// Memberships are written anew at least this often.
const MAX_RENEWAL: Duration = Duration::from_secs(300);
/// What giving up every membership may take on shutdown.
const RESIGN_WITHIN: Duration = Duration::from_secs(1);

/// Gives up every membership of this node: it is going.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Resign;

#[derive(Clone)]
struct Desk {
    roster: Arc<Roster>,
    stores: Stores,
    registry: Addr<GroupRegistry>,
    metrics: Metrics,
    renewal: Duration,
}

/// The actor.
pub struct Mirror {
    desk: Desk,
    writing: Option<SpawnHandle>,
    _exit: ExitGuard,
}

impl Mirror {
    /// `group_expiry` is how long a membership lives that nobody renews.
    pub fn new(
        roster: Arc<Roster>,
        stores: Stores,
        registry: Addr<GroupRegistry>,
        metrics: Metrics,
        group_expiry: Duration,
        exit: ExitGuard,
    ) -> Self {
        let renewal = (group_expiry / 4).min(MAX_RENEWAL);
        Self { desk: Desk { roster, stores, registry, metrics, renewal }, writing: None, _exit: exit }
    }
}

impl Actor for Mirror {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.writing = Some(ctx.spawn(self.desk.clone().run().into_actor(self)));
    }
}

impl Handler<Resign> for Mirror {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Resign, ctx: &mut Context<Self>) -> Self::Result {
        if let Some(writing) = self.writing.take() {
            ctx.cancel_future(writing);
        }
        let desk = self.desk.clone();
        Box::pin(async move {
            let groups = desk.roster.groups();
            let resigned = timeout(RESIGN_WITHIN, async {
                desk.in_batches(&groups, false).await?;
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
    async fn run(self) {
        let mut in_step = false;
        let mut renewed_at = Instant::now();
        let mut beat_at = Instant::now();
        loop {
            tokio::select! {
                () = self.roster.changed() => {}
                () = tokio::time::sleep_until(beat_at) => {}
                () = self.stores.membership.returned() => {
                    // What was appended while nobody heard of it is in the logs.
                    in_step = false;
                    beat_at = Instant::now();
                }
            }
            if Instant::now() >= beat_at {
                beat_at = Instant::now() + HEARTBEAT;
                match self.stores.membership.heartbeat().await {
                    Ok(known) => {
                        let lost = !known || !in_step;
                        if !known {
                            _ = self.restore_records().await;
                        }
                        if lost || renewed_at.elapsed() >= self.renewal {
                            in_step = self.resync(lost).await.is_ok();
                            renewed_at = Instant::now();
                        }
                    }
                    Err(_) => in_step = false,
                }
            }
            let changed = self.roster.take_changed();
            if let Err(error) = self.write(&changed).await {
                log::debug!("mirror not written groups={} error={error}", changed.len());
                self.metrics.mirror_writes.with_label_values(&["failed"]).inc_by(changed.len() as u64);
                sleep(HEARTBEAT / 4).await;
                self.roster.mark_changed(changed.into_iter().map(|(group, _)| group));
            }
        }
    }

    async fn write(&self, changed: &[(GroupName, bool)]) -> StoreResult<()> {
        let part = |inside: bool| -> Vec<GroupName> {
            changed.iter().filter(|(_, is_in)| *is_in == inside).map(|(group, _)| group.clone()).collect()
        };
        self.in_batches(&part(true), true).await?;
        self.in_batches(&part(false), false).await?;
        self.metrics.mirror_writes.with_label_values(&["ok"]).inc_by(changed.len() as u64);
        Ok(())
    }

    async fn in_batches(&self, groups: &[GroupName], inside: bool) -> StoreResult<()> {
        for batch in groups.chunks(BATCH) {
            if inside {
                self.stores.membership.join(batch).await?;
            } else {
                self.stores.membership.leave(batch).await?;
            }
        }
        Ok(())
    }

    /// The store came back empty: what sessions of this node joined is known here alone.
    async fn restore_records(&self) -> StoreResult<()> {
        for session in self.roster.sessions("", None, usize::MAX) {
            let home = session.session.home();
            for group in session.groups.iter().filter(|group| **group != home) {
                self.stores.sessions.add_group(&session.session, group).await?;
            }
        }
        Ok(())
    }

    /// Every membership is written anew, and every log is looked at: its life renewed, its loss noticed.
    async fn resync(&self, lost: bool) -> StoreResult<()> {
        let groups = self.roster.groups();
        relay::resync(&self.stores, &self.registry, &groups).await?;
        if lost && !groups.is_empty() {
            log::info!("memberships mirrored anew groups={}", groups.len());
        }
        self.roster.mark_changed(groups);
        Ok(())
    }
}
