//! Every step that can be taken, when, and what it does.

use super::super::store::{Store, epoch, event};
use super::node::{Answer, Node};
use super::{World, answer};
use crate::registry::sequence::Due;

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Step {
    /// A node appends a message.
    Say(usize),
    /// A node reads the acknowledgement of its append.
    Acknowledge(usize),
    /// A node's registry is given what was acknowledged.
    Deliver(usize),
    /// A node reads what was published.
    Hear(usize),
    /// A node's subscription is cut: what was on its way is lost.
    Deafen(usize),
    /// A node has subscribed again.
    HearAgain(usize),
    /// A node asks the log what it has to ask.
    Ask(usize),
    /// A node gets an answer.
    Take(usize),
    /// A node tells the store what it knows of it.
    Beat(usize),
    /// A node dies, and another begins in its place.
    Die(usize),
    /// The client goes.
    Leave,
    /// The client comes back, to a node.
    Return(usize),
    /// The store saves its data.
    Save,
    /// The store is killed and comes back with what was saved.
    GoBack,
}

/// How often what is rare may happen in one history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in super::super) struct Budget {
    pub(in super::super) says: u8,
    pub(in super::super) saves: u8,
    pub(in super::super) backs: u8,
    pub(in super::super) deaths: u8,
    pub(in super::super) cuts: u8,
    pub(in super::super) leaves: u8,
}

impl World {
    pub(super) fn all_steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (n, node) in self.nodes.iter().enumerate() {
            if self.left.says > 0 {
                steps.push(Step::Say(n));
            }
            if !node.replies.is_empty() {
                steps.push(Step::Acknowledge(n));
            }
            if !node.delivering.is_empty() {
                steps.push(Step::Deliver(n));
            }
            if !node.inbox.is_empty() {
                steps.push(Step::Hear(n));
            }
            match node.hears {
                true if self.left.cuts > 0 => steps.push(Step::Deafen(n)),
                true => {}
                false => steps.push(Step::HearAgain(n)),
            }
            if node.late.is_empty() && (node.must_look || node.sequence.has_questions()) {
                steps.push(Step::Ask(n));
            }
            if !node.late.is_empty() {
                steps.push(Step::Take(n));
            }
            steps.push(Step::Beat(n));
            if self.left.deaths > 0 {
                steps.push(Step::Die(n));
            }
            if self.client.at.is_none() {
                steps.push(Step::Return(n));
            }
        }
        if self.client.at.is_some() && self.left.leaves > 0 {
            steps.push(Step::Leave);
        }
        if self.left.saves > 0 {
            steps.push(Step::Save);
        }
        if self.left.backs > 0 {
            steps.push(Step::GoBack);
        }
        steps
    }

    /// Takes a step. An error says which promise it broke.
    pub(super) fn step(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Say(n) => {
                self.left.says -= 1;
                self.said += 1;
                let published = self.store.append(n, &self.nodes[n].known, self.said);
                self.publish(&published);
                self.nodes[n].replies.push_back(published);
            }
            Step::Acknowledge(n) => {
                let Some(reply) = self.nodes[n].replies.pop_front() else { return Ok(()) };
                Store::replied(&mut self.nodes[n].known, &reply);
                self.nodes[n].delivering.push_back(reply);
            }
            Step::Deliver(n) => {
                let Some(logged) = self.nodes[n].delivering.pop_front() else { return Ok(()) };
                let due = self.nodes[n].sequence.arrived(&epoch(logged.epoch), event(logged.seq, logged.message));
                self.deliver(n, due)?;
            }
            Step::Hear(n) => {
                let Some(heard) = self.nodes[n].inbox.pop_front() else { return Ok(()) };
                if heard.message == answer::START {
                    if heard.by != n {
                        self.nodes[n].show_start();
                    }
                    return Ok(());
                }
                let node = &mut self.nodes[n];
                node.known.noticed(heard.life, heard.count);
                let due = match heard.by == n {
                    true => {
                        node.sequence.reached_in(&epoch(heard.epoch), heard.seq);
                        Due::default()
                    }
                    false => node.sequence.arrived(&epoch(heard.epoch), event(heard.seq, heard.message)),
                };
                self.deliver(n, due)?;
            }
            Step::Deafen(n) => {
                self.left.cuts -= 1;
                self.deafen(n);
            }
            Step::HearAgain(n) => {
                self.nodes[n].hears = true;
                self.nodes[n].must_look = true;
            }
            Step::Ask(n) => self.ask(n),
            Step::Take(n) => {
                let Some(answer) = self.nodes[n].late.pop_front() else { return Ok(()) };
                let sequence = &mut self.nodes[n].sequence;
                let (due, running) = match answer {
                    Answer::Opened(state, is_running) => (sequence.opened(&state), Some(is_running)),
                    Answer::Confirmed(state) => (sequence.confirmed(&state), None),
                    Answer::Filled(epoch, events) => (sequence.filled(&epoch, events), None),
                };
                self.deliver(n, due)?;
                self.nodes[n].learn(running);
            }
            Step::Beat(n) => {
                let node = &mut self.nodes[n];
                self.store.claim(node.id, &mut node.known);
                let before = std::mem::replace(&mut node.beat, node.known.life);
                // A node's first beat finds no lease: it looks then too.
                node.must_look |= before != node.beat;
            }
            Step::Die(n) => {
                self.left.deaths -= 1;
                // The next one opens the group when a session enters it, as the first one did.
                let id = self.nodes.iter().map(|node| node.id).max().unwrap_or_default() + 1;
                self.nodes[n] = Node { id, ..Node::default() };
                if self.client.at == Some(n) {
                    self.client.at = None;
                }
            }
            Step::Leave => {
                self.left.leaves -= 1;
                self.client.at = None;
            }
            Step::Return(n) => self.come_back(n)?,
            Step::Save => {
                self.left.saves -= 1;
                self.store.save();
            }
            Step::GoBack => {
                self.left.backs -= 1;
                self.store.go_back();
                // Every connection is lost, and what was on its way there.
                for n in 0..self.nodes.len() {
                    self.deafen(n);
                    self.nodes[n].replies.clear();
                }
            }
        }
        Ok(())
    }
}
