//! What two nodes and a Redis hold at a moment.

use std::collections::BTreeMap;
use std::fs;

use tokio::time::Instant;

use super::churn::Counts;
use crate::support::{Broker, TestServer};

/// Figures of a node that tell what it has of visitors.
const GAUGES: [&str; 4] = ["sophie_sockets", "sophie_sessions", "sophie_groups", "sophie_answers_running"];

/// What one process holds.
#[derive(Debug, Clone)]
pub struct Process {
    /// Resident memory in bytes.
    pub memory: u64,
    pub descriptors: u64,
    pub threads: u64,
    /// By the name of the figure.
    pub gauges: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Clone)]
pub struct Sample {
    pub at: Instant,
    pub counts: Counts,
    pub nodes: Vec<Process>,
    /// How many keys of each kind there are in Redis.
    pub keys: BTreeMap<String, u64>,
    /// Bytes that Redis has in use.
    pub redis_memory: u64,
}

/// The deeds are counted behind what they left: while a node that pauses is asked for its figures, others go on.
pub async fn take(nodes: &[Broker], redis: &TestServer, counts: impl Fn() -> Counts) -> Sample {
    let mut processes = Vec::new();
    for node in nodes {
        processes.push(process(node).await);
    }
    let info: String = redis::cmd("INFO").arg("memory").query(&mut redis.connection(0)).expect("answered");
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).expect("told");
    let redis_memory = used.trim().parse().expect("a number");
    let keys = keys(redis);
    Sample { at: Instant::now(), counts: counts(), nodes: processes, keys, redis_memory }
}

async fn process(node: &Broker) -> Process {
    let pid = node.pid();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let threads = status.lines().find_map(|line| line.strip_prefix("Threads:")).expect("told");
    let (_, text) = node.get("/metrics").await;
    let gauge = |name: &'static str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        (name, value.expect("a gauge").parse().expect("a number"))
    };
    Process {
        memory: node.memory("VmRSS"),
        descriptors: fs::read_dir(format!("/proc/{pid}/fd")).expect("a process").count() as u64,
        threads: threads.trim().parse().expect("a number"),
        gauges: GAUGES.map(gauge).into(),
    }
}

/// `sophie:once:…` is of the kind `once`; other databases are a kind each.
fn keys(redis: &TestServer) -> BTreeMap<String, u64> {
    let mut kinds = BTreeMap::<String, u64>::new();
    for database in 0..3 {
        let connection = &mut redis.connection(database);
        let all: Vec<String> = redis::cmd("KEYS").arg("*").query(connection).expect("answered");
        for key in all {
            let kind = key.split(':').nth(1).unwrap_or(&key);
            let kind = if database == 0 { kind.to_owned() } else { format!("database {database}") };
            *kinds.entry(kind).or_default() += 1;
        }
    }
    kinds
}
