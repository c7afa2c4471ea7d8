//! What counts as flat: after a warm-up, the median of the last third of the samples beside that of the first.

use std::collections::BTreeSet;
use std::time::Duration;

use super::VISITORS;
use super::churn::NAMES;
use super::sample::Sample;

/// The longest life of what is kept for each thing that was done: once-only ids and ends of answers are known for 600 s. A run that
/// has the time warms up for longer than that, so all that lives so long dies as fast as it comes.
const LONGEST_LIFE: Duration = Duration::from_secs(620);
/// Kinds of keys that there is one of for each thing that was done. They are bounded by what was done where a run is too short to see
/// the first of them go.
const OF_DEEDS: [&str; 8] = ["once", "answer", "recording", "chunks", "order", "flight", "database 1", "database 2"];
/// Keys of each such kind for one thing that was done, at most.
const PER_DEED: u64 = 2;
/// Kinds of which there are none without visitors.
const OF_VISITORS: [&str; 6] = ["here", "live", "members", "at", "answering", "slots"];

/// What a process may grow by from the first third to the last, in bytes. mimalloc keeps what was freed for a while and by thread:
/// runs without a leak were seen to grow by 600 KiB and to shrink by 2 MiB, of about 60. Between the thirds of a short run there are
/// some 500 visits, between those of a long one some 11,000, on two nodes: so 32 KiB that a visit leaves behind are found by the
/// first, and 2 KiB by the second.
const MEMORY: u64 = 8 * 1024 * 1024;
/// Descriptors: as many as visitors there are at once, for they come and go, and a few connections to Redis and the AI backend.
const DESCRIPTORS: u64 = VISITORS + 16;
/// Threads: those for what blocks come and go.
const THREADS: u64 = 2;

/// The first and the last third of the samples, and what was found to grow.
struct Thirds<'a> {
    first: &'a [&'a Sample],
    last: &'a [&'a Sample],
    wrong: Vec<String>,
}

impl Thirds<'_> {
    /// Whether something grew by more than `bound`, and by more than this part of what it was.
    fn look(&mut self, what: &str, bound: u64, part: f64, of: impl Fn(&Sample) -> u64) {
        let (before, after) = (median(self.first, &of), median(self.last, &of));
        let most = before + bound.max((before as f64 * part) as u64);
        println!("soak: {what}: {before} in the first third, {after} in the last, {most} at most");
        if after > most {
            self.wrong.push(format!("{what}: from {before} to {after}"));
        }
    }
}

/// What grows.
pub fn judge(samples: &[Sample], length: Duration) -> Vec<String> {
    let is_long = length >= LONGEST_LIFE * 3 / 2;
    let warm_up = if is_long { LONGEST_LIFE } else { length / 3 };
    let began = samples[0].at;
    let warm: Vec<&Sample> = samples.iter().filter(|sample| sample.at - began >= warm_up).collect();
    // In a short run not every name has been used when it begins to count.
    let more = if is_long { 2 * VISITORS } else { NAMES };
    let third = warm.len() / 3;
    assert!(third >= 3, "{} samples are too few", warm.len());
    let mut thirds = Thirds { first: &warm[..third], last: &warm[warm.len() - third..], wrong: Vec::new() };
    for (node, process) in samples[0].nodes.iter().enumerate() {
        thirds.look(&format!("node {node} bytes"), MEMORY, 0.0, |it| it.nodes[node].memory);
        thirds.look(&format!("node {node} descriptors"), DESCRIPTORS, 0.0, |it| it.nodes[node].descriptors);
        thirds.look(&format!("node {node} threads"), THREADS, 0.0, |it| it.nodes[node].threads);
        for gauge in process.gauges.keys() {
            thirds.look(&format!("node {node} {gauge}"), more, 0.2, |it| it.nodes[node].gauges[gauge]);
        }
    }
    let kinds: BTreeSet<&String> = samples.iter().flat_map(|sample| sample.keys.keys()).collect();
    for kind in kinds {
        if is_long || !OF_DEEDS.contains(&kind.as_str()) {
            thirds.look(&format!("keys of {kind}"), more, 0.1, |it| of_kind(it, kind));
        } else if let Some(many) = samples.iter().find(|it| of_kind(it, kind) > PER_DEED * it.counts.done()) {
            thirds.wrong.push(format!("keys of {kind}: {} after {:?}", of_kind(many, kind), many.counts));
        }
    }
    if is_long {
        thirds.look("bytes of Redis", 512 * 1024, 0.1, |it| it.redis_memory);
    }
    thirds.wrong
}

/// What there is of visitors when there are none.
pub fn left_behind(sample: &Sample) -> Vec<String> {
    let mut left = Vec::new();
    for (node, process) in sample.nodes.iter().enumerate() {
        let gauges = process.gauges.iter().filter(|(_, value)| **value > 0);
        left.extend(gauges.map(|(gauge, value)| format!("node {node} {gauge} {value}")));
    }
    let keys = OF_VISITORS.iter().map(|kind| (kind, of_kind(sample, kind))).filter(|(_, count)| *count > 0);
    left.extend(keys.map(|(kind, count)| format!("keys of {kind} {count}")));
    left
}

fn of_kind(sample: &Sample, kind: &str) -> u64 {
    sample.keys.get(kind).copied().unwrap_or(0)
}

fn median(samples: &[&Sample], of: impl Fn(&Sample) -> u64) -> u64 {
    let mut values: Vec<u64> = samples.iter().map(|sample| of(sample)).collect();
    values.sort_unstable();
    values[values.len() / 2]
}
