//! A socket comes, or its client joins a group: what it is told at first, and what it missed.

use std::collections::BTreeMap;
use std::time::Duration;

use actix::prelude::*;

use super::attendance::standing;
use super::messages::{Attach, Joining, Prepare};
use super::owed::{self, Budget};
use super::payment::pay_owed;
use super::{GroupRegistry, group};
use crate::ids::GroupName;
use crate::protocol::{CloseCode, Event, SUBPROTOCOL};
use crate::socket::Replay;
use crate::store::LogState;

impl GroupRegistry {
    /// Answers a `group.join` with where the log stands, and says what must be replayed to its socket.
    pub(super) fn acknowledge(&mut self, joining: Joining, name: &GroupName, state: &LogState) -> Option<Replay> {
        let Joining { reply, socket, resume } = joining;
        let known = self.group(name);
        let (epoch, seq) = known.sequence.at()?;
        let replay =
            resume.and_then(|(since, seen)| group::replay(name, (epoch, seq), Some(state.first), since, &seen));
        let is_recovered = replay.is_some();
        reply.joined(&standing((epoch, seq), &known.attendance), is_recovered);
        // What was withheld from a client that now turns out not to need what it missed, or cannot have it, is still owed.
        let withheld = socket.take_withheld(name);
        let begins = is_recovered || withheld.is_some();
        let owed = withheld.filter(|owed| owed.epoch == *epoch);
        let replay = replay.or(owed).filter(|replay| replay.after < seq);
        match &replay {
            Some(replay) => socket.begin_replay(name, replay.after),
            None if begins => socket.end_replay(name),
            // It goes on from what has come already, of which this node may not have heard yet.
            None => {}
        }
        replay
    }
}

impl Handler<Prepare> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Prepare(groups): Prepare, _: &mut Context<Self>) {
        groups.iter().for_each(|name| self.group(name).prepare());
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
        groups.iter().for_each(|name| self.show_all_waiting(name));
        let Some((epoch, seq)) = self.groups.get(&home).and_then(|group| group.sequence.at()) else {
            // The session has not entered its home group: it is being rebuilt.
            socket.handle.close(CloseCode::Restarted);
            return None;
        };
        let replay = resume.as_ref().and_then(|(since, seen)| group::replay(&home, (epoch, seq), first, *since, seen));
        let (mut answers, mut budget, mut owed) = (Vec::new(), Budget::new(), Vec::new());
        let mut logs = BTreeMap::new();
        for name in &groups {
            let Some(group) = self.groups.get(name) else { continue };
            answers.extend(owed::shown(name, &group.answers, &mut budget, &mut owed));
            if let Some((epoch, seq)) = group.sequence.at() {
                logs.insert(name, standing((epoch, seq), &group.attendance));
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
            ping_interval_ms: millis(self.options.ping_interval),
            expires_in_ms: socket.access.expires_in().map(millis),
            protocol: SUBPROTOCOL,
        };
        let ready = ready.encode();
        // Another thread may carry it to the client at once: who is told of being ready is there.
        self.roster.attach(&session, socket.clone());
        socket.handle.push(ready);
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
        if let Some(replay) = &replay {
            socket.handle.begin_replay(&home, replay.after);
        }
        if socket.handle.is_gone() {
            // The news of it may have come before this.
            self.roster.detach(&session, socket.handle.id());
        }
        replay
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
