//! How the cluster fared of late: points at even distances, made of what all nodes tell of themselves, for as long as this process lives.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use serde::Serialize;

use crate::ids::NodeId;
use crate::metrics::{CALLS, FIRST};
use crate::protocol::timestamp_of;
use crate::store::{NodeFigures, NodeInfo, Times};

/// How often one looks.
pub const TICK: Duration = Duration::from_secs(2);
/// A quarter of an hour, in ticks.
const FINE: Span = Span { every: 1, most: 450 };
/// A day, in points of five minutes.
const COARSE: Span = Span { every: 150, most: 288 };

#[derive(Debug, Clone, Copy)]
struct Span {
    /// Ticks from point to point.
    every: u32,
    /// Points that are kept.
    most: usize,
}

/// The 50th and the 99th percentile of durations, in milliseconds; nothing where nothing was measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// Half of them took no longer.
    pub p50: Option<f64>,
    /// All but a hundredth took no longer.
    pub p99: Option<f64>,
}

impl Percentiles {
    /// Those of a histogram of seconds with these bounds.
    pub(super) fn of(times: &Times, bounds: &[f64]) -> Self {
        let of = |share| times.quantile(share, bounds).map(|seconds| (seconds * 1e6).round() / 1e3);
        Self { p50: of(0.5), p99: of(0.99) }
    }
}

/// The cluster at one moment, and what it did since the point before.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Point {
    /// The moment; RFC 3339.
    pub at: String,
    /// Seconds since the point before.
    pub seconds: f64,
    /// Living nodes.
    pub nodes: usize,
    /// Open sockets.
    pub sockets: usize,
    /// Sessions with an actor.
    pub sessions: usize,
    /// What was counted in between.
    pub logged: u64,
    /// Answers that ended well.
    pub complete: u64,
    /// Answers that were stopped.
    pub cancelled: u64,
    /// Answers that failed.
    pub failed: u64,
    /// Questions that the cache answered.
    pub hits: u64,
    /// Questions that shared an answer under way.
    pub coalesced: u64,
    /// Questions that a backend was asked for.
    pub misses: u64,
    /// Tokens that were paid for.
    pub tokens: u64,
    /// Tokens that were saved.
    pub saved_tokens: u64,
    /// Requests that a limit refused.
    pub refused: u64,
    /// What it cost.
    pub cost: f64,
    /// From the question to the first piece of its answer.
    pub first_piece_ms: Percentiles,
    /// Appends to logs.
    pub append_ms: Percentiles,
    /// Calls to Redis.
    pub redis_ms: Percentiles,
}

/// A life of a node: its figures grow from its beginning.
type Life = (NodeId, String);

/// Points at one distance.
#[derive(Debug)]
struct Series {
    span: Span,
    points: VecDeque<Point>,
    /// What each node had counted at the last point.
    counted: HashMap<Life, NodeFigures>,
    last_ms: Option<u64>,
    ticks: u32,
}

impl Series {
    fn new(span: Span) -> Self {
        Self { span, points: VecDeque::new(), counted: HashMap::new(), last_ms: None, ticks: 0 }
    }

    /// A tick has come; whether it made a point.
    fn tick(&mut self, now_ms: u64, nodes: &[NodeInfo]) -> bool {
        self.ticks += 1;
        let first = self.last_ms.is_none();
        if !first && self.ticks < self.span.every {
            return false;
        }
        self.ticks = 0;
        let mut sum = NodeFigures::default();
        let mut counted = HashMap::with_capacity(nodes.len());
        for node in nodes {
            let life = (node.node.clone(), node.since.clone());
            match self.counted.get(&life) {
                Some(before) => sum.add(&node.figures.since(before)),
                // A node that came after this one began has counted all of it since. What was there before says nothing of when.
                None if !first => sum.add(&node.figures),
                None => {}
            }
            counted.insert(life, node.figures.clone());
        }
        let since_ms = self.last_ms.map_or(0, |last| now_ms.saturating_sub(last));
        let point = point(now_ms, Duration::from_millis(since_ms), nodes, &sum);
        self.counted = counted;
        self.last_ms = Some(now_ms);
        // From the first look nothing can be told but where the cluster stands.
        if first {
            return false;
        }
        if self.points.len() == self.span.most {
            self.points.pop_front();
        }
        self.points.push_back(point);
        true
    }
}

