//! What was measured, as tables in Markdown.

use std::fmt::Write;

use crate::columns::{COLUMNS, Column, Figure, Kind};
use crate::load::Cost;

/// Everything that was measured: for each column and program the figures of its turns.
pub(crate) struct Results {
    pub(crate) programs: Vec<&'static str>,
    pub(crate) columns: Vec<(Column, Vec<Vec<Figure>>)>,
}

/// The middle of what was measured.
pub(crate) fn median(of: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = of.into_iter().filter(|figure| figure.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn costs(turns: &[Figure]) -> impl Iterator<Item = Cost> {
    turns.iter().filter_map(|figure| match figure {
        Figure::Cost(cost) => Some(*cost),
        Figure::Plain(_) => None,
        Figure::None => Some(Cost::UNKNOWN),
    })
}

fn plain(turns: &[Figure], which: usize) -> f64 {
    median(turns.iter().filter_map(|figure| match figure {
        Figure::Plain(figures) => Some(figures[which]),
        Figure::Cost(_) | Figure::None => None,
    }))
}

/// A number as a cell has it; what is missing is a dash.
fn cell(number: f64, digits: usize) -> String {
    if !number.is_finite() {
        return "–".to_owned();
    }
    let text = format!("{number:.digits$}");
    let (whole, rest) =
        text.split_once('.').map_or((text.as_str(), String::new()), |(it, rest)| (it, format!(".{rest}")));
    let grouped: Vec<_> = whole.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    grouped.join(",").replace("-,", "-") + &rest
}

fn row(into: &mut String, cells: impl IntoIterator<Item = String>) {
    _ = writeln!(into, "| {} |", cells.into_iter().collect::<Vec<_>>().join(" | "));
}

impl Results {
    /// The first table: costs as multiples of epoll's in the same turn, and what sockets take.
    pub(crate) fn overview(&self) -> String {
        let mut text = String::new();
        let mut titles = vec!["× epoll".to_owned()];
        for (column, _) in &self.columns {
            titles.push(column.title.to_owned());
            if matches!(column.kind, Kind::Room) {
                titles.push("descriptors a socket".to_owned());
            }
        }
        let dashes = titles.iter().map(|_| "---".to_owned()).collect::<Vec<_>>();
        row(&mut text, titles);
        row(&mut text, dashes);
        for (at, program) in self.programs.iter().enumerate() {
            let mut cells = vec![(*program).to_owned()];
            for (column, figures) in &self.columns {
                match column.kind {
                    Kind::Load(_) => {
                        let ratios = costs(&figures[at]).zip(costs(&figures[0])).map(|(it, epoll)| it.cpu / epoll.cpu);
                        cells.push(cell(median(ratios), 2));
                    }
                    Kind::Room => cells.extend([cell(plain(&figures[at], 0), 0), cell(plain(&figures[at], 1), 2)]),
                    Kind::Idle => cells.push(cell(plain(&figures[at], 0), 2)),
                    Kind::Connect { .. } => cells.push(cell(plain(&figures[at], 0), 0)),
                }
            }
            row(&mut text, cells);
        }
        text
    }

    /// The second: each load in full.
    pub(crate) fn details(&self) -> String {
        let mut text = String::new();
        if !self.columns.iter().any(|(column, _)| matches!(column.kind, Kind::Load(_))) {
            return text;
        }
        let titles =
            ["", "program", "µs a delivery", "in the program", "p50 ms", "p99 ms", "deliveries/s", "core busy"];
        row(&mut text, titles.map(str::to_owned));
        row(&mut text, titles.map(|_| "---".to_owned()));
        for (column, figures) in &self.columns {
            if !matches!(column.kind, Kind::Load(_)) {
                continue;
            }
            for (program, turns) in self.programs.iter().zip(figures) {
                let of = |figure: fn(Cost) -> f64| median(costs(turns).map(figure));
                row(
                    &mut text,
                    [
                        column.title.to_owned(),
                        (*program).to_owned(),
                        cell(of(|it| it.cpu), 2),
                        cell(of(|it| it.user * 100.0), 0) + " %",
                        cell(of(|it| it.p50), 2),
                        cell(of(|it| it.p99), 2),
                        cell(of(|it| it.rate), 0),
                        cell(of(|it| it.busy * 100.0), 0) + " %",
                    ],
                );
            }
        }
        text
    }
}

/// The columns that are asked for by name; all of them if none is.
pub(crate) fn asked_for(names: &[String]) -> Vec<Column> {
    let known = |name: &String| COLUMNS.iter().any(|column| column.name == name.as_str());
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        panic!("no column {unknown}: there are {:?}", COLUMNS.map(|column| column.name));
    }
    COLUMNS.into_iter().filter(|column| names.is_empty() || names.iter().any(|name| name == column.name)).collect()
}
