//! The beat: this node lives, and is called so. And who has stopped beating.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::naming::{NameState, Naming};
use super::{Writer, lock};
use crate::cluster::whereabouts::describe;
use crate::store::{Beat, StoreResult};

/// How often the node's lease is renewed, and a store that lost its data is noticed.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// The same while it is open whether another process has this node's name.
const UNSURE: Duration = Duration::from_millis(300);
/// How long a beat waits for the registry, whose delay it tells.
const DESCRIBE: Duration = Duration::from_millis(250);
/// Whoever has not beaten for so long finds the others' leases run out as well, and waits as long again before taking anybody for dead.
const WATCH: Duration = Duration::from_secs(5);
/// How long cleaning up after dead nodes may go on before their number is looked at again.
const CLEAN_UP: Duration = Duration::from_secs(1);

impl Writer {
    /// Beats for ever. What it finds is for the other tasks: nothing delays it.
    pub(super) async fn beat(self) {
        let mut naming = Naming::new(self.roster.node());
        // The life of the data that the store had.
        let mut life: Option<String> = None;
        let mut failed = false;
        let mut beaten_at = Instant::now();
        let mut watch_until = beaten_at;
        let mut beat_at = Instant::now();
        loop {
            tokio::select! {
                () = sleep_until(beat_at) => {}
                // What was appended while nobody heard of it is in the logs.
                () = self.stores.membership.returned() => failed = true,
            }
            beat_at = Instant::now() + HEARTBEAT;
            let mut info = describe(&self.roster, &self.registry, &self.metrics, DESCRIBE).await;
            info.node = naming.name();
            match self.stores.membership.heartbeat(&info).await {
                Ok(Beat { known, life: now, namesake, dead }) => {
                    let lost = life.as_ref().is_some_and(|life| *life != now);
                    // At the first beat nobody knows this node, and nothing of it has been lost.
                    let forgotten = lost || (!known && life.is_some());
                    let beaten_before = std::mem::replace(&mut beaten_at, Instant::now());
                    if forgotten || beaten_at - beaten_before > WATCH {
                        watch_until = beaten_at + WATCH;
                    }
                    let groups = self.roster.count().groups;
                    if forgotten && groups > 0 {
                        log::info!(
                            event = "memberships_mirrored", groups;
                            "all memberships are written to the store anew"
                        );
                    }
                    {
                        let mut due = lock(&self.shared.due);
                        due.records |= lost;
                        due.rows |= lost;
                        due.logs |= forgotten || failed;
                        due.everything |= forgotten;
                    }
                    life = Some(now);
                    failed = false;
                    match naming.heard(namesake) {
                        NameState::Ours => self.roster.rename(naming.name()),
                        NameState::Unsure => beat_at = Instant::now() + UNSURE,
                        NameState::Taken => {
                            let (base, name) = (naming.base(), naming.name());
                            log::error!(
                                event = "node_name_taken", setting = "server.node", value:% = base, node:% = name;
                                "another living process has this name, each needs its own"
                            );
                            beat_at = Instant::now();
                        }
                    }
                    if beaten_at >= watch_until {
                        *lock(&self.shared.dead) = dead;
                        self.shared.died.notify_one();
                    }
                    self.shared.restore.notify_one();
                    self.shared.write.notify_one();
                }
                Err(_) => failed = true,
            }
        }
    }

    /// Cleans up after dead nodes, for ever.
    pub(super) async fn clean_up(self) {
        loop {
            self.shared.died.notified().await;
            let dead = std::mem::take(&mut *lock(&self.shared.dead));
            let until = Instant::now() + CLEAN_UP;
            for node in dead {
                loop {
                    // What it told of itself is removed with the rest.
                    let name = self.stores.orders.names(std::slice::from_ref(&node)).await.unwrap_or_default().pop();
                    match self.clean_up_after(&node).await {
                        Ok(true) => {
                            let name = name.map_or_else(String::new, |name| name.to_string());
                            log::info!(event = "node_gone", node = name, key:% = node; "a node is gone, what it left is removed");
                        }
                        Ok(false) if Instant::now() < until => continue,
                        // The next beat goes on.
                        Ok(false) => {}
                        Err(error) => log::debug!(key:% = node, error:%; "what a dead node left is not removed yet"),
                    }
                    break;
                }
            }
        }
    }

    /// A share of it. Whether that was all.
    async fn clean_up_after(&self, dead: &str) -> StoreResult<bool> {
        let (presence, membership) = (&self.stores.presence, &self.stores.membership);
        let no_more_rows = presence.forget(dead).await?;
        let left = membership.left_by(dead).await?;
        if !left.is_empty() {
            self.layer.expel(dead, &left).await?;
            membership.cleared(dead, &left).await?;
        }
        let all = no_more_rows && left.is_empty();
        if all {
            membership.bury(dead).await?;
        }
        Ok(all)
    }
}
