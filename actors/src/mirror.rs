//! The mirror: writes this node's memberships and the rows of its sessions to the store and to the channel layer, newest
//! state first, keeps them alive as a lease, and removes what dead nodes left.
//!
//! Owns: what has been written and what has not. Reads: the roster, so it never delays the registry. Sends: where the
//! logs stand, to the registry, after the store was away. Ends when: never; its end ends the process.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::time::{Instant, sleep, timeout};

use crate::directory::describe;
use crate::django::ingest_turn;
use crate::exit::ExitGuard;
use crate::ids::GroupName;
use crate::metrics::Metrics;
use crate::registry::{GroupRegistry, Roster};
use crate::relay;
use crate::rights::Shown;
use crate::store::{Beat, StoreResult, Stores};

/// How often the node's lease is renewed, and a store that lost its data is noticed.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Groups that are written or read in one round trip.
const BATCH: usize = 500;
/// Memberships are written anew at least this often.
const MAX_RENEWAL: Duration = Duration::from_secs(300);
/// How long one beat may clean up after dead nodes.
const CLEAN_UP: Duration = Duration::from_secs(1);
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
                desk.roster.mark_all_sessions();
                let gone: Vec<_> = desk.roster.take_changed_sessions().into_iter().map(|(id, _)| (id, None)).collect();
                desk.stores.presence.write(&gone).await?;
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
        // Whether what is written next is everything, changed or not.
        let mut renewing = false;
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
                match self.stores.membership.heartbeat(&describe(&self.roster, &self.registry).await).await {
                    Ok(Beat { held, dead }) => {
                        self.clean_up_after(dead).await;
                        let lost = !held || !in_step;
                        if !held {
                            _ = self.restore_records().await;
                        }
                        if lost || renewed_at.elapsed() >= self.renewal {
                            in_step = self.resync(lost).await.is_ok();
                            renewing = true;
                            renewed_at = Instant::now();
                        }
                    }
                    Err(_) => in_step = false,
                }
            }
            let sessions = self.roster.take_changed_sessions();
            let changed = self.roster.take_changed();
            let written = async {
                match renewing {
                    true => self.stores.presence.renew(&sessions).await?,
                    false => self.stores.presence.write(&sessions).await?,
                }
                self.write(&changed).await
            };
            let written = written.await;
            renewing &= written.is_err();
            if let Err(error) = written {
                log::debug!("mirror not written groups={} sessions={} error={error}", changed.len(), sessions.len());
                self.metrics.mirror_writes.with_label_values(&["failed"]).inc_by(changed.len() as u64);
                sleep(HEARTBEAT / 4).await;
                self.roster.mark_changed(changed.into_iter().map(|(group, _)| group));
                self.roster.mark_sessions(sessions.into_iter().map(|(session, _)| session));
            }
        }
    }

    /// What dead nodes left: their sessions' rows, and their memberships in the channel layer.
    async fn clean_up_after(&self, dead: Vec<String>) {
        let until = Instant::now() + CLEAN_UP;
        for node in dead {
            loop {
                match self.clean_up_after_one(&node).await {
                    Ok(true) => log::info!("a node is gone, what it left is removed"),
                    Ok(false) if Instant::now() < until => continue,
                    // The next beat goes on.
                    Ok(false) => {}
                    Err(error) => log::debug!("not cleaned up after a dead node error={error}"),
                }
                break;
            }
        }
    }

    /// A share of it. Whether that was all.
    async fn clean_up_after_one(&self, dead: &str) -> StoreResult<bool> {
        let Stores { presence, membership, layer, .. } = &self.stores;
        let no_more_rows = presence.forget(dead).await?;
        let left = membership.left_by(dead).await?;
        if !left.is_empty() {
            layer.expel(dead, &left).await?;
            membership.cleared(dead, &left).await?;
        }
        let all = no_more_rows && left.is_empty();
        if all {
            membership.bury(dead).await?;
        }
        Ok(all)
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
            // Noted before and crossed out after: whoever cleans up after this node must know of all of it.
            if inside {
                self.stores.membership.join(batch).await?;
                self.stores.layer.join(batch).await?;
            } else {
                self.stores.layer.leave(batch).await?;
                // What Django says there now is another node's to log.
                self.stores.leases.release(&batch.iter().map(ingest_turn).collect::<Vec<_>>()).await?;
                self.stores.membership.leave(batch).await?;
            }
        }
        Ok(())
    }

    /// The store came back empty: what sessions of this node joined is known here alone.
    async fn restore_records(&self) -> StoreResult<()> {
        for (session, groups) in self.roster.memberships() {
            let home = session.home();
            for group in groups.iter().filter(|group| **group != home) {
                self.stores.sessions.add_group(&session, group).await?;
            }
            for socket in self.roster.sockets(&session) {
                if let Some(shown) = socket.access.rights() {
                    let again = Shown { issued: shown.issued.again(), ..shown.clone() };
                    self.stores.sessions.grant(&session, &again).await?;
                }
                if socket.access.owns() {
                    self.stores.sessions.claim(&session, socket.access.user()).await?;
                }
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
        self.roster.mark_all_sessions();
        Ok(())
    }
}
