//! What a server of Redis may do to what lies there, told once for all databases that are on it: evict it, lose it, or be wrong about
//! the time.

use sophie_actors::redis::{Inspection, ServerInfo};

use super::{Database, Use, joined};
use crate::check::finding::{Area, Finding};

/// The oldest version: sorted sets are waited for, and streams are there, since then.
const OLDEST: u32 = 5;
/// What a clock may be off: a message of the channel layer lives for ten seconds, by both clocks.
const CLOCK_MS: i64 = 1_000;
/// Memory in use, in hundredths of what it may use, above which it will soon be full.
const FULL: u64 = 90;

pub(super) fn findings(databases: &[Database], wait_replicas: u32) -> Vec<Finding> {
    let mut seen: Vec<&str> = Vec::new();
    let mut findings = Vec::new();
    for database in databases {
        let Ok(inspection) = &database.outcome else { continue };
        let Some(server) = &inspection.server else {
            findings.push(unknown(database));
            continue;
        };
        if seen.contains(&server.facts.run_id.as_str()) {
            continue;
        }
        seen.push(&server.facts.run_id);
        let here: Vec<&Database> = databases.iter().filter(|other| is_on(other, server)).collect();
        findings.extend(of(&here, inspection, server));
        if here.iter().any(|database| database.of == Use::Main) && server.replicas < wait_replicas {
            findings.push(too_few_replicas(server.replicas, wait_replicas));
        }
    }
    findings
}

fn is_on(database: &Database, server: &ServerInfo) -> bool {
    let on = database.outcome.as_ref().ok().and_then(|inspection| inspection.server.as_ref());
    on.is_some_and(|other| other.facts.run_id == server.facts.run_id)
}

fn unknown(database: &Database) -> Finding {
    Finding::warning(
        "redis_unknown",
        Area::Redis,
        database.of.to_string(),
        format!("user {} may not ask for INFO", database.user),
        "its version, eviction policy and memory are not known",
        format!("ACL SETUSER {} +info", database.user),
    )
}

fn too_few_replicas(has: u32, waits_for: u32) -> Finding {
    Finding::fault(
        "redis_replicas",
        Area::Redis,
        Use::Main.to_string(),
        format!("it has {has} replicas, and redis.wait_replicas is {waits_for}"),
        "no message is acknowledged",
        "start the replicas, or set redis.wait_replicas to how many there are",
    )
}

fn of(here: &[&Database], inspection: &Inspection, server: &ServerInfo) -> Vec<Finding> {
    let subject = joined(here.iter().copied());
    let is_main = here.iter().any(|database| database.of == Use::Main);
    let facts = &server.facts;
    let mut findings = Vec::new();
    let mut warn = |code, found: String, means: &str, advice: &str| {
        findings.push(Finding::warning(code, Area::Redis, subject.clone(), found, means, advice));
    };
    if facts.evicts_what_lives() && (is_main || here.len() > 1) {
        let soon = if facts.max_memory_bytes == 0 { " (no maxmemory is set yet)" } else { "" };
        let found = format!("its eviction policy is {}{soon}", facts.policy);
        let means = if is_main {
            "when its memory is full it drops groups, logs and limits"
        } else {
            "when its memory is full it drops keys of each for the others"
        };
        warn(
            "redis_eviction",
            found,
            means,
            "set maxmemory-policy noeviction there, and give what may be evicted a server of its own (cache.url, general_cache.url)",
        );
    }
    if facts.max_memory_bytes > 0
        && facts.memory_bytes.saturating_mul(100) >= facts.max_memory_bytes.saturating_mul(FULL)
    {
        let found = format!("{} of {} bytes of its memory are in use", facts.memory_bytes, facts.max_memory_bytes);
        warn("redis_memory", found, "soon it takes no writes, or evicts", "raise maxmemory, or keep less");
    }
    if is_main && inspection.keeps == Some(false) {
        warn(
            "redis_persistence",
            "it writes nothing to its disk (save \"\", appendonly no)".into(),
            "when it is started again, groups and their logs are lost",
            "set appendonly yes there",
        );
    }
    if let Some(ahead) = inspection.clock_ahead_ms.filter(|ahead| ahead.abs() >= CLOCK_MS) {
        let found =
            format!("its clock is {} ms {} this machine's", ahead.abs(), if ahead > 0 { "ahead of" } else { "behind" });
        warn(
            "redis_clock",
            found,
            "messages of the channel layer and limits end too early or too late",
            "run NTP on both",
        );
    }
    findings.extend(broken(&subject, server));
    findings
}

