//! Two nodes, a client and a store: every step that one of them can take, and what must hold when all have come to rest.

mod answer;

use std::collections::VecDeque;

pub(super) use answer::{AnswerBudget, AnswerStep, Answering, Mended};

use super::super::answers::Answers;
use super::super::groups::replay;
use super::super::sequence::{Due, Question, Sequence};
use super::Model;
use super::store::{Known, Published, Store, epoch, event, is_end};
use crate::ids::{AnswerId, Epoch, GroupName};
use crate::store::{LogState, StoredEvent};

/// What a node asked the log and has not heard the answer to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Answer {
    /// Where the log stands, and whether an answer is being written.
    Opened(LogState, bool),
    Confirmed(LogState),
    Filled(Epoch, Vec<StoredEvent>),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Node {
    /// Another one at each start.
    id: u8,
    sequence: Sequence,
    known: Known,
    /// What was published and not yet read; nothing comes while it does not hear.
    inbox: VecDeque<Published>,
    hears: bool,
    /// Acknowledgements on their way from the store; a connection that is lost takes them along.
    replies: VecDeque<Published>,
    /// What was acknowledged and is on its way to the registry.
    delivering: VecDeque<Published>,
    /// Answers on their way, which may be late.
    late: VecDeque<Answer>,
    /// It has heard again, or the store lives another life, and it must look where the log stands.
    must_look: bool,
    /// The store's life at its last beat.
    beat: Option<u8>,
    /// The answers that it shows as being written.
    answers: Answers,
    doubt: Doubt,
}

/// Whether a node shows an answer of which the store knows nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
enum Doubt {
    #[default]
    None,
    /// The log is to be asked whether it has ended.
    Look,
    /// It has not, and is to be owed.
    Owe,
}

/// Who follows the group, and what it was shown since it was last told that something may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Client {
    at: Option<usize>,
    place: Option<(Epoch, u64)>,
    shown: Vec<u8>,
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
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
pub(super) struct Budget {
    pub(super) says: u8,
    pub(super) saves: u8,
    pub(super) backs: u8,
    pub(super) deaths: u8,
    pub(super) cuts: u8,
    pub(super) leaves: u8,
}

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

fn group() -> GroupName {
    GroupName::parse("g").expect("legal")
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

    fn all_steps(&self) -> Vec<Step> {
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
    fn step(&mut self, step: Step) -> Result<(), String> {
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
                Some(Question::After(after)) => {
                    let (epoch, events) = self.store.read_after(&mut node.known, after);
                    Answer::Filled(epoch, events)
                }
                Some(Question::Is(head)) => Answer::Confirmed(self.store.confirm(&mut node.known, &head)),
                None => return,
            }
        };
        node.late.push_back(answer);
    }

    /// The client attaches, as `Attach` of the registry has it, and is brought up to date.
    fn come_back(&mut self, n: usize) -> Result<(), String> {
        let state = self.store.open(&mut self.nodes[n].known);
        let due = self.nodes[n].sequence.opened(&state);
        self.deliver(n, due)?;
        let node = &mut self.nodes[n];
        let (at, seq) = node.sequence.at().map(|(epoch, seq)| (epoch.clone(), seq)).expect("opened above");
        let resumed = self
            .client
            .place
            .clone()
            .and_then(|(seen, since)| replay(&group(), (&at, seq), Some(state.first), since, &seen));
        self.client.at = Some(n);
        match resumed {
            None => {
                self.client.place = Some((at, seq));
                self.client.shown.clear();
            }
            Some(replay) => {
                let (epoch, events) = self.store.read_after(&mut node.known, replay.after);
                if epoch == replay.epoch {
                    for event in events.into_iter().filter(|event| event.seq <= seq) {
                        self.show(&event)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn deliver(&mut self, n: usize, due: Due) -> Result<(), String> {
        if due.events.iter().any(|event| is_end(&event.body)) {
            self.nodes[n].answers.end(&answer());
        }
        if self.client.at != Some(n) {
            return Ok(());
        }
        if let Some(place) = due.reset {
            self.client.place = Some(place);
            self.client.shown.clear();
        }
        due.events.iter().try_for_each(|event| self.show(event))
    }

    fn show(&mut self, event: &StoredEvent) -> Result<(), String> {
        let Some((_, seq)) = &mut self.client.place else { return Err("shown before it was told where it is".into()) };
        if event.seq != *seq + 1 {
            return Err(format!("{} follows {seq}", event.seq));
        }
        *seq = event.seq;
        self.client.shown.push(event.body.parse().expect("a message's number"));
        Ok(())
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
