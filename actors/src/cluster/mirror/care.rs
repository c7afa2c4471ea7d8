//! Sees that what was written is still there: Django's `flush()`, a host of the channel layer that came back empty, or an
//! eviction take memberships away without a word. A share of them is looked at each second.

use std::time::Duration;

use tokio::time::sleep;

use super::{Writer, lock};
use crate::ids::{GroupName, SessionId};
use crate::store::StoreResult;

/// How often a share is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How often the groups are counted that wait for a person.
const COUNT: Duration = Duration::from_secs(5);
/// In how many looks all of them are seen, unless there are more than [`MOST`] times that.
const LOOKS: usize = 3;
/// Memberships in one look, at least and at most: some milliseconds of the server's time.
const LEAST: usize = 250;
const MOST: usize = 4_000;
/// Sessions in one look.
const SESSIONS: usize = 250;
/// Groups in one look of which one member each is looked at: nobody waits for those that are gone.
const SWEPT: usize = 50;
/// Memberships in one round trip.
const BATCH: usize = 500;

impl Writer {
    /// Looks for ever.
    pub(super) async fn take_care(self) {
        let (mut group, mut session): (Option<GroupName>, Option<SessionId>) = (None, None);
        loop {
            sleep(LOOK).await;
            let mirrored: Vec<GroupName> = lock(&self.shared.mirrored).iter().cloned().collect();
            let groups = share(&mirrored, &mut group, mirrored.len().div_ceil(LOOKS).clamp(LEAST, MOST));
            match self.missing(&groups).await {
                Ok(gone) if gone.is_empty() => {}
                Ok(_) => {
                    // Where one is gone, others are: all of them are looked at before anything is said.
                    let gone = self.missing(&mirrored).await.unwrap_or_default();
                    let gone: Vec<_> = gone.into_iter().filter(|group| self.roster.has_members(group)).collect();
                    if !gone.is_empty() {
                        log::warn!(
                            event = "memberships_lost", groups = gone.len(), first:% = gone[0];
                            "memberships were gone from the channel layer, they are written anew"
                        );
                        self.roster.mark_changed(gone);
                    }
                }
                Err(error) => log::debug!(error:%; "memberships in the channel layer were not looked at"),
            }
            let live = self.roster.live_sessions("", None, usize::MAX);
            let sessions = share(&live, &mut session, SESSIONS);
            match self.stores.presence.missing(&sessions, &groups[..groups.len().min(SWEPT)]).await {
                Ok(gone) if gone.is_empty() => {}
                Ok(gone) => {
                    log::warn!(
                        event = "session_rows_lost", sessions = gone.len();
                        "rows of sessions were gone, they are written anew"
                    );
                    self.roster.mark_sessions(gone);
                }
                Err(error) => log::debug!(error:%; "rows of sessions were not looked at"),
            }
        }
    }

    /// Counts the groups that wait for a person, for ever: whichever node they asked at.
    pub(super) async fn count_waiting(self) {
        loop {
            match self.stores.desk.count().await {
                Ok(waiting) => self.metrics.people_waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX)),
                Err(error) => log::debug!(error:%; "the groups that wait for a person were not counted"),
            }
            sleep(COUNT).await;
        }
    }

    async fn missing(&self, groups: &[GroupName]) -> StoreResult<Vec<GroupName>> {
        let mut missing = Vec::new();
        for batch in groups.chunks(BATCH) {
            missing.extend(self.layer.missing(batch).await?);
        }
        Ok(missing)
    }
}

/// The next `size` of what is sorted, after those that were taken the last time; round about.
fn share<T: Ord + Clone>(all: &[T], last: &mut Option<T>, size: usize) -> Vec<T> {
    let start = last.as_ref().map_or(0, |last| all.partition_point(|item| item <= last));
    let share: Vec<T> = all[start..].iter().chain(&all[..start]).take(size.min(all.len())).cloned().collect();
    *last = share.last().cloned();
    share
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn shares_go_round_whatever_comes_and_goes_between() {
        let mut last = None;
        assert_eq!(share(&[1, 3, 5, 7], &mut last, 3), [1, 3, 5]);
        assert_eq!(share(&[1, 3, 6, 7], &mut last, 3), [6, 7, 1]);
        assert_eq!(share(&[1, 2], &mut last, 3), [2, 1]);
        assert_eq!(share(&[] as &[i32], &mut last, 3), [] as [i32; 0]);
    }
}
