//! Changes of who is in a group that are not told yet, and how long they wait for each other. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::ids::{SessionId, UserId};
use crate::store::Spread;

/// Changes within this time after one was told are told together, at its end.
const MOMENT: Duration = Duration::from_millis(80);
/// Each moment of a burst that goes on is twice as long as the one before, up to this: what a member is told of a crowd costs a
/// write a moment, however many come.
const LONGEST_MOMENT: Duration = Duration::from_secs(1);

/// What is not told yet of one group.
#[derive(Debug, Default)]
pub(super) struct PresenceChanges {
    /// Whether each came or went, as seen by those who are told; who did both has not changed.
    pub(super) changes: BTreeMap<SessionId, (UserId, bool)>,
    pub(super) told_at: Option<Instant>,
    /// Moments in a row in which several came or went.
    busy_moments: u32,
    /// The end of the moment is waited for, and the number of members.
    pub(super) is_waiting: bool,
    /// How many members there are at all nodes, as of the last moment.
    pub(super) spread: Spread,
}

/// When a change is told.
#[derive(Debug, PartialEq)]
pub(super) enum Change {
    /// At once.
    Now,
    /// At the end of the moment.
    Later,
    /// Never: the others have not heard of the one that it takes back either.
    Undone,
}

impl PresenceChanges {
    /// A session came or went. `is_alone`: nobody else is there to be told.
    pub(super) fn changed(&mut self, session: &SessionId, user: &UserId, came: bool, is_alone: bool) -> Change {
        if self.changes.get(session).is_some_and(|(_, before)| *before != came) {
            self.changes.remove(session);
            return Change::Undone;
        }
        let is_quiet = self.changes.is_empty() && self.told_at.is_none_or(|at| at.elapsed() >= self.moment());
        if is_alone || is_quiet {
            self.busy_moments = 0;
            if !is_alone {
                self.told_at = Some(Instant::now());
            }
            return Change::Now;
        }
        self.changes.insert(session.clone(), (user.clone(), came));
        Change::Later
    }

    /// How long the moment is that begins now.
    pub(super) fn moment(&self) -> Duration {
        MOMENT.saturating_mul(1 << self.busy_moments.min(8)).min(LONGEST_MOMENT)
    }

    /// A moment is over: what waits is about to be told.
    pub(super) fn end_moment(&mut self) {
        self.is_waiting = false;
        self.busy_moments = if self.changes.len() > 1 { self.busy_moments.saturating_add(1) } else { 0 };
    }

    /// Whether nothing is left to be told.
    pub(super) fn is_told(&self) -> bool {
        self.changes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_change_is_told_at_once_and_those_of_a_moment_together() {
        let mut presence = PresenceChanges::default();
        let mut change = |name: &str, came: bool, is_alone: bool| {
            let session = SessionId::parse(name).expect("legal");
            presence.changed(&session, &UserId::guest(&session), came, is_alone)
        };
        assert_eq!(change("a", true, true), Change::Now, "nobody else heard it");
        assert_eq!(change("b", true, false), Change::Now);
        assert_eq!(change("c", true, false), Change::Later);
        assert_eq!(change("b", false, false), Change::Later);
        assert_eq!(change("c", false, false), Change::Undone);
        assert_eq!(change("b", true, false), Change::Undone);
        assert_eq!(change("b", false, false), Change::Later, "the moment is not over");
        assert_eq!(change("b", true, false), Change::Undone);
        tokio::time::advance(MOMENT).await;
        assert_eq!(change("d", true, false), Change::Now);
    }

    #[tokio::test(start_paused = true)]
    async fn while_many_come_the_moments_grow_to_a_second_and_begin_anew_when_it_is_quiet() {
        let mut presence = PresenceChanges::default();
        let mut number = 0;
        let mut come = |presence: &mut PresenceChanges, count: usize| {
            for _ in 0..count {
                number += 1;
                let session = SessionId::parse(&format!("s{number}")).expect("legal");
                presence.changed(&session, &UserId::guest(&session), true, false);
            }
        };
        let mut moments = Vec::new();
        come(&mut presence, 1);
        for _ in 0..6 {
            come(&mut presence, 2);
            moments.push(presence.moment().as_millis());
            tokio::time::advance(presence.moment()).await;
            presence.end_moment();
            presence.changes.clear();
            presence.told_at = Some(Instant::now());
        }
        assert_eq!(moments, [80, 160, 320, 640, 1_000, 1_000]);
        tokio::time::advance(LONGEST_MOMENT).await;
        come(&mut presence, 1);
        assert!(presence.is_told(), "it was told at once");
        assert_eq!(presence.moment(), MOMENT);
    }
}
