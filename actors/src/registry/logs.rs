//! What arrives of the groups' logs, and its delivery in their order.

use actix::prelude::*;

use super::GroupRegistry;
use super::messages::*;
use super::sequence::{Due, LogQuestion, Sequence};
use crate::ids::{AnswerId, GroupName};
use crate::protocol::{Event, Logged};
use crate::repeated::{Line, Repeated};
use crate::store::StoredEvent;

/// A store that comes back empty resets every group.
static RESET: Repeated = Repeated::of(module_path!(), log::Level::Warn);

impl GroupRegistry {
    /// Delivers what is due and asks the ear for what is missing.
    pub(super) fn deliver(&mut self, name: &GroupName, due: Due, ctx: &mut Context<Self>) {
        if let Some((epoch, seq)) = due.reset {
            RESET.log("log", || {
                let line = Line::of("log_reset", "a group's log began anew, some or all of what it held is gone");
                line.with("group", name).with("epoch", &epoch).with_number("seq", seq)
            });
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
            if let Some(answer) = ended(&event) {
                self.show_rest(name, &answer);
                self.pay_rest(name, &answer);
                self.group(name).end_answer(&answer);
            }
            self.roster.for_each_socket(name, None, |socket| {
                socket.push_logged(name, event.seq, frame.clone());
            });
            self.metrics.delivered.inc();
        }
        if let Some(delay) = self.group(name).wants_filling() {
            let name = name.clone();
            ctx.run_later(delay, move |registry, _| registry.ask_for_gap(name));
        }
        self.settle(name);
    }

    /// What was asked about a log has been read, or could not be; delivers what follows from it.
    fn log_read<T>(
        &mut self,
        name: &GroupName,
        read: Option<T>,
        apply: impl FnOnce(&mut Sequence, T) -> Due,
        ctx: &mut Context<Self>,
    ) {
        let Some(group) = self.groups.get_mut(name) else { return };
        let due = match read {
            Some(read) => {
                group.filling_ended();
                apply(&mut group.sequence, read)
            }
            None => {
                group.filling_failed();
                Due::default()
            }
        };
        self.deliver(name, due, ctx);
    }

    fn ask_for_gap(&mut self, name: GroupName) {
        let Some(group) = self.groups.get_mut(&name) else { return };
        match group.sequence.ask() {
            Some(question) => {
                let gap = match question {
                    LogQuestion::After(after) => {
                        self.metrics.gaps.inc();
                        Gap::Log(after)
                    }
                    LogQuestion::Is(head) => Gap::Life(head),
                };
                if !self.reader.ask(name, gap) {
                    // Asked again when the next event shows the same gap, or by the sweep.
                    group.filling_failed();
                }
            }
            None => group.filling_ended(),
        }
    }
}

/// The answer that ends with an event. Messages are the many: only ends are parsed.
fn ended(event: &StoredEvent) -> Option<AnswerId> {
    let logged = event.body.starts_with("{\"type\":\"answer.").then(|| serde_json::from_str::<Logged>(&event.body));
    logged?.ok()?.ended_answer().cloned()
}

impl Handler<Deliver> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Deliver { group, epoch, event }: Deliver, ctx: &mut Context<Self>) {
        if let Some(state) = self.groups.get_mut(&group) {
            let due = state.sequence.arrived(&epoch, event);
            self.deliver(&group, due, ctx);
        }
    }
}

impl Handler<Reached> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Reached { group, seq }: Reached, ctx: &mut Context<Self>) {
        if let Some(state) = self.groups.get_mut(&group) {
            state.sequence.reached(seq);
            self.deliver(&group, Due::default(), ctx);
        }
    }
}

impl Handler<LoggedHere> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, LoggedHere { group, epoch, seq }: LoggedHere, ctx: &mut Context<Self>) {
        if let Some(state) = self.groups.get_mut(&group) {
            state.sequence.reached_in(&epoch, seq);
            self.deliver(&group, Due::default(), ctx);
        }
    }
}

impl Handler<Confirmed> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Confirmed { group, state }: Confirmed, ctx: &mut Context<Self>) {
        self.log_read(&group, state, |sequence, state| sequence.confirmed(&state), ctx);
    }
}

impl Handler<Filled> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Filled { group, page }: Filled, ctx: &mut Context<Self>) {
        self.log_read(&group, page, |sequence, (epoch, events)| sequence.filled(&epoch, events), ctx);
    }
}

impl Handler<Resynced> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Resynced { logs, answers }: Resynced, ctx: &mut Context<Self>) {
        let node = self.roster.node();
        for (group, state) in logs {
            if let Some(known) = self.groups.get_mut(&group) {
                let due = known.sequence.opened(&state);
                let lost = known.answers.lost(&answers, &group, &node);
                self.deliver(&group, due, ctx);
                self.look_for(group, lost);
            }
        }
        answers.into_iter().for_each(|record| self.learn(record));
    }
}

impl Handler<ReadBy> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, ReadBy(ear): ReadBy, _: &mut Context<Self>) {
        self.reader = GapReader(Some(ear));
    }
}
