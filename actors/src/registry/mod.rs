//! The group registry.
//!
//! Owns: who is in which group on this node (the [`Roster`]), each group's place in its log, the text of running
//! answers, and the sessions' supervision. Receives: memberships from sessions, logged events, answers' progress, the
//! ends of sessions. Sends: frames into sockets' outboxes, gaps to the ear. Waits for nobody: every handler is
//! synchronous. Ends when: never; its end ends the process.

mod answers;
mod attach;
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
#[cfg(test)]
mod properties;
mod restarts;
mod roster;
mod sequence;
mod sessions;
mod shown;
mod states;

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
pub use roster::{Count, Roster};
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
/// How often sockets are looked after and leftovers are swept.
const SWEEP: Duration = Duration::from_secs(1);

/// The actor.
pub struct GroupRegistry {
    roster: Arc<Roster>,
    reader: GapReader,
    metrics: Metrics,
    ping_interval: Duration,
    /// How many who come or go in a moment are named.
    presence_members: usize,
    factory: Option<SessionFactory>,
    sessions: HashMap<SessionId, Running>,
    lives: u64,
    restarts: Restarts,
    groups: BTreeMap<GroupName, Group>,
    /// Groups that the sweep looks at: those without members, and those whose logs have something to be asked.
    unsettled: BTreeSet<GroupName>,
    draining: Option<Draining>,
    _exit: ExitGuard,
}

impl GroupRegistry {
    /// A registry without sessions; it opens none before [`RegistryHandle::install`]. `ping_interval` is only told to clients; of those who come
    /// or go in one moment so many are named, more are counted.
    pub fn new(
        roster: Arc<Roster>,
        metrics: Metrics,
        ping_interval: Duration,
        presence_members: usize,
        exit: ExitGuard,
    ) -> Self {
        Self {
            roster,
            reader: GapReader::default(),
            metrics,
            ping_interval,
            presence_members,
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
            Group::default()
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
        let sockets = self.roster.all_sockets();
        for (session, socket) in &sockets {
            socket.sweep();
            if socket.is_gone() {
                self.roster.detach(session, socket.id());
            }
        }
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
