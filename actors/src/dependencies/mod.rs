//! How what a node depends on is doing: one value each, which readiness shows, a gauge follows, and one log line tells of at
//! each change.
//!
//! Two things make a dependency degraded: a link of it that is away, and a call that failed. It is well again once no link
//! is away, no call failed last, and both have held for a while: what comes and goes is one change, not a hundred.

mod dependency;
mod refusals;

use std::sync::Arc;

use prometheus::{Histogram, HistogramVec, IntGaugeVec};

pub use self::dependency::{Dependency, Doing};
pub use self::refusals::{ServerRefusal, ServerRefusals};

/// Hosts of the channel layer that are told apart; those behind the last share its name.
const HOSTS: usize = 8;

/// What a node depends on. Clones share it.
#[derive(Debug, Clone)]
pub struct Dependencies {
    /// The main database: logs, sessions, groups, answers.
    pub store: Dependency,
    /// The rate limits that all nodes share.
    pub limits: Dependency,
    /// Answers at once, counted by all nodes.
    pub slots: Dependency,
    /// The response cache.
    pub cache: Dependency,
    /// The general cache, where the application's answers are kept.
    pub general: Dependency,
    /// Generations that all nodes share.
    pub flights: Dependency,
    /// Hearing the other nodes.
    pub feed: Dependency,
    /// The application that decides who comes in.
    pub hook: Dependency,
    /// The AI backends: all of them together.
    pub ai: Dependency,
    /// What servers refuse that answer.
    pub refusals: ServerRefusals,
    layer: Dependency,
    hosts: [Dependency; HOSTS],
    calls: HistogramVec,
}

impl Dependencies {
    /// All well, none in use. The gauge is 1 while one is degraded; `calls` are the times that calls to Redis take, by the database.
    pub fn new(gauge: &IntGaugeVec, calls: &HistogramVec) -> Self {
        let one = |name, mode| Dependency::new(name, mode, gauge.clone());
        let main = Arc::default();
        let of_main = |name, mode| Dependency::beside(&main, name, mode, gauge.clone());
        let host = |name| one(name, "django is neither heard nor told through this host, chat goes on");
        let [a, b, c, d, e, f, g, h] =
            ["layer-0", "layer-1", "layer-2", "layer-3", "layer-4", "layer-5", "layer-6", "layer-7"].map(host);
        Self {
            store: of_main("store", "messages are refused, answers under way go on and are logged later"),
            limits: of_main("limits", "this node's own limits apply"),
            slots: of_main("slots", "this node counts its own answers at once"),
            cache: one("cache", "every question goes to the model"),
            general: one("general", "the application is asked every time"),
            flights: of_main("flights", "each node asks the model for itself"),
            feed: of_main("feed", "what other nodes log comes late, or is read from the logs afterwards"),
            hook: one("hook", "who was let in a short while ago comes in, others come again later"),
            ai: Dependency::judged("ai", "questions fail until a backend answers one", gauge.clone()),
            refusals: ServerRefusals::default(),
            layer: host("layer"),
            hosts: [a, b, c, d, e, f, g, h],
            calls: calls.clone(),
        }
    }

    /// How long the calls to a database take.
    pub fn calls(&self, database: &str) -> Histogram {
        self.calls.with_label_values(&[database])
    }

    /// One of the channel layer's hosts, by its place among `hosts`: `layer` if it is the only one.
    pub fn layer(&self, at: usize, hosts: usize) -> &Dependency {
        if hosts == 1 { &self.layer } else { &self.hosts[at.min(HOSTS - 1)] }
    }

    /// How those that are in use are doing.
    pub fn doing(&self) -> Vec<Doing> {
        let Self { store, limits, slots, cache, general, flights, feed, hook, ai, refusals: _, layer, hosts, calls: _ } =
            self;
        let all = [store, limits, slots, cache, general, flights, feed, hook, ai, layer].into_iter().chain(hosts);
        all.filter_map(Dependency::doing).collect()
    }
}
