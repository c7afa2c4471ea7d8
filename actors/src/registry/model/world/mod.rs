//! Two nodes, a client and a store: every step that one of them can take, and what must hold when all have come to rest.

mod answer;
mod client;
mod node;
mod step;

pub(super) use self::answer::{AnswerBudget, AnswerStep, Answering, Mended};
use self::client::Client;
use self::node::{Answer, Doubt, Node};
pub(super) use self::step::{Budget, Step};
use super::Model;
use super::store::{Published, Store};
use crate::ids::AnswerId;
use crate::registry::sequence::LogQuestion;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct World {
    store: Store,
    nodes: [Node; 2],
    client: Client,
    left: Budget,
    said: u8,
}

fn answer() -> AnswerId {
    AnswerId::from("a")
}

impl World {
    /// Both nodes are in the group, and the client follows it at the first.
    pub(super) fn new(is_mended: bool, budget: Budget) -> Self {
        let mut world = Self {
            store: Store::new(is_mended),
            nodes: [0, 1].map(|id| Node { id, ..Node::default() }),
            client: Client::default(),
            left: budget,
            said: 0,
        };
        world.rest().expect("nothing has happened");
        world
    }

    fn publish(&mut self, published: &Published) {
        for node in self.nodes.iter_mut().filter(|node| node.hears) {
            node.inbox.push_back(published.clone());
        }
    }

    fn deafen(&mut self, n: usize) {
        self.nodes[n].hears = false;
        self.nodes[n].inbox.clear();
    }

    fn ask(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        let answer = if std::mem::take(&mut node.must_look) {
            let state = self.store.open(&mut node.known);
            Answer::Opened(state, self.store.is_running())
        } else {
            match node.sequence.ask() {
                Some(LogQuestion::After(after)) => {
                    let (epoch, events) = self.store.read_after(&mut node.known, after);
                    Answer::Filled(epoch, events)
                }
                Some(LogQuestion::Is(head)) => Answer::Confirmed(self.store.confirm(&mut node.known, &head)),
                None => return,
            }
        };
        node.late.push_back(answer);
    }

    /// Lets everything that is on its way arrive, and everybody do what they do each second.
    fn settle(&mut self, is_first: bool) -> Result<(), String> {
        if !is_first {
            // Leases outlast a few heartbeats.
            self.store.bury(&self.nodes.each_ref().map(|node| node.id));
        }
        for n in 0..self.nodes.len() {
            if !self.nodes[n].hears {
                self.step(Step::HearAgain(n))?;
            }
            self.step(Step::Beat(n))?;
        }
        for _ in 0..8 {
            for n in 0..self.nodes.len() {
                while !self.nodes[n].replies.is_empty() {
                    self.step(Step::Acknowledge(n))?;
                }
                while !self.nodes[n].delivering.is_empty() {
                    self.step(Step::Deliver(n))?;
                }
                while !self.nodes[n].inbox.is_empty() {
                    self.step(Step::Hear(n))?;
                }
                self.ask(n);
                while !self.nodes[n].late.is_empty() {
                    self.step(Step::Take(n))?;
                }
            }
        }
        Ok(())
    }

    /// What must hold when nothing is under way.
    fn look(&mut self) -> Result<(), String> {
        if self.client.at.is_none() {
            self.come_back(0)?;
        }
        let (epoch, events) = self.store.logged();
        for (n, node) in self.nodes.iter().enumerate() {
            let at = node.sequence.at().map(|(epoch, seq)| (epoch.clone(), seq));
            if at != Some((epoch.clone(), events.len() as u64)) {
                return Err(format!("node {n} stands at {at:?}, the log at {epoch} {}", events.len()));
            }
        }
        if self.client.place != Some((epoch, events.len() as u64)) || !events.ends_with(&self.client.shown) {
            return Err(format!(
                "the client was shown {:?} up to {:?}, the log holds {events:?}",
                self.client.shown, self.client.place
            ));
        }
        Ok(())
    }
}

impl Model for World {
    type Step = Step;

    fn steps(&self) -> Vec<Step> {
        self.all_steps()
    }

    fn take(&mut self, step: Step) -> Result<(), String> {
        self.step(step)
    }

    fn rest(&mut self) -> Result<(), String> {
        for round in 0..3 {
            self.settle(round == 0)?;
        }
        self.look()
    }
}
