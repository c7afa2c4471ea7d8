//! One group on this node: its place in the log, the answers under way, and what is asked for.

use std::time::Duration;

use tokio::time::Instant;

use super::delta_window::DeltaWindows;
use super::presence_changes::PresenceChanges;
use super::sequence::Sequence;
use super::shown::ShownAnswers;
use crate::ids::{AnswerId, Epoch, GroupName};
use crate::socket::Replay;
use crate::store::Attendance;

/// Appends of one moment may report in another order than the log's: a gap is asked for only after this.
const GAP_PATIENCE: Duration = Duration::from_millis(30);

/// How soon a gap that could not be filled is asked for again.
const GAP_RETRY: Duration = Duration::from_secs(1);

/// How long a group that somebody is about to enter is kept without members.
const PREPARED_FOR: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, PartialEq)]
enum Filling {
    No,
    Asked,
    Failed,
}

/// The state.
pub(super) struct Group {
    pub(super) sequence: Sequence,
    pub(super) answers: ShownAnswers,
    pub(super) windows: DeltaWindows,
    pub(super) presence: PresenceChanges,
    pub(super) attendance: Attendance,
    filling: Filling,
    prepared_at: Instant,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            sequence: Sequence::default(),
            answers: ShownAnswers::default(),
            windows: DeltaWindows::default(),
            presence: PresenceChanges::default(),
            attendance: Attendance::default(),
            filling: Filling::No,
            prepared_at: Instant::now(),
        }
    }
}

impl Group {
    pub(super) fn prepare(&mut self) {
        self.prepared_at = Instant::now();
    }

    /// Nothing is lost when the state of a group without members is dropped.
    pub(super) fn is_idle(&self) -> bool {
        self.answers.is_empty() && self.prepared_at.elapsed() >= PREPARED_FOR
    }

    pub(super) fn end_answer(&mut self, answer: &AnswerId) {
        self.answers.end(answer);
        self.windows.end(answer);
    }

    /// How soon the ear is to be asked for a gap, if it is not being asked already.
    pub(super) fn wants_filling(&mut self) -> Option<Duration> {
        if !self.sequence.has_questions() {
            return None;
        }
        let delay = match self.filling {
            Filling::Asked => return None,
            Filling::No => GAP_PATIENCE,
            Filling::Failed => GAP_RETRY,
        };
        self.filling = Filling::Asked;
        Some(delay)
    }

    pub(super) fn filling_ended(&mut self) {
        self.filling = Filling::No;
    }

    pub(super) fn filling_failed(&mut self) {
        self.filling = Filling::Failed;
    }
}

/// What a client that saw `since` of epoch `seen` must be given, if the log still holds all of it.
/// `first` is the oldest event that is kept; `None` if that is not known, which matters only when something was missed.
pub(super) fn replay(
    group: &GroupName,
    at: (&Epoch, u64),
    first: Option<u64>,
    since: u64,
    seen: &Epoch,
) -> Option<Replay> {
    let (epoch, seq) = at;
    // `since` is the client's word: any number.
    let held = since == seq || first.is_some_and(|first| first <= since.saturating_add(1));
    (seen == epoch && since <= seq && held).then(|| Replay { group: group.clone(), epoch: epoch.clone(), after: since })
}
