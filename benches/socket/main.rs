//! What the sockets cost, beside a bare epoll program in the same run: each program on one core, this process (the load and the
//! AI backend) on the other; over loopback, texts of 120 bytes, medians of several turns in which the programs follow each other.
//!
//! `cargo bench --bench socket` prints the whole table; `cargo bench --bench socket -- chat tokens --turns 1` two columns of it.
//! `SOPHIE_BEFORE=/path/to/another/sophie` measures that program too, `--peers` the other servers that `make bench-broker` installs,
//! and `--write` rewrites `docs/performance.md` with what was measured and draws its curves. Needs taskset, two cores, and 11,000 open files. Read the ratios: machines differ, and they are noisy.

mod clients;
mod clock;
mod columns;
mod curves;
mod dialect;
mod epoll;
mod frame;
mod load;
mod page;
mod peers;
mod plot;
mod process;
mod program;
mod sockets;
mod table;
mod tokens;

use std::process::{Command, Stdio};

use crate::curves::CURVES;
use crate::program::Program;
use crate::table::{Results, asked_for};
use crate::tokens::Sent;

/// The core of the load.
const OURS: &str = "1";
const TURNS: usize = 3;

/// What the command line asks for.
struct Asked {
    columns: Vec<String>,
    turns: usize,
    peers: bool,
    write: bool,
}

impl Asked {
    fn of(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut asked = Self { columns: Vec::new(), turns: TURNS, peers: false, write: false };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => {}
                "--peers" => asked.peers = true,
                "--write" => asked.write = true,
                "--turns" => {
                    asked.turns = arguments.next().and_then(|it| it.parse().ok()).expect("--turns NUMBER");
                }
                _ => asked.columns.push(argument),
            }
        }
        asked
    }
}

fn programs(backend: u16) -> Vec<Program> {
    let mut programs = vec![Program::epoll(), Program::sophie("Sophie", env!("CARGO_BIN_EXE_sophie"), backend)];
    if let Ok(before) = std::env::var("SOPHIE_BEFORE") {
        programs.push(Program::sophie("Sophie before", &before, backend));
    }
    programs
}

fn measure(programs: &[Program], asked: &Asked, sent: &Sent) -> Results {
    let mut results = Results { programs: programs.iter().map(|program| program.name).collect(), columns: Vec::new() };
    for column in asked_for(&asked.columns) {
        let mut figures = vec![Vec::new(); programs.len()];
        for turn in 1..=asked.turns {
            for (program, figures) in programs.iter().zip(&mut figures) {
                let figure = column.measure(program, sent);
                eprintln!("{} {turn}/{}, {}: {figure:?}", column.name, asked.turns, program.name);
                figures.push(figure);
            }
        }
        results.columns.push((column, figures));
    }
    results
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, port, ..] = arguments.as_slice()
        && command == "epoll"
    {
        return epoll::serve(port.parse().expect("a port"));
    }
    // `cargo test --benches` runs this without work to do.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let own = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-pc", OURS, &own]).stdout(Stdio::null()).status();
    assert!(pinned.is_ok_and(|status| status.success()), "taskset, and two cores");
    rlimit::increase_nofile_limit(u64::MAX).expect("open files");
    let asked = Asked::of(arguments.into_iter());
    let sent = Sent::new();
    let mut programs = programs(tokens::serve(sent.clone()));
    let own = programs.len();
    if asked.peers {
        programs.extend(peers::installed());
    }
    let results = measure(&programs, &asked, &sent);
    if asked.write {
        page::rewrite("machine", &page::machine(asked.turns, sockets::many()));
        page::rewrite("overview", &results.overview());
        page::rewrite("details", &results.details());
        for curve in CURVES {
            page::picture(curve.name, &curve.draw(&programs[..own], asked.turns, &sent));
        }
    }
    println!("{} sockets where they are many\n\n{}\n{}", sockets::many(), results.overview(), results.details());
}
