//! What one look brought, and what of it is shown above the tables.

use serde_json::Value;

use super::figures::Figures;

/// The node's own words, by what was asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Look {
    pub(super) figures: Figures,
    pub(super) ready: Value,
    pub(super) nodes: Value,
    pub(super) groups: Value,
    pub(super) answers: Value,
    pub(super) usage: Value,
    pub(super) cache: Value,
    pub(super) backends: Value,
    pub(super) redis: Value,
}

/// The rows of a list.
pub(super) fn rows<'a>(list: &'a Value, name: &str) -> &'a [Value] {
    list[name].as_array().map_or(&[], Vec::as_slice)
}

impl Look {
    /// Whether the node takes sessions; else why not.
    pub(super) fn state(&self) -> String {
        if self.ready["status"] == "ready" {
            return "ready".to_owned();
        }
        let reasons: Vec<&str> = rows(&self.ready, "reasons").iter().filter_map(Value::as_str).collect();
        if reasons.is_empty() { "not ready".to_owned() } else { format!("not ready: {}", reasons.join("; ")) }
    }

    /// What it counts itself.
    pub(super) fn counts(&self) -> String {
        let count = |family: &'static str| self.figures.sum(family, "");
        format!(
            "sockets {}  sessions {}  groups {}  answers {}",
            count("sophie_sockets"),
            count("sophie_sessions"),
            count("sophie_groups"),
            count("sophie_answers_running")
        )
    }

    /// Tokens and what the cache saved, of today and of all nodes.
    pub(super) fn spent(&self) -> String {
        let total = &self.usage["total"];
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        let tokens = number(&total["prompt_tokens"]) + number(&total["completion_tokens"]);
        let (hits, shared) = (number(&self.cache["hits"]), number(&self.cache["coalesced"]));
        let all = hits + shared + number(&self.cache["misses"]);
        let rate = match all {
            0 => "-".to_owned(),
            all => format!("{}%", (hits + shared) * 100 / all),
        };
        let (cost, currency) = (total["cost"].as_f64().unwrap_or(0.0), self.usage["currency"].as_str().unwrap_or(""));
        format!(
            "today: tokens {tokens}  saved {}  cost {cost:.2} {currency}  cache hit rate {rate}",
            number(&total["saved_tokens"])
        )
    }

    /// What it depends on.
    pub(super) fn depends_on(&self) -> String {
        let backends = rows(&self.backends, "backends");
        let available = backends.iter().filter(|it| it["state"] != "open").count();
        let ai = match backends.len() {
            0 => "demo".to_owned(),
            all => format!("{available} of {all}"),
        };
        let redis = match (&self.redis["enabled"], &self.redis["databases"]["main"]["reachable"]) {
            (Value::Bool(true), Value::Bool(true)) => "ok",
            (Value::Bool(true), _) => "away",
            _ => "not used",
        };
        let degraded = self.figures.raised("sophie_degraded", "dependency");
        let degraded = if degraded.is_empty() { "nothing".to_owned() } else { degraded.join(", ") };
        format!("backends {ai}  redis {redis}  nodes {}  degraded {degraded}", rows(&self.nodes, "nodes").len())
    }
}
