//! What sockets cost that say nothing: memory, descriptors, processor time while idle, and their opening.

use std::time::Duration;

use crate::clients::Clients;
use crate::clock::{SECOND, now};
use crate::program::Program;

/// Groups that sessions join.
const GROUPS: usize = 100;
/// Of idleness: two rounds of the default pings.
const IDLE: u64 = 50 * SECOND;
/// How long until what a connect began has settled.
const SETTLED: Duration = Duration::from_secs(2);

/// How many sockets: ten thousand, or as many as the open files allow.
pub(crate) fn many() -> usize {
    let (_, most) = rlimit::getrlimit(rlimit::Resource::NOFILE).expect("a limit");
    usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(1_000).min(10_000)
}

/// Bytes in memory and descriptors a socket.
pub(crate) fn room(program: &Program) -> [f64; 2] {
    let running = program.start();
    let mut clients = Clients::of(&*program.dialect, running.port);
    clients.open(100, |_| None);
    clients.rest(SETTLED);
    let usage = running.usage();
    let before = [usage.memory(), usage.descriptors()];
    clients.open(many(), |_| None);
    clients.rest(SETTLED);
    let after = [usage.memory(), usage.descriptors()];
    [0, 1].map(|at| (after[at] - before[at]) / many() as f64)
}

/// The share of a core, in percent, that many idle sockets cost.
pub(crate) fn idle(program: &Program) -> f64 {
    let running = program.start();
    let mut clients = Clients::of(&*program.dialect, running.port);
    clients.open(many(), |_| None);
    clients.rest(SETTLED);
    let usage = running.usage();
    let (before, began) = (usage.cpu().ns, now());
    while now() < began + IDLE {
        clients.turn(Duration::from_millis(100), |_| {});
    }
    (usage.cpu().ns - before) * 100.0 / (now() - began) as f64
}

/// Microseconds of processor time a connect: alone, or with one join each so that groups grow large.
pub(crate) fn connect(program: &Program, joins: bool) -> f64 {
    let running = program.start();
    let mut clients = Clients::of(&*program.dialect, running.port);
    clients.open(100, |_| None);
    clients.rest(SETTLED);
    let usage = running.usage();
    let before = usage.cpu().ns;
    clients.open(many(), |client| joins.then_some(client % GROUPS));
    clients.rest(SETTLED);
    (usage.cpu().ns - before) / 1e3 / many() as f64
}
