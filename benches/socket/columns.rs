//! The columns of the table: what is measured, under which name it is asked for, and what its figures mean.

use crate::load::{self, Cost, Pace, Shape};
use crate::program::Program;
use crate::sockets;
use crate::tokens::Sent;

/// A column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// As the command line has it.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) kind: Kind,
}

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Processor time a delivery, told as a multiple of epoll's.
    Load(Shape),
    Room,
    Idle,
    Connect {
        joins: bool,
    },
}

/// What one turn of a column gave.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Figure {
    Cost(Cost),
    /// Whatever the title says.
    Plain([f64; 2]),
    /// The program did not do it.
    None,
}

/// Text of a message, in bytes.
pub(crate) const BYTES: usize = 120;

pub(crate) const fn shape(groups: usize, members: usize, pace: Pace) -> Shape {
    Shape { groups, members, pace, bytes: BYTES, idle: 0 }
}

const fn of_load(name: &'static str, title: &'static str, shape: Shape) -> Column {
    Column { name, title, kind: Kind::Load(shape) }
}

/// All of them, in the order of the table.
pub(crate) const COLUMNS: [Column; 10] = [
    of_load("group", "1 group × 1,000, 32 in flight", shape(1, 1_000, Pace::InFlight(32))),
    of_load("single", "1 in flight", shape(1, 1_000, Pace::InFlight(1))),
    of_load("paced", "50 msg/s × 1,000", shape(1, 1_000, Pace::PerSecond(50.0))),
    of_load("many", "1,000 groups × 1, 32 in flight", shape(1_000, 1, Pace::InFlight(32))),
    of_load("chat", "chat 200 × 5, 1,000 msg/s", shape(200, 5, Pace::PerSecond(1_000.0))),
    of_load("tokens", "tokens 500/s × 200", shape(1, 200, Pace::Tokens)),
    Column { name: "room", title: "bytes a socket", kind: Kind::Room },
    Column { name: "idle", title: "idle, % of a core", kind: Kind::Idle },
    Column { name: "connect", title: "connect, µs", kind: Kind::Connect { joins: false } },
    Column { name: "join", title: "connect and join 1 of 100 groups, µs", kind: Kind::Connect { joins: true } },
];

impl Column {
    /// Measures a program once.
    pub(crate) fn measure(&self, program: &Program, sent: &Sent) -> Figure {
        let measured = || match self.kind {
            Kind::Load(shape) => Figure::Cost(load::measure(program, shape, sent)),
            Kind::Room => Figure::Plain(sockets::room(program)),
            Kind::Idle => Figure::Plain([sockets::idle(program), f64::NAN]),
            Kind::Connect { joins } => Figure::Plain([sockets::connect(program, joins), f64::NAN]),
        };
        // One program that breaks does not end the others' run; why it did has been printed.
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(measured)).unwrap_or(Figure::None)
    }
}
