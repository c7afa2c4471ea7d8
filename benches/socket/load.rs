//! Messages or tokens to many members, and what one delivery costs the program.

use std::time::Duration;

use crate::clients::Clients;
use crate::clock::{SECOND, now};
use crate::dialect::{Said, Sophie, text, token};
use crate::process::Usage;
use crate::program::Program;
use crate::tokens::{self, Sent};

/// Before anything is counted.
const WARM: u64 = SECOND / 2;
/// In which it is counted.
const COUNTED: u64 = 5 * SECOND / 2;
/// A delivery that takes longer is lost.
const LOST: u64 = 10 * SECOND;

/// What is said, to whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) groups: usize,
    /// Members of each group.
    pub(crate) members: usize,
    pub(crate) pace: Pace,
    /// Bytes of a message's text.
    pub(crate) bytes: usize,
    /// Sockets beside that hear nothing.
    pub(crate) idle: usize,
}

/// How fast.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// Messages that may be on their way to their last member. Senders take turns.
    InFlight(usize),
    /// Messages a second in all, at random times.
    PerSecond(f64),
    /// An answer's tokens, as fast as the backend has them.
    Tokens,
}

/// What it cost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// Microseconds of the program's processor time a delivery.
    pub(crate) cpu: f64,
    /// Of it in the program itself, not in the kernel: a share.
    pub(crate) user: f64,
    /// Milliseconds from the sender to a member.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Deliveries a second.
    pub(crate) rate: f64,
    /// How much of the time the program's core was busy with it: a share.
    pub(crate) busy: f64,
}

impl Cost {
    /// Of a program that did not do it.
    pub(crate) const UNKNOWN: Self =
        Self { cpu: f64::NAN, user: f64::NAN, p50: f64::NAN, p99: f64::NAN, rate: f64::NAN, busy: f64::NAN };
}

/// What was heard.
#[derive(Default)]
struct Heard {
    deliveries: u64,
    last: u64,
    latencies: Option<Vec<f64>>,
}

impl Heard {
    fn note(&mut self, said: &Said, sent: &Sent) {
        let now = now();
        match said {
            Said::Message(begun) => self.took(*begun, now),
            // Each token of a delta has waited for as long as it did itself.
            Said::Tokens(first, count) => (*first..first + count).for_each(|number| self.took(sent.at(number), now)),
            Said::Ready | Said::Other => {}
        }
    }

    fn took(&mut self, begun: u64, now: u64) {
        self.deliveries += 1;
        self.last = now;
        if let Some(latencies) = &mut self.latencies {
            latencies.push(now.saturating_sub(begun) as f64 / 1e6);
        }
    }
}

/// What the next message is.
struct Speaker {
    shape: Shape,
    sent: u64,
    due: u64,
    random: u64,
}

impl Speaker {
    /// Says what is due; returns until when the load may sleep.
    fn speak(&mut self, clients: &mut Clients<'_>, heard: u64, tokens: Option<&Sent>) -> u64 {
        loop {
            let now = now();
            match self.shape.pace {
                Pace::InFlight(most) if self.sent < heard / self.shape.members as u64 + most as u64 => {}
                Pace::InFlight(_) => return now + SECOND / 10,
                Pace::PerSecond(_) | Pace::Tokens if now < self.due => return self.due,
                Pace::PerSecond(rate) => self.due += self.interval(rate),
                Pace::Tokens if tokens.is_some() && self.sent < tokens::COUNT as u64 => {
                    self.due += SECOND / tokens::RATE
                }
                Pace::Tokens => return now + SECOND / 10,
            }
            let number = self.sent as usize;
            self.sent += 1;
            if let (Pace::Tokens, Some(sent)) = (self.shape.pace, tokens) {
                sent.note(number);
                let said = clients.dialect().message(number, 0, &token(number));
                clients.send(0, &said);
                continue;
            }
            // A prime step, so that neighbours in time are none in the order of connecting.
            let client = number * 7_919 % (self.shape.groups * self.shape.members);
            let said = clients.dialect().message(number, client % self.shape.groups, &text(now, self.shape.bytes));
            clients.send(client, &said);
        }
    }

    /// Nanoseconds to the next message, as if many people spoke who do not know of each other.
    fn interval(&mut self, rate: f64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let uniform = ((self.random >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
        (-uniform.ln() / rate * SECOND as f64) as u64
    }
}

/// Measures one program once.
pub(crate) fn measure(program: &Program, shape: Shape, sent: &Sent) -> Cost {
    let running = program.start();
    let mut clients = Clients::of(&*program.dialect, running.port);
    clients.open(shape.groups * shape.members, |client| Some(client % shape.groups));
    clients.open(shape.idle, |_| None);
    clients.rest(Duration::from_millis(600));
    let usage = running.usage();
    let spoken = (!program.answers).then_some(sent);
    if matches!(shape.pace, Pace::Tokens) && program.answers {
        clients.send(0, &Sophie::question(0));
    }
    let began = now();
    let mut speaker = Speaker { shape, sent: 0, due: began, random: 1 };
    let mut heard = Heard { last: began, ..Heard::default() };
    run(&mut clients, &mut speaker, &mut heard, spoken, sent, began + WARM);
    let (before, deliveries, counted_from) = (usage.cpu(), heard.deliveries, now());
    heard.latencies = Some(Vec::new());
    run(&mut clients, &mut speaker, &mut heard, spoken, sent, counted_from + COUNTED);
    cost(&usage, before, heard.deliveries - deliveries, now() - counted_from, heard.latencies.unwrap_or_default())
}

fn run(
    clients: &mut Clients<'_>,
    speaker: &mut Speaker,
    heard: &mut Heard,
    spoken: Option<&Sent>,
    sent: &Sent,
    until: u64,
) {
    loop {
        let wake = speaker.speak(clients, heard.deliveries, spoken).min(until);
        let now = now();
        if now >= until {
            return;
        }
        assert!(now < heard.last + LOST, "nothing is delivered any more");
        // The kernel counts whole milliseconds here: the last one is waited for awake.
        let wait = Duration::from_millis((wake.saturating_sub(now)) / 1_000_000);
        clients.turn(wait, |said| heard.note(&said, sent));
    }
}

fn cost(usage: &Usage, before: crate::process::Cpu, deliveries: u64, ns: u64, mut latencies: Vec<f64>) -> Cost {
    let after = usage.cpu();
    latencies.sort_by(f64::total_cmp);
    let percentile = |share: f64| latencies.get((latencies.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN);
    let (user, system) = (after.user - before.user, after.system - before.system);
    let cpu = after.ns - before.ns;
    Cost {
        cpu: cpu / 1e3 / deliveries as f64,
        user: user / (user + system),
        p50: percentile(0.5),
        p99: percentile(0.99),
        rate: deliveries as f64 * 1e9 / ns as f64,
        busy: cpu / ns as f64,
    }
}
