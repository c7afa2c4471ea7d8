//! The group registry.
//!
//! Owns: who is in which group on this node (the [`Roster`]), each group's place in its log, the text of running
//! answers, and the sessions' supervision. Receives: memberships from sessions, logged events, answers' progress, the
//! ends of sessions. Sends: frames into sockets' outboxes, gaps to the ear. Waits for nobody: every handler is
//! synchronous. Ends when: never; its end ends the process.

mod answers;
mod drain;
mod groups;
mod handle;
mod messages;
#[cfg(test)]
mod model;
mod owed;
mod payment;
mod presence;
mod restarts;
mod roster;
mod sequence;
mod standing;

use std::collections::{BTreeMap, HashMap};
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
pub use standing::Standing;

use crate::actor::{Exit, ExitGuard};
use crate::ids::{GroupName, SessionId};
use crate::metrics::Metrics;
use crate::protocol::{Close, CloseCode, Event, LogHead, SUBPROTOCOL};
use crate::socket::{Attached, Replay, SessionHandle};
use crate::store::LogState;
use drain::Draining;
use groups::Group;
use messages::*;
use owed::Budget;
use payment::pay_owed;
use restarts::Restarts;
use sequence::Question;

/// Messages that may wait for the registry. Its handlers do not wait, so this only has to outlast a burst.
const MAILBOX: usize = 65_536;
/// How often sockets are looked after and leftovers are swept.
const SWEEP: Duration = Duration::from_secs(1);

struct Running {
    actor: SessionHandle,
    life: u64,
}

/// The actor.
pub struct GroupRegistry {
    roster: Arc<Roster>,
    ear: Recipient<FillGap>,
    metrics: Metrics,
    ping_interval: Duration,
    /// How many who come or go in a moment are named.
    presence_members: usize,
    factory: Option<SessionFactory>,
    sessions: HashMap<SessionId, Running>,
    lives: u64,
    restarts: Restarts,
    groups: BTreeMap<GroupName, Group>,
    draining: Option<Draining>,
    _exit: ExitGuard,
}

impl GroupRegistry {
    /// A registry without sessions; it opens none before [`Install`]. `ping_interval` is only told to clients; of those who come
    /// or go in one moment so many are named, more are counted.
    pub fn new(
        roster: Arc<Roster>,
        ear: Recipient<FillGap>,
        metrics: Metrics,
        ping_interval: Duration,
        presence_members: usize,
        exit: ExitGuard,
    ) -> Self {
        Self {
            roster,
            ear,
            metrics,
            ping_interval,
            presence_members,
            factory: None,
            sessions: HashMap::new(),
            lives: 0,
            restarts: Restarts::default(),
            groups: BTreeMap::new(),
            draining: None,
            _exit: exit,
        }
    }

    fn group(&mut self, name: &GroupName) -> &mut Group {
        self.groups.entry(name.clone()).or_default()
    }

    fn start_session(
        &mut self,
        session: &SessionId,
        sockets: Vec<Attached>,
        groups: Option<Vec<GroupName>>,
    ) -> Option<SessionHandle> {
        let factory = self.factory.as_ref()?;
        self.lives += 1;
        let life = self.lives;
        let actor = factory(Seed { session: session.clone(), life, sockets, groups });
        self.sessions.insert(session.clone(), Running { actor: actor.clone(), life });
        Some(actor)
    }

    fn forget_session(&mut self, session: &SessionId, close: Option<CloseCode>) {
        let (sockets, groups) = self.roster.remove(session);
        if let Some(code) = close {
            sockets.iter().for_each(|socket| socket.handle.close(code));
        }
        groups.iter().for_each(|group| self.forget_group_if_empty(group));
    }

    /// Answers a `group.join` with where the log stands, and says what must be replayed to its socket.
    fn acknowledge(&mut self, joining: Joining, name: &GroupName, state: &LogState) -> Option<Replay> {
        let Joining { reply, socket, resume } = joining;
        let (epoch, seq) = self.group(name).sequence.at()?;
        let replay =
            resume.and_then(|(since, seen)| groups::replay(name, (epoch, seq), Some(state.first), since, &seen));
        reply.joined(epoch, seq, replay.is_some());
        // What was withheld from a client that now turns out not to need what it missed, or cannot have it, is still owed.
        let owed = socket.take_withheld(name).filter(|owed| owed.epoch == *epoch);
        let replay = replay.or(owed).filter(|replay| replay.after < seq);
        match replay {
            Some(_) => socket.begin_replay(name),
            None => socket.end_replay(name),
        }
        replay
    }

