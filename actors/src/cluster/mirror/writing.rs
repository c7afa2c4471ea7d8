//! Writing what changes, newest state first, and from time to time everything.

use tokio::time::{Instant, sleep, sleep_until};

use super::{Due, RETRY, Writer, lock};
use crate::aside::{in_parts, set_aside};
use crate::ids::GroupName;
use crate::store::{ChangedRow, StoreResult};

/// Groups that are written in one round trip: a few milliseconds of the server's time.
const BATCH: usize = 250;

impl Writer {
    /// Writes what changes, and from time to time everything.
    pub(super) async fn write_changes(self) {
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
                        groups = changed.len(), sessions = sessions.len(), error:%;
                        "the mirror was not written"
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

    pub(super) async fn write_rows(&self, rows: &[ChangedRow], renewing: bool) -> StoreResult<()> {
        let presence = &self.stores.presence;
        let write = async |part: &[ChangedRow]| match renewing {
            true => presence.renew(part).await,
            false => presence.write(part).await,
        };
        in_parts(rows, BATCH, write, |(session, _), error| set_aside("session", session, error)).await
    }

    pub(super) async fn join(&self, groups: &[GroupName]) -> StoreResult<()> {
        let (membership, layer) = (&self.stores.membership, &self.layer);
        let bad = |group: &GroupName, error: &_| set_aside("group", group, error);
        // Noted before and crossed out after: whoever cleans up after this node must know of all of it.
        in_parts(groups, BATCH, async |part| membership.join(part).await, bad).await?;
        in_parts(groups, BATCH, async |part| layer.join(part).await, bad).await?;
        lock(&self.shared.mirrored).extend(groups.iter().cloned());
        Ok(())
    }

    pub(super) async fn leave(&self, groups: &[GroupName]) -> StoreResult<()> {
        let (membership, layer) = (&self.stores.membership, &self.layer);
        let bad = |group: &GroupName, error: &_| set_aside("group", group, error);
        {
            let mut mirrored = lock(&self.shared.mirrored);
            groups.iter().for_each(|group| _ = mirrored.remove(group));
        }
        in_parts(groups, BATCH, async |part| layer.leave(part).await, bad).await?;
        in_parts(groups, BATCH, async |part| membership.leave(part).await, bad).await
    }

    /// Gives up all rows and memberships, and the place among the nodes. It may be repeated.
    pub(super) async fn resign(&self, groups: &[GroupName]) -> StoreResult<()> {
        self.roster.mark_all_sessions();
        let gone: Vec<_> = self.roster.take_changed_sessions().into_iter().map(|(id, _)| (id, None)).collect();
        self.write_rows(&gone, false).await?;
        self.leave(groups).await?;
        self.stores.membership.resign().await
    }
}
