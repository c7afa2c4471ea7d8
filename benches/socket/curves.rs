//! How the cost of a delivery grows with members, groups, sessions and message size.

use crate::columns::{BYTES, shape};
use crate::load::{Pace, Shape, measure};
use crate::plot::{Line, Plot};
use crate::program::Program;
use crate::table::median;
use crate::tokens::Sent;

/// A curve: the load at each of its points.
pub(crate) struct Curve {
    /// Of its picture.
    pub(crate) name: &'static str,
    title: &'static str,
    across: &'static str,
    points: &'static [usize],
    at: fn(usize) -> Shape,
}

pub(crate) const CURVES: [Curve; 4] = [
    Curve {
        name: "members",
        title: "One group, 1 message in flight",
        across: "members of the group",
        points: &[1, 10, 100, 1_000, 5_000],
        at: |members| shape(1, members, Pace::InFlight(1)),
    },
    Curve {
        name: "groups",
        title: "Groups of 5, 1,000 messages a second in all",
        across: "groups",
        points: &[1, 10, 100, 1_000],
        at: |groups| shape(groups, 5, Pace::PerSecond(1_000.0)),
    },
    Curve {
        name: "sessions",
        title: "200 groups of 5, 1,000 messages a second, beside idle sessions",
        across: "idle sessions beside (1: none)",
        points: &[0, 1_000, 3_000, 9_000],
        at: |idle| Shape { idle, ..shape(200, 5, Pace::PerSecond(1_000.0)) },
    },
    Curve {
        name: "bytes",
        title: "One group of 100, 1 message in flight",
        across: "bytes of a message's text",
        points: &[20, BYTES, 1_000, 4_000, 15_000],
        at: |bytes| Shape { bytes, ..shape(1, 100, Pace::InFlight(1)) },
    },
];

impl Curve {
    /// Measures each program at each point, in turns.
    pub(crate) fn draw(&self, programs: &[Program], turns: usize, sent: &Sent) -> String {
        let mut lines: Vec<Line> =
            programs.iter().map(|program| Line { name: program.name, points: Vec::new() }).collect();
        for point in self.points {
            let mut costs = vec![Vec::new(); programs.len()];
            for _ in 0..turns {
                for (program, costs) in programs.iter().zip(&mut costs) {
                    costs.push(measure(program, (self.at)(*point), sent).cpu);
                }
            }
            for (line, costs) in lines.iter_mut().zip(costs) {
                let cost = median(costs);
                eprintln!("{} {point}, {}: {cost:.2} µs", self.name, line.name);
                line.points.push((*point as f64, cost));
            }
        }
        Plot { title: self.title, across: self.across, up: "µs of CPU a delivery", lines }.svg()
    }
}