    fn forget_group_if_empty(&mut self, name: &GroupName) {
        if !self.roster.has_members(name) && self.groups.get(name).is_some_and(Group::is_idle) {
            self.groups.remove(name);
        }
    }

    /// Delivers what is due and asks the ear for what is missing.
    fn deliver(&mut self, name: &GroupName, due: sequence::Due, ctx: &mut Context<Self>) {
        if let Some((epoch, seq)) = due.reset {
            log::warn!("log reset group={name} epoch={epoch} seq={seq}");
            self.metrics.log_resets.inc();
            let frame = Event::LogReset { group: name, epoch: &epoch, seq }.encode();
            self.roster.for_each_socket(name, None, |socket| {
                socket.end_replay(name);
                socket.push(frame.clone());
            });
        }
        if !due.events.is_empty() {
            self.tell_changes(name);
        }
        for event in due.events {
            let frame = event.frame();
            if let Some(answer) = groups::ended(&event) {
                self.pay_rest(name, &answer);
                self.group(name).answers.end(&answer);
            }
            self.roster.for_each_socket(name, None, |socket| {
                socket.push_logged(name, event.seq, frame.clone());
            });
            self.metrics.delivered.inc();
        }
        if let Some(delay) = self.group(name).wants_filling() {
            let name = name.clone();
            ctx.run_later(delay, move |registry, ctx| registry.ask_for_gap(name, ctx));
        }
        self.forget_group_if_empty(name);
    }

    fn ask_for_gap(&mut self, name: GroupName, ctx: &mut Context<Self>) {
        let Some(group) = self.groups.get_mut(&name) else { return };
        match group.sequence.ask() {
            Some(question) => {
                let gap = match question {
                    Question::After(after) => {
                        self.metrics.gaps.inc();
                        Gap::Log(after)
                    }
                    Question::Is(head) => Gap::Life(head),
                };
                if self.ear.try_send(FillGap { group: name, gap, reply_to: ctx.address().into() }).is_err() {
                    // Asked again when the next event shows the same gap, or by the sweep.
                    group.filling_failed();
                }
            }
            None => group.filling_ended(),
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
        let names: Vec<_> = self.groups.keys().cloned().collect();
        for name in names {
            self.deliver(&name, sequence::Due::default(), ctx);
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

impl Handler<Install> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Install(factory): Install, _: &mut Context<Self>) {
        self.factory = Some(factory);
    }
}

impl Handler<Open> for GroupRegistry {
    type Result = Result<SessionHandle, Close>;

    fn handle(&mut self, Open(session): Open, _: &mut Context<Self>) -> Self::Result {
        if self.draining.is_some() {
            return Err(CloseCode::Draining.into());
        }
        if !self.restarts.allow(&session, Instant::now()) {
            return Err(CloseCode::KeptFailing.into());
        }
        match self.sessions.get(&session) {
            // One that has just ended is not replaced here: how it ended is on its way, and decides what happens to
            // its sockets. Who asked finds it gone and asks again, behind that news.
            Some(running) => Ok(running.actor.clone()),
            None => self.start_session(&session, Vec::new(), None).ok_or(CloseCode::Overloaded.into()),
        }
    }
}

impl Handler<Attach> for GroupRegistry {
    type Result = Option<Replay>;

    fn handle(&mut self, attach: Attach, ctx: &mut Context<Self>) -> Option<Replay> {
        let Attach { session, socket, resume, state } = attach;
        if self.draining.is_some() {
            socket.handle.close(CloseCode::Draining);
            return None;
        }
        let home = session.home();
        // The client's word counts for the log as it is, not as it was when this node last heard of it.
        let first = state.as_ref().map(|state| state.first);
        if let Some(state) = state
            && let Some(known) = self.groups.get_mut(&home)
            && known.sequence.at().is_some()
        {
            let due = known.sequence.opened(&state);
            self.deliver(&home, due, ctx);
        }
        let groups = self.roster.groups_of(&session);
        let Some((epoch, seq)) = self.groups.get(&home).and_then(|group| group.sequence.at()) else {
            // The session has not entered its home group: it is being rebuilt.
            socket.handle.close(CloseCode::Restarted);
            return None;
        };
        let replay = resume.as_ref().and_then(|(since, seen)| groups::replay(&home, (epoch, seq), first, *since, seen));
        let (mut answers, mut budget, mut owed) = (Vec::new(), Budget::new(), Vec::new());
        let mut logs = BTreeMap::new();
        for name in &groups {
            let Some(group) = self.groups.get(name) else { continue };
            answers.extend(owed::shown(name, &group.answers, &mut budget, &mut owed));
            if let Some((epoch, seq)) = group.sequence.at() {
                logs.insert(name, LogHead { epoch: epoch.clone(), seq });
            }
        }
        let node = self.roster.node();
        let ready = Event::Ready {
            session: &session,
            user: socket.access.user(),
            node: &node,
            epoch,
            seq,
            recovered: replay.is_some(),
            groups: std::iter::once(&home).chain(groups.iter().filter(|group| **group != home)).collect(),
            logs,
            answers,
            ping_interval_ms: millis(self.ping_interval),
            expires_in_ms: socket.access.expires_in().map(millis),
            protocol: SUBPROTOCOL,
        };
        socket.handle.push(ready.encode());
        pay_owed(ctx.address().into(), socket.handle.clone(), owed);
        if resume.is_some() {
            // The client comes back, and says by `group.join` where it left its other groups: nothing newer may come before.
            for name in groups.iter().filter(|name| **name != home) {
                if let Some((epoch, seq)) = self.groups.get(name).and_then(|group| group.sequence.at()) {
                    socket.handle.withhold(Replay { group: name.clone(), epoch: epoch.clone(), after: seq });
                }
            }
        }
        let replay = replay.filter(|replay| replay.after < seq);
        if replay.is_some() {
            socket.handle.begin_replay(&home);
        }
        self.roster.attach(&session, socket);
        replay
    }
}

impl Handler<Detach> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Detach { session, socket }: Detach, _: &mut Context<Self>) {
        self.roster.detach(&session, socket);
    }
}