fn point(now_ms: u64, since: Duration, nodes: &[NodeInfo], sum: &NodeFigures) -> Point {
    let total = |of: fn(&NodeInfo) -> usize| nodes.iter().map(of).sum();
    Point {
        at: timestamp_of(now_ms),
        seconds: since.as_secs_f64(),
        nodes: nodes.len(),
        sockets: total(|node| node.sockets),
        sessions: total(|node| node.sessions),
        logged: sum.logged,
        complete: sum.complete,
        cancelled: sum.cancelled,
        failed: sum.failed,
        hits: sum.hits,
        coalesced: sum.coalesced,
        misses: sum.misses,
        tokens: sum.tokens,
        saved_tokens: sum.saved_tokens,
        refused: sum.refused,
        cost: sum.cost,
        first_piece_ms: Percentiles::of(&sum.first_piece, FIRST),
        append_ms: Percentiles::of(&sum.append, CALLS),
        redis_ms: Percentiles::of(&sum.redis, CALLS),
    }
}

/// The points of a quarter of an hour and of a day.
#[derive(Debug)]
pub struct History {
    fine: Series,
    coarse: Series,
}

impl Default for History {
    fn default() -> Self {
        Self { fine: Series::new(FINE), coarse: Series::new(COARSE) }
    }
}

impl History {
    /// Notes how the cluster is at a tick.
    pub fn tick(&mut self, now_ms: u64, nodes: &[NodeInfo]) {
        self.fine.tick(now_ms, nodes);
        self.coarse.tick(now_ms, nodes);
    }

    /// The last quarter of an hour, oldest first, a point each [`TICK`].
    pub fn quarter(&self) -> &VecDeque<Point> {
        &self.fine.points
    }

    /// The last day, oldest first, a point each five minutes.
    pub fn day(&self) -> &VecDeque<Point> {
        &self.coarse.points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, since: &str, tokens: u64) -> NodeInfo {
        let append = Times { count: tokens, buckets: vec![tokens; CALLS.len()] };
        NodeInfo {
            node: NodeId::from(name),
            version: "1".into(),
            since: since.into(),
            sockets: 10,
            sessions: 5,
            groups: 1,
            draining: false,
            mailbox_ms: std::collections::BTreeMap::new(),
            figures: NodeFigures { tokens, append, ..NodeFigures::default() },
            edge: Vec::new(),
        }
    }

    #[test]
    fn points_tell_what_all_nodes_did_in_between() {
        let mut history = History::default();
        history.tick(0, &[node("a", "1", 100)]);
        assert!(history.quarter().is_empty(), "what was before says nothing of when");
        history.tick(2_000, &[node("a", "1", 110), node("b", "2", 7)]);
        // One has begun anew under its name, the other is gone.
        history.tick(4_000, &[node("a", "3", 4)]);
        history.tick(6_000, &[]);
        let tokens: Vec<u64> = history.quarter().iter().map(|point| point.tokens).collect();
        assert_eq!(tokens, [17, 4, 0]);
        let first = &history.quarter()[0];
        assert_eq!((first.seconds, first.nodes, first.sockets, first.sessions), (2.0, 2, 20, 10));
        assert_eq!(first.append_ms.p99, Some(0.198));
        assert_eq!(history.quarter()[2].append_ms, Percentiles::default());
    }

    #[test]
    fn a_day_is_told_in_points_of_five_minutes_and_nothing_grows() {
        let mut history = History::default();
        for tick in 0..=100_000_u64 {
            history.tick(tick * 2_000, &[node("a", "1", tick)]);
        }
        assert_eq!((history.quarter().len(), history.day().len()), (450, 288));
        let day = history.day().back().expect("a point");
        assert_eq!((day.seconds, day.tokens), (300.0, 150));
    }
}
