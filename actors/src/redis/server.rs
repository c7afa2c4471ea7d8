//! What a server says of itself in `INFO` that decides whether a node can rely on it.

use std::collections::HashMap;

use super::facts::Facts;

/// What a server is, and what it does with what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// What changes while it runs.
    pub facts: Facts,
    /// Its version.
    pub version: String,
    /// Whether it copies another server, and takes no writes.
    pub is_replica: bool,
    /// Whether it is one of a Redis Cluster.
    pub is_clustered: bool,
    /// Whether it writes every change into a file of its own.
    pub appends: bool,
    /// How many replicas it has.
    pub replicas: u32,
}

impl ServerInfo {
    /// Reads the reply to `INFO`; `None` if it does not say who it is.
    pub(crate) fn read(info: &str) -> Option<Self> {
        let fields: HashMap<&str, &str> = info.lines().filter_map(|line| line.trim_end().split_once(':')).collect();
        let is = |name: &str, value: &str| fields.get(name) == Some(&value);
        Some(Self {
            facts: Facts::read(info)?,
            version: fields.get("redis_version").map(|version| (*version).to_owned()).unwrap_or_default(),
            is_replica: is("role", "slave"),
            is_clustered: is("redis_mode", "cluster") || is("cluster_enabled", "1"),
            appends: is("aof_enabled", "1"),
            replicas: fields.get("connected_slaves").and_then(|count| count.parse().ok()).unwrap_or(0),
        })
    }

    /// The first number of its version; none if it is written otherwise.
    pub fn major(&self) -> Option<u32> {
        self.version.split('.').next()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_is_stands_in_its_info() {
        let read = |more: &str| {
            ServerInfo::read(&format!("redis_version:7.0.15\r\nrun_id:a\r\n{more}\r\n")).expect("a server")
        };
        let plain = read("role:master\r\nredis_mode:standalone\r\naof_enabled:0\r\ncluster_enabled:0");
        assert_eq!((plain.version.as_str(), plain.major()), ("7.0.15", Some(7)));
        assert!(!plain.is_replica && !plain.is_clustered && !plain.appends);
        assert_eq!((plain.replicas, read("connected_slaves:2").replicas), (0, 2));
        assert!(
            read("role:slave").is_replica && read("aof_enabled:1").appends && read("redis_mode:cluster").is_clustered
        );
        assert_eq!(ServerInfo::read("redis_version:7.0.15"), None);
    }
}