impl Handler<Refreshed> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Refreshed { session, socket, access }: Refreshed, _: &mut Context<Self>) {
        self.roster.refresh(&session, socket, access);
    }
}

impl Handler<Prepare> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Prepare(groups): Prepare, _: &mut Context<Self>) {
        groups.iter().for_each(|name| self.group(name).prepare());
    }
}

impl Handler<SessionEnded> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, ended: SessionEnded, _: &mut Context<Self>) {
        let SessionEnded { session, life, exit } = ended;
        if self.sessions.get(&session).is_none_or(|running| running.life != life) {
            return;
        }
        self.sessions.remove(&session);
        if exit == Exit::Stopped {
            self.forget_session(&session, None);
        } else if self.restarts.failed(&session, Instant::now()) {
            log::error!("session failed, restarting session={session}");
            self.metrics.session_restarts.inc();
            let groups = self.roster.groups_of(&session);
            let seed = groups.contains(&session.home()).then_some(groups);
            self.start_session(&session, self.roster.sockets(&session), seed);
        } else {
            log::error!(
                "session kept failing, ended session={session} restarts={MAX_RESTARTS} within_seconds={}",
                WINDOW.as_secs()
            );
            self.forget_session(&session, Some(CloseCode::KeptFailing));
        }
    }
}

impl Handler<Disconnect> for GroupRegistry {
    type Result = usize;

    fn handle(&mut self, Disconnect { session, close, before }: Disconnect, _: &mut Context<Self>) -> usize {
        let sockets = self.roster.sockets(&session).into_iter();
        let meant = sockets.filter(|socket| before.is_none_or(|before| socket.since_ms <= before));
        meant.map(|socket| socket.handle.close(close)).count()
    }
}

impl Handler<Drain> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Drain { within }: Drain, ctx: &mut Context<Self>) {
        let sockets = self.roster.all_sockets();
        log::info!("draining sockets={} seconds={}", sockets.len(), within.as_secs());
        self.draining = Some(Draining::new(sockets, within));
        self.drain_step();
        ctx.run_interval(drain::STEP, |registry, _| registry.drain_step());
    }
}

impl GroupRegistry {
    fn drain_step(&mut self) {
        let Some(mut draining) = self.draining.take() else { return };
        let busy = |session: &SessionId| {
            let groups = self.roster.groups_of(session);
            groups.iter().any(|name| self.groups.get(name).is_some_and(|group| !group.answers.is_empty()))
        };
        draining.step(busy);
        self.draining = Some(draining);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
