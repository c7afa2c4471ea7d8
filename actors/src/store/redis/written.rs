//! What this node has written of its sessions: so a row that Redis lost is known all the same, and counts are told, not
//! counted up and down.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::ids::{GroupName, SessionId};
use crate::store::ChangedRow;

/// Sessions with their groups, and groups with their sessions.
#[derive(Default)]
pub(super) struct Written {
    rows: HashMap<SessionId, BTreeSet<GroupName>>,
    counts: HashMap<GroupName, usize>,
    /// Groups that sessions have left, until that is written.
    leaving: HashMap<SessionId, BTreeSet<GroupName>>,
}

/// What goes along with some rows.
pub(super) struct Along {
    /// How many sessions are in the groups whose number has changed, or is to be told again.
    pub(super) counts: BTreeMap<GroupName, usize>,
    /// The groups that each session has left, in the order of the rows.
    pub(super) left: Vec<BTreeSet<GroupName>>,
}

impl Written {
    /// Whether a session's row was written.
    pub(super) fn has(&self, session: &SessionId) -> bool {
        self.rows.contains_key(session)
    }

    /// Rows are about to be written. `renew`: what has not changed is told as well.
    pub(super) fn write(&mut self, rows: &[ChangedRow], renew: bool) -> Along {
        let (mut told, mut left) = (BTreeSet::new(), Vec::new());
        for (session, row) in rows {
            let new: BTreeSet<GroupName> = row.iter().flat_map(|row| row.groups.keys().cloned()).collect();
            let old = match row {
                Some(_) => self.rows.insert(session.clone(), new.clone()).unwrap_or_default(),
                None => self.rows.remove(session).unwrap_or_default(),
            };
            for group in new.difference(&old) {
                *self.counts.entry(group.clone()).or_default() += 1;
            }
            for group in old.difference(&new) {
                self.decrease(group);
            }
            let leaving = self.leaving.entry(session.clone()).or_default();
            leaving.extend(old.difference(&new).cloned());
            leaving.retain(|group| !new.contains(group));
            told.extend(old.symmetric_difference(&new).chain(leaving.iter()).cloned());
            if renew {
                told.extend(new);
            }
            left.push(leaving.clone());
        }
        let count = |group: GroupName| (group.clone(), self.counts.get(&group).copied().unwrap_or(0));
        Along { counts: told.into_iter().map(count).collect(), left }
    }

    /// They were.
    pub(super) fn confirm(&mut self, rows: &[ChangedRow]) {
        rows.iter().for_each(|(session, _)| _ = self.leaving.remove(session));
    }

    /// A row is gone: the next one is new, and leaves what this one was in.
    pub(super) fn lost(&mut self, session: &SessionId) {
        let groups = self.rows.remove(session).unwrap_or_default();
        groups.iter().for_each(|group| self.decrease(group));
        self.leaving.entry(session.clone()).or_default().extend(groups);
    }

    fn decrease(&mut self, group: &GroupName) {
        if let Some(count) = self.counts.get_mut(group) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(group);
            }
        }
    }
}
