//! An answer that the first node owes: what its writer, its store and those who end what nobody writes can do, each call of
//! the store a step of its own.

use super::super::Model;
use super::super::store::{END, ERROR, End, Published, Store, is_end};
use super::{Budget, Doubt, Node, Step, World, answer};
use crate::ids::MessageId;
use crate::protocol::CacheStatus;
use crate::store::{AnswerStart, Renewed};

/// What the others hear of a start.
pub(super) const START: u8 = 90;

/// How far the writer is (`answers/group_answer.rs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    Asked,
    Begun,
    Writing,
    Ending,
    Ended,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Writer {
    phase: Phase,
    /// It knows that the store knows of the answer; else a renewal begins with a look into the log.
    is_noted: bool,
    /// The store does not know the answer: it asks the log whether it has ended, and then notes it again.
    restoring: Doubt,
}

/// Which of the product's steps are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in super::super) struct Mended {
    /// An end looks whether the answer has ended before.
    pub(in super::super) ends_once: bool,
    /// Who shows an answer of which the store knows nothing has it owed.
    pub(in super::super) owes: bool,
}

impl Default for Mended {
    fn default() -> Self {
        Self { ends_once: true, owes: true }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in super::super) struct AnswerBudget {
    pub(in super::super) log: Budget,
    /// Calls of the writer of which it does not hear what came.
    pub(in super::super) late: u8,
    /// Leases that run out.
    pub(in super::super) lapses: u8,
    pub(in super::super) forgets: u8,
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum AnswerStep {
    /// One of the steps of the log.
    Log(Step),
    /// The writer makes its next call.
    Write,
    /// The same, and the reply is lost.
    WriteLate,
    /// The writer has all of the text.
    Finish,
    /// Nobody has renewed the lease in time.
    Lapse,
    /// The store no longer knows that the answer has ended.
    Forget,
    /// A node looks for an answer that nobody writes.
    Find(usize),
    /// A node that has found one makes its next call.
    Interrupt(usize),
    /// A node that shows an answer of which the store knows nothing makes its next call.
    Settle(usize),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in super::super) struct Answering {
    world: World,
    writer: Option<Writer>,
    /// Whether each node has found that nobody writes the answer, and whether clients have heard of its start.
    found: [Option<bool>; 2],
    mended: Mended,
    left: AnswerBudget,
}

impl Node {
    pub(super) fn show_start(&mut self) {
        let start = AnswerStart { model: "m".into(), cache: CacheStatus::Miss };
        self.answers.start(&answer(), &MessageId::from("m"), &start);
    }

    /// The log has the answer's end there, whether it is still to be delivered or was passed over with a log that began anew.
    fn over(&mut self, seq: u64) {
        self.sequence.reached(seq);
        if self.sequence.at().is_some_and(|(_, at)| at >= seq) {
            self.answers.end(&answer());
        }
    }

    /// Whether the answer is being written, as the store said with where the log stands.
    pub(super) fn learn(&mut self, running: Option<bool>) {
        match running {
            Some(true) => self.show_start(),
            Some(false) if !self.answers.is_empty() => self.doubt = Doubt::Look,
            _ => {}
        }
    }
}

impl Answering {
    /// The question was acknowledged, and everybody has seen it.
    pub(in super::super) fn new(mended: Mended, budget: AnswerBudget) -> Self {
        let mut world = World::new(true, budget.log);
        world.store.ends_once = mended.ends_once;
        let asked = world.store.ask(0, world.nodes[0].id, &world.nodes[0].known, 1);
        world.publish(&asked);
        world.nodes[0].replies.push_back(asked);
        world.rest().expect("nothing has happened");
        let writer = Writer { phase: Phase::Asked, is_noted: false, restoring: Doubt::None };
        Self { world, writer: Some(writer), found: [None; 2], mended, left: budget }
    }

    fn start(&mut self, n: usize) {
        self.world.nodes[n].show_start();
        if self.world.store.start() {
            let told = Published { by: n, life: 0, count: 0, epoch: 0, seq: 0, message: START };
            self.world.publish(&told);
        }
    }

    /// A node ends the answer. Whether the store knew of it.
    fn end(&mut self, n: usize, message: u8, is_late: bool) -> bool {
        let node = &self.world.nodes[n];
        let ended = self.world.store.end(n, &node.known, message);
        if let End::Now(published) = &ended {
            self.world.publish(published);
        }
        let node = &mut self.world.nodes[n];
        match ended {
            _ if is_late => true,
            End::Now(published) => {
                Store::replied(&mut node.known, &published);
                node.delivering.push_back(published);
                true
            }
            End::Before(seq) => {
                node.over(seq);
                true
            }
            End::Unknown => false,
        }
    }

    /// The writer makes its next call; of one that is late it does not hear what came of it.
    fn write(&mut self, is_late: bool) {
        let Some(mut writer) = self.writer.take() else { return };
        let node = self.world.nodes[0].id;
        match (writer.restoring, writer.phase) {
            (Doubt::Look, _) => {
                writer.restoring = Doubt::None;
                if !is_late {
                    match self.world.store.look(&mut self.world.nodes[0].known) {
                        Some(seq) => {
                            self.world.nodes[0].over(seq);
                            writer.phase = Phase::Ended;
                        }
                        None => writer.restoring = Doubt::Owe,
                    }
                }
            }
            (Doubt::Owe, phase) => {
                writer.restoring = Doubt::None;
                let begun = self.world.store.begin(node);
                if !is_late {
                    match begun {
                        true if phase != Phase::Begun => self.start(0),
                        true => {}
                        false => writer.phase = Phase::Ended,
                    }
                    writer.is_noted = begun;
                }
            }
            (_, Phase::Asked) => {
                let begun = self.world.store.begin(node);
                writer.is_noted = begun && !is_late;
                writer.phase = if begun || is_late { Phase::Begun } else { Phase::Ended };
            }
            (_, Phase::Begun) => {
                self.start(0);
                writer.phase = Phase::Writing;
            }
            (_, Phase::Writing) if !writer.is_noted => writer.restoring = Doubt::Look,
            (_, Phase::Writing) => match self.world.store.renew() {
                _ if is_late => {}
                Renewed::Held => {}
                // It ends what has ended: the answer is told so.
                Renewed::Ended => writer.phase = Phase::Ending,
                Renewed::Unknown => writer.restoring = Doubt::Look,
            },
            (_, Phase::Ending) => {
                let known = self.end(0, END, is_late);
                match known {
                    _ if is_late => {}
                    true => writer.phase = Phase::Ended,
                    false => writer.restoring = Doubt::Look,
                }
            }
            (_, Phase::Ended) => {}
        }
        self.writer = (writer.phase != Phase::Ended).then_some(writer);
    }

    /// A node that has found that nobody writes the answer ends it (`answers/orphans.rs`).
    fn interrupt(&mut self, n: usize) {
        match self.found[n] {
            Some(false) => {
                self.start(n);
                self.found[n] = Some(true);
            }
            Some(true) => {
                if !self.end(n, ERROR, false) {
                    self.world.nodes[n].doubt = Doubt::Look;
                }
                self.found[n] = None;
            }
            None => {}
        }
    }

    /// A node that shows an answer of which the store knows nothing looks into the log, and has it owed.
    fn settle(&mut self, n: usize) {
        let node = &mut self.world.nodes[n];
        match std::mem::take(&mut node.doubt) {
            Doubt::Look => match self.world.store.look(&mut node.known) {
                Some(seq) => node.over(seq),
                None => node.doubt = Doubt::Owe,
            },
            Doubt::Owe => {
                if !self.world.store.owe(node.id) {
                    node.answers.end(&answer());
                }
            }
            Doubt::None => {}
        }
    }

    /// Ten minutes do not pass between two calls of anybody.
    fn may_forget(&self) -> bool {
        let writes = self.writer.as_ref().is_some_and(|writer| writer.restoring == Doubt::Owe);
        let owes = self.world.nodes.iter().any(|node| node.doubt == Doubt::Owe);
        self.world.store.has_ended() && !writes && !owes && self.found == [None; 2]
    }

    fn is_written_at(&self, n: usize) -> bool {
        n == 0 && self.writer.is_some()
    }
}

impl Model for Answering {
    type Step = AnswerStep;

    fn steps(&self) -> Vec<AnswerStep> {
        let mut steps: Vec<_> = self.world.all_steps().into_iter().map(AnswerStep::Log).collect();
        if let Some(writer) = &self.writer {
            steps.push(AnswerStep::Write);
            if self.left.late > 0 {
                steps.push(AnswerStep::WriteLate);
            }
            if writer.phase == Phase::Writing && writer.restoring == Doubt::None {
                steps.push(AnswerStep::Finish);
            }
        }
        if self.left.lapses > 0 && self.world.store.may_lapse() {
            steps.push(AnswerStep::Lapse);
        }
        if self.left.forgets > 0 && self.may_forget() {
            steps.push(AnswerStep::Forget);
        }
        for n in 0..2 {
            match self.found[n] {
                None if !self.is_written_at(n) => steps.push(AnswerStep::Find(n)),
                None => {}
                Some(_) => steps.push(AnswerStep::Interrupt(n)),
            }
            if self.mended.owes && self.world.nodes[n].doubt != Doubt::None {
                steps.push(AnswerStep::Settle(n));
            }
        }
        steps
    }

    fn take(&mut self, step: AnswerStep) -> Result<(), String> {
        match step {
            AnswerStep::Log(step) => {
                self.world.step(step)?;
                if let Step::Die(n) = step {
                    self.found[n] = None;
                    self.writer = self.writer.take().filter(|_| n != 0);
                }
            }
            AnswerStep::Write => self.write(false),
            AnswerStep::WriteLate => {
                self.left.late -= 1;
                self.write(true);
            }
            AnswerStep::Finish => {
                if let Some(writer) = &mut self.writer {
                    writer.phase = Phase::Ending;
                }
            }
            AnswerStep::Lapse => {
                self.left.lapses -= 1;
                self.world.store.lapse();
            }
            AnswerStep::Forget => {
                self.left.forgets -= 1;
                self.world.store.forget();
                // Who begins as late as that looks into the log first.
                if let Some(writer) = self.writer.as_mut().filter(|writer| writer.phase == Phase::Asked) {
                    (writer.phase, writer.restoring) = (Phase::Begun, Doubt::Look);
                }
            }
            AnswerStep::Find(n) => self.found[n] = self.world.store.orphan(),
            AnswerStep::Interrupt(n) => self.interrupt(n),
            AnswerStep::Settle(n) => self.settle(n),
        }
        Ok(())
    }

    fn rest(&mut self) -> Result<(), String> {
        for round in 0..4 {
            self.world.settle(round == 0)?;
            for n in 0..2 {
                while self.mended.owes && self.world.nodes[n].doubt != Doubt::None {
                    self.settle(n);
                }
            }
            for _ in 0..8 {
                self.write(false);
                if self.writer.as_ref().is_some_and(|it| it.phase == Phase::Writing && it.restoring == Doubt::None) {
                    self.take(AnswerStep::Finish)?;
                }
            }
            self.world.store.lapse();
            for n in 0..2 {
                if self.found[n].is_none() && !self.is_written_at(n) {
                    self.take(AnswerStep::Find(n))?;
                }
                while self.found[n].is_some() {
                    self.interrupt(n);
                }
            }
        }
        self.world.settle(false)?;
        self.world.look()?;
        let (_, events) = self.world.store.logged();
        let ends = events.iter().filter(|message| is_end(&message.to_string())).count();
        if ends > 1 || (ends == 0 && events.contains(&1)) {
            return Err(format!("the log has {ends} ends of the answer: {events:?}"));
        }
        match self.world.nodes.iter().position(|node| !node.answers.is_empty()) {
            Some(n) => Err(format!("node {n} shows the answer as being written for ever, the log holds {events:?}")),
            None => Ok(()),
        }
    }
}
