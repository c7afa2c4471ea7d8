//! Who comes and goes. In a burst that is told for a moment at a time: each change costs every socket of the group a frame,
//! and one guest who joins and leaves may not cost hundreds of others thousands of frames.

use actix::prelude::*;
use tokio::time::Instant;

use super::GroupRegistry;
use super::presence_changes::Change;
use crate::ids::{GroupName, SessionId, UserId};
use crate::protocol::{Event, Who};
use crate::registry::messages::{Counted, EndGroup, Enter, Entered, Gap, Leave};
use crate::socket::Replay;
use crate::store::Spread;

fn frame(group: &GroupName, session: &SessionId, user: &UserId, came: bool) -> bytestring::ByteString {
    match came {
        true => Event::Joined { group, session, user }.encode(),
        false => Event::Left { group, session, user }.encode(),
    }
}

impl GroupRegistry {
    /// Tells the members that a session came, or went: it is one of them already, or no more. Its own sockets hear of that at once.
    fn tell_change(
        &mut self,
        group: &GroupName,
        session: &SessionId,
        user: &UserId,
        came: bool,
        ctx: &mut Context<Self>,
    ) {
        let is_alone = !self.roster.has_others(group, session);
        let change = self.group(group).presence.changed(session, user, came, is_alone);
        let changed = frame(group, session, user, came);
        match change {
            Change::Now => {
                if !came {
                    self.tell_itself(session, &changed);
                }
                self.roster.for_each_socket(group, None, |socket| _ = socket.push(changed.clone()));
            }
            Change::Undone => {
                if !came {
                    self.tell_itself(session, &frame(group, session, user, true));
                }
                self.tell_itself(session, &changed);
            }
            Change::Later => {
                if !came {
                    self.tell_itself(session, &changed);
                }
                self.tell_later(group, ctx);
            }
        }
    }

    fn tell_itself(&self, session: &SessionId, frame: &bytestring::ByteString) {
        self.roster.sockets(session).iter().for_each(|socket| _ = socket.handle.push(frame.clone()));
    }

    fn tell_later(&mut self, group: &GroupName, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.group(group).presence.is_waiting, true) {
            return;
        }
        let (group, moment) = (group.clone(), self.group(group).presence.moment());
        ctx.run_later(moment, move |registry, _| {
            // Who has come is counted now; the answer tells the changes.
            if !registry.reader.ask(group.clone(), Gap::Members) {
                registry.moment_over(&group, None);
            }
        });
    }

    fn moment_over(&mut self, group: &GroupName, spread: Option<Spread>) {
        if let Some(state) = self.groups.get_mut(group) {
            state.presence.end_moment();
            state.presence.spread = spread.unwrap_or(state.presence.spread);
            self.tell_changes(group);
            self.settle(group);
        }
    }

    /// Tells what waits. Logged events do not overtake it: who speaks is known to have come.
    pub(super) fn tell_changes(&mut self, group: &GroupName) {
        let Some(state) = self.groups.get_mut(group).filter(|state| !state.presence.is_told()) else { return };
        state.presence.told_at = Some(Instant::now());
        let changes = std::mem::take(&mut state.presence.changes);
        let (here, spread) = (self.roster.member_count(group), state.presence.spread);
        let total = if spread.other_nodes == 0 { here } else { spread.members.max(here) };
        for came in [true, false] {
            let of_kind: Vec<(&SessionId, &UserId)> =
                changes.iter().filter(|(_, (_, it))| *it == came).map(|(session, (user, _))| (session, user)).collect();
            let (count, is_named) = (of_kind.len(), of_kind.len() <= self.options.presence_members);
            let told = match of_kind.as_slice() {
                [] => continue,
                [(session, user)] => frame(group, session, user, came),
                many => {
                    let members = is_named.then(|| many.iter().map(|(session, user)| Who { session, user }).collect());
                    let count = (!is_named).then_some(count);
                    match came {
                        true => Event::JoinedMany { group, members, count, total }.encode(),
                        false => Event::LeftMany { group, members, count, total }.encode(),
                    }
                }
            };
            self.roster.for_each_socket(group, None, |socket| _ = socket.push(told.clone()));
            if came && count > 1 && !is_named {
                // The other sockets of who came would not learn of it.
                of_kind
                    .iter()
                    .for_each(|(session, user)| self.tell_itself(session, &frame(group, session, user, true)));
            }
        }
    }
}

impl Handler<Enter> for GroupRegistry {
    type Result = Option<Replay>;

    fn handle(&mut self, enter: Enter, ctx: &mut Context<Self>) -> Option<Replay> {
        let Enter { session, user, groups, answers, announce, elsewhere, mut joining } = enter;
        if elsewhere && self.roster.user_of(&session).is_none() {
            return None;
        }
        let mut due_replay = None;
        for (name, state) in groups {
            if !self.roster.has_members(&name) {
                // Nobody followed, so an end may be missed or passed over. What the store did not list has ended by where the
                // log stands, or has begun since: the store is asked.
                for answer in self.group(&name).answers.forget_unknown_to(&answers) {
                    self.group(&name).windows.end(&answer);
                    self.ask_for_answer(name.clone(), answer);
                }
            }
            let due = self.group(&name).sequence.opened(&state);
            self.deliver(&name, due, ctx);
            self.show_all_waiting(&name);
            // Another thread may carry the reply to the client at once: who is told of having joined is a member.
            let came = self.roster.enter(&session, &user, &name);
            if let Some(joining) = joining.take() {
                due_replay = self.acknowledge(joining, &name, &state);
            }
            if came {
                if announce {
                    self.tell_change(&name, &session, &user, true, ctx);
                }
                self.show_running(&session, &name, &ctx.address().into());
            }
        }
        answers.into_iter().for_each(|record| self.learn(record));
        due_replay
    }
}

impl Handler<Entered> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Entered { session, user, group }: Entered, ctx: &mut Context<Self>) {
        if self.roster.has_members(&group) {
            self.tell_change(&group, &session, &user, true, ctx);
        }
    }
}

impl Handler<Leave> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Leave { session, user, group }: Leave, ctx: &mut Context<Self>) {
        let has_members = self.roster.has_members(&group);
        self.roster.sockets(&session).iter().for_each(|socket| socket.handle.end_replay(&group));
        // Who is told of having left is no member: else a join that comes at once would be taken for one of a member, whose rights
        // nobody asks for.
        self.roster.leave(&session, &group);
        if has_members {
            self.tell_change(&group, &session, &user, false, ctx);
        }
        self.settle(&group);
    }
}

impl Handler<Counted> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Counted { group, spread }: Counted, _: &mut Context<Self>) {
        self.moment_over(&group, spread);
    }
}

impl Handler<EndGroup> for GroupRegistry {
    type Result = MessageResult<EndGroup>;

    fn handle(&mut self, EndGroup { group, before }: EndGroup, _: &mut Context<Self>) -> Self::Result {
        // A session cannot be put out of its own home group; its log begins anew.
        let home = group.home_of();
        let mut expelled = Vec::new();
        for (session, user, since_ms) in self.roster.everyone(&group) {
            if Some(&session) == home.as_ref() || before.is_some_and(|before| since_ms > before) {
                continue;
            }
            // Each is told of itself, and who stays of all together: not everybody of everybody.
            self.roster.leave(&session, &group);
            self.tell_itself(&session, &frame(&group, &session, &user, false));
            self.group(&group).presence.changes.insert(session.clone(), (user, false));
            expelled.push(session);
        }
        self.tell_changes(&group);
        self.settle(&group);
        MessageResult(expelled)
    }
}