/// What no node works with.
fn broken(subject: &str, server: &ServerInfo) -> Vec<Finding> {
    let mut findings = Vec::new();
    if server.is_clustered {
        findings.push(Finding::fault(
            "redis_cluster",
            Area::Redis,
            subject,
            "it is a node of a Redis Cluster",
            "keys that belong together lie on different servers, and scripts are refused",
            "use a single server, or one that Sentinels watch (redis+sentinel://)",
        ));
    }
    if server.major().is_some_and(|major| major < OLDEST) {
        findings.push(Finding::fault(
            "redis_version",
            Area::Redis,
            subject,
            format!("it is version {}", server.version),
            "it does not know all commands that a node needs",
            format!("use Redis {OLDEST} or later"),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sophie_actors::redis::Facts;

    use super::*;

    fn inspection(change: impl FnOnce(&mut Inspection, &mut ServerInfo)) -> Inspection {
        let facts = Facts {
            run_id: "a".into(),
            memory_bytes: 10,
            max_memory_bytes: 0,
            policy: "noeviction".into(),
            clients: 1,
            hits: 0,
            misses: 0,
            evictions: 0,
        };
        let version = "7.0.15".into();
        let mut server =
            ServerInfo { facts, version, is_replica: false, is_clustered: false, appends: true, replicas: 0 };
        let ping = Duration::from_millis(1);
        let mut inspection =
            Inspection { ping, server: None, keeps: Some(true), clock_ahead_ms: Some(3), refusal: None };
        change(&mut inspection, &mut server);
        inspection.server.get_or_insert(server);
        inspection
    }

    fn told(uses: &[Use], change: impl FnOnce(&mut Inspection, &mut ServerInfo)) -> Vec<(String, &'static str)> {
        let inspection = inspection(change);
        let database = |of: &Use| {
            let (address, user) = ("r:6379/0".to_owned(), "default".to_owned());
            Database { of: *of, address, user, outcome: Ok(Box::new(inspection.clone())) }
        };
        let databases: Vec<Database> = uses.iter().map(database).collect();
        findings(&databases, 0).into_iter().map(|it| (it.subject, it.code)).collect()
    }

    #[test]
    fn a_server_that_is_as_it_should_be_is_not_spoken_of() {
        assert_eq!(told(&[Use::Main, Use::Cache], |_, _| {}), []);
    }

    #[test]
    fn what_may_hurt_is_told_once_for_all_databases_of_a_server() {
        let both = |code| vec![("main, cache".to_owned(), code)];
        let uses = [Use::Main, Use::Cache];
        for policy in ["allkeys-lru", "volatile-lru", "volatile-random"] {
            assert_eq!(
                told(&uses, |_, server| server.facts.policy = policy.into()),
                both("redis_eviction"),
                "{policy}"
            );
        }
        assert_eq!(told(&uses, |_, server| server.facts.policy = "volatile-ttl".into()), []);
        assert_eq!(told(&uses, |_, server| server.facts.max_memory_bytes = 11), both("redis_memory"));
        assert_eq!(told(&uses, |it, _| it.keeps = Some(false)), both("redis_persistence"));
        assert_eq!(told(&uses, |it, _| it.clock_ahead_ms = Some(-5_000)), both("redis_clock"));
        assert_eq!(told(&uses, |_, server| server.is_clustered = true), both("redis_cluster"));
        assert_eq!(told(&uses, |_, server| server.version = "4.0.1".into()), both("redis_version"));
    }

    #[test]
    fn a_cache_of_its_own_may_evict_and_forget() {
        assert_eq!(told(&[Use::Cache], |_, server| server.facts.policy = "allkeys-lru".into()), []);
        assert_eq!(told(&[Use::Cache], |it, _| it.keeps = Some(false)), []);
    }
}
