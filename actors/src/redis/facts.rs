//! What a server says of itself in `INFO`: which one it is, its memory, its clients, its hits.

use std::collections::HashMap;

/// What a server says of itself. Its logical databases share all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Another one at each start: who says the same is the same server.
    pub run_id: String,
    /// Bytes of memory in use.
    pub memory_bytes: u64,
    /// Bytes that it may use; 0: no limit.
    pub max_memory_bytes: u64,
    /// What it does when it has used them.
    pub policy: String,
    /// Connections to it, of everybody.
    pub clients: u64,
    /// Reads that found a key, and that did not, since its start.
    pub hits: u64,
    /// Those that did not.
    pub misses: u64,
    /// Keys that it has evicted since its start.
    pub evictions: u64,
}

impl Facts {
    /// Reads the reply to `INFO`; `None` if it does not say who it is.
    pub(crate) fn read(info: &str) -> Option<Self> {
        let fields: HashMap<&str, &str> = info.lines().filter_map(|line| line.trim_end().split_once(':')).collect();
        let number = |name: &str| fields.get(name).and_then(|value| value.parse().ok()).unwrap_or(0);
        let text = |name: &str| fields.get(name).map(|value| (*value).to_owned());
        Some(Self {
            run_id: text("run_id")?,
            memory_bytes: number("used_memory"),
            max_memory_bytes: number("maxmemory"),
            policy: text("maxmemory_policy").unwrap_or_default(),
            clients: number("connected_clients"),
            hits: number("keyspace_hits"),
            misses: number("keyspace_misses"),
            evictions: number("evicted_keys"),
        })
    }

    /// Whether keys of any database are evicted before their end. All of Sophie's have one, so that the policies for such keys take them too.
    pub fn evicts_what_lives(&self) -> bool {
        self.policy.starts_with("allkeys-") || (self.policy.starts_with("volatile-") && self.policy != "volatile-ttl")
    }

    /// The share of reads that found a key; none before the first.
    pub fn hit_rate(&self) -> Option<f64> {
        let reads = self.hits.checked_add(self.misses).filter(|reads| *reads > 0)?;
        Some(self.hits as f64 / reads as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_is_read_as_redis_writes_it() {
        let info = "# Server\r\nrun_id:abc\r\n# Memory\r\nused_memory:10\r\nmaxmemory:20\r\nmaxmemory_policy:allkeys-lru\r\n\
                    # Stats\r\nkeyspace_hits:3\r\nkeyspace_misses:1\r\nevicted_keys:7\r\nconnected_clients:5\r\n";
        let facts = Facts::read(info).expect("a server");
        assert_eq!((facts.memory_bytes, facts.max_memory_bytes, facts.clients, facts.evictions), (10, 20, 5, 7));
        assert!(facts.evicts_what_lives());
        for (policy, evicts) in [("volatile-lru", true), ("volatile-ttl", false), ("noeviction", false)] {
            let facts = Facts { policy: policy.to_owned(), ..facts.clone() };
            assert_eq!(facts.evicts_what_lives(), evicts, "{policy}");
        }
        assert_eq!(facts.hit_rate(), Some(0.75));
        assert_eq!(Facts::read("run_id:x").expect("little").hit_rate(), None);
        assert_eq!(Facts::read("junk"), None);
    }
}
