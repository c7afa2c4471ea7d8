//! What operators are shown of Redis.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Map, Value, json};
use sophie_actors::redis::{DatabaseLook, Facts};

use super::State;

/// How many connections to each database the settings allow.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionCaps {
    /// `channel.max_connections`
    pub main: usize,
    /// `cache.max_connections`
    pub cache: usize,
    /// `general_cache.max_connections`
    pub general: usize,
}

impl ConnectionCaps {
    fn of(&self, database: &str) -> usize {
        match database {
            "cache" => self.cache,
            "general" => self.general,
            _ => self.main,
        }
    }
}

/// Warnings that are remembered, and so told once.
const REMEMBERED: usize = 32;

/// `GET /admin/api/redis`
pub async fn show(state: Data<State>) -> HttpResponse {
    if state.redis.is_none() {
        return HttpResponse::Ok().json(json!({"enabled": false, "databases": {}, "warnings": []}));
    }
    let looks = state.databases().await;
    let databases: Map<String, Value> = looks
        .iter()
        .map(|look| (look.database.to_owned(), row(look, state.connection_caps.of(look.database))))
        .collect();
    HttpResponse::Ok().json(json!({"enabled": true, "databases": databases, "warnings": warnings(&looks)}))
}

fn row(look: &DatabaseLook, cap: usize) -> Value {
    let ms = |duration: std::time::Duration| duration.as_secs_f64() * 1_000.0;
    let server = look.server.as_ref();
    json!({
        "reachable": look.ping.is_ok(),
        "reason": look.away,
        "latency_ms": {
            "now": look.ping.as_ref().ok().copied().map(ms),
            "p50": look.calls.map(|calls| ms(calls.p50)),
            "p99": look.calls.map(|calls| ms(calls.p99)),
        },
        "memory_bytes": server.map(|facts| facts.memory_bytes),
        "maxmemory_bytes": server.map(|facts| facts.max_memory_bytes),
        "policy": server.map(|facts| &facts.policy),
        "clients": server.map(|facts| facts.clients),
        "hit_rate": server.and_then(Facts::hit_rate),
        "evictions": server.map(|facts| facts.evictions),
        "connections": {"in_use": look.connections, "cap": cap},
    })
}

/// What is wrong with how the databases lie. Logical databases of one server share its memory and its policy.
pub fn warnings(looks: &[DatabaseLook]) -> Vec<String> {
    let mut warnings = Vec::new();
    let evicting = || looks.iter().filter_map(|look| Some((look.database, look.server.as_ref()?)));
    let mut told = Vec::new();
    for (_, facts) in evicting().filter(|(_, facts)| facts.evicts_what_lives()) {
        let names: Vec<&str> =
            evicting().filter(|(_, other)| other.run_id == facts.run_id).map(|(name, _)| name).collect();
        if told.contains(&&facts.run_id) || (names.len() < 2 && names != ["main"]) {
            continue;
        }
        told.push(&facts.run_id);
        let lost = if names.contains(&"main") { "groups, logs and limits too" } else { "keys of each for the others" };
        warnings.push(format!(
            "{} on one Redis server with the policy {}: it evicts {lost}; give what may be evicted a server of its own \
             (cache.url, general_cache.url), and the main database noeviction",
            names.join(", "),
            facts.policy
        ));
    }
    warnings
}

/// Tells the log of what is wrong, once for each text: probes ask again and again.
pub fn tell(warnings: &[String]) {
    static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if warnings.is_empty() {
        return;
    }
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    for warning in warnings {
        if told.len() < REMEMBERED && told.insert(warning.clone()) {
            log::warn!(event = "redis_evicts", reason = warning; "redis may drop what must be kept");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(database: &'static str, server: &str, policy: &str) -> DatabaseLook {
        let facts = Facts {
            run_id: server.into(),
            memory_bytes: 0,
            max_memory_bytes: 0,
            policy: policy.into(),
            clients: 0,
            hits: 0,
            misses: 0,
            evictions: 0,
        };
        let ping = Ok(std::time::Duration::ZERO);
        let away = None;
        DatabaseLook { database, ping, away, calls: None, connections: 1, server: Some(facts) }
    }

    #[test]
    fn databases_that_share_a_server_that_evicts_are_named_once() {
        let all = |policy| ["main", "cache", "general"].map(|database| look(database, "a", policy));
        assert!(warnings(&all("noeviction")).is_empty());
        assert!(warnings(&all("volatile-ttl")).is_empty());
        let told = warnings(&all("allkeys-lru"));
        assert_eq!(told.len(), 1);
        assert!(
            told[0].starts_with("main, cache, general on one Redis server with the policy allkeys-lru"),
            "{told:?}"
        );
        // A cache of its own may evict; the main database had better not.
        assert!(warnings(&[look("main", "a", "noeviction"), look("cache", "b", "allkeys-lfu")]).is_empty());
        assert_eq!(warnings(&[look("main", "a", "allkeys-lfu"), look("cache", "b", "noeviction")]).len(), 1);
        let caches = [look("cache", "b", "allkeys-lru"), look("general", "b", "allkeys-lru")];
        assert!(warnings(&caches)[0].contains("keys of each for the others"));
    }
}
