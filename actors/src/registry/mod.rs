//! The group registry.
//!
//! Owns: who is in which group on this node (the [`Roster`]), each group's place in its log, the text of running
//! answers, and the sessions' supervision. Receives: memberships from sessions, logged events, answers' progress, the
//! ends of sessions. Sends: frames into sockets' outboxes, gaps to the ear. Waits for nobody: every handler is
//! synchronous. Ends when: never; its end ends the process.

mod answers;
mod attach;
mod attendance;
mod delta_window;
mod drain;
mod frames;
mod group;
mod handle;
mod logs;
mod messages;
#[cfg(test)]
mod model;
mod owed;
mod payment;
mod presence;
mod presence_changes;
#[cfg(test)]
mod properties;
mod restarts;
mod roster;
mod sequence;
mod sessions;
mod shown;
mod states;
mod written;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::time::Instant;

pub use handle::{Answered, RegistryHandle};
pub use messages::{
    AnswerGrew, AnswerOver, AnswerStarted, Attach, Deliver, Enter, Fanout, FillGap, Gap, Joining, Seed, SessionEnded,
    SessionFactory,
};
pub use restarts::{MAX_RESTARTS, WINDOW};
pub use roster::{Count, Roster, Watch};
pub use states::GroupStates;

use crate::actor::ExitGuard;
use crate::ids::{GroupName, SessionId};
use crate::metrics::Metrics;
use drain::Draining;
use group::Group;
use messages::GapReader;
use restarts::Restarts;
use sequence::Due;
use sessions::Running;

/// Messages that may wait for the registry. Its handlers do not wait, so this only has to outlast a burst.
const MAILBOX: usize = 65_536;
/// How often figures are told and leftovers are swept.
const SWEEP: Duration = Duration::from_secs(1);

/// How groups and sockets are told what happens.
#[derive(Debug, Clone, Copy)]
pub struct RegistryOptions {
    /// Between pings; only told to clients.
    pub ping_interval: Duration,
    /// How many who come or go in a moment are named; more are counted.
    pub presence_members: usize,
    /// Pieces of an answer that come within this time after one that was told are told together at its end; zero: each at once.
    pub delta_window: Duration,
}

/// The actor.
pub struct GroupRegistry {
    roster: Arc<Roster>,
    reader: GapReader,
    metrics: Metrics,
    options: RegistryOptions,
    factory: Option<SessionFactory>,
    sessions: HashMap<SessionId, Running>,
    lives: u64,
    restarts: Restarts,
    /// Boxed: half of a tree's places are empty.
    groups: BTreeMap<GroupName, Box<Group>>,
    /// Groups that the sweep looks at: those without members, and those whose logs have something to be asked.
    unsettled: BTreeSet<GroupName>,
    draining: Option<Draining>,
    _exit: ExitGuard,
}

impl GroupRegistry {
    /// A registry without sessions; it opens none before [`RegistryHandle::install`].
    pub fn new(roster: Arc<Roster>, metrics: Metrics, options: RegistryOptions, exit: ExitGuard) -> Self {
        Self {
            roster,
            reader: GapReader::default(),
            metrics,
            options,
            factory: None,
            sessions: HashMap::new(),
            lives: 0,
            restarts: Restarts::default(),
            groups: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            draining: None,
            _exit: exit,
        }
    }

    fn group(&mut self, name: &GroupName) -> &mut Group {
        self.groups.entry(name.clone()).or_insert_with(|| {
            self.unsettled.insert(name.clone());
            Box::default()
        })
    }

    /// Forgets a group that is of no use any more; one that has still to be looked after is looked at by the sweep.
    fn settle(&mut self, name: &GroupName) {
        let Some(group) = self.groups.get(name) else {
            self.unsettled.remove(name);
            return;
        };
        let has_members = self.roster.has_members(name);
        if !has_members && group.is_idle() {
            self.groups.remove(name);
            self.unsettled.remove(name);
        } else if !has_members || group.sequence.has_questions() {
            if !self.unsettled.contains(name) {
                self.unsettled.insert(name.clone());
            }
        } else {
            self.unsettled.remove(name);
        }
    }

    fn sweep(&mut self, ctx: &mut Context<Self>) {
        let now = Instant::now();
        self.restarts.sweep(now);
        let count = self.roster.count();
        self.metrics.sockets.set(count.sockets as i64);
        self.metrics.sessions.set(count.sessions as i64);
        self.metrics.groups.set(count.groups as i64);
        for name in self.unsettled.clone() {
            self.deliver(&name, Due::default(), ctx);
        }
    }
}

impl Actor for GroupRegistry {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(SWEEP, Self::sweep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Epoch, NodeId, UserId};
    use crate::protocol::LogHead;
    use crate::store::LogState;

    #[test]
    fn the_sweep_looks_at_groups_that_nobody_is_in_or_whose_logs_are_to_be_asked_and_at_no_others() {
        let roster = Arc::new(Roster::new(NodeId::from("n"), None));
        let options = RegistryOptions {
            ping_interval: Duration::from_secs(25),
            presence_members: 100,
            delta_window: Duration::ZERO,
        };
        let exit = ExitGuard::new(|_| {});
        let mut registry = GroupRegistry::new(roster.clone(), Metrics::new(), options, exit);
        let (session, name) = (SessionId::parse("s").expect("legal"), GroupName::parse("g").expect("legal"));
        registry.group(&name).prepare();
        assert!(registry.unsettled.contains(&name), "nobody is in it yet");
        roster.enter(&session, &UserId::guest(&session), &name);
        registry.settle(&name);
        assert!(registry.unsettled.is_empty(), "it has a member");
        let head = LogHead { epoch: Epoch::from("e"), seq: 6 };
        registry.group(&name).sequence.opened(&LogState { head, first: 1, began: 0 });
        registry.group(&name).sequence.reached(7);
        registry.settle(&name);
        assert!(registry.unsettled.contains(&name), "its log reaches further than was delivered");
        registry.groups.remove(&name);
        registry.group(&name);
        registry.settle(&name);
        assert!(registry.unsettled.is_empty());
        roster.leave(&session, &name);
        registry.settle(&name);
        assert!(registry.unsettled.contains(&name), "nobody is in it any more");
    }
}
