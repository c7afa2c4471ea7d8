//! Where a generation comes from.

use crate::protocol::CacheStatus;

/// Where a generation comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GenerationOrigin {
    /// The cache.
    Cache {
        /// Seconds since it was written there.
        age_seconds: u64,
    },
    /// The backend, by way of another node.
    OtherNode,
    /// The backend.
    Backend,
}

impl GenerationOrigin {
    /// In a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cache { .. } => "cache",
            Self::OtherNode => "other_node",
            Self::Backend => "backend",
        }
    }

    /// How an answer from there came about: `coalesced`: others had asked for it before; `bypass`: it was not to come from the cache.
    pub fn came_about(self, coalesced: bool, bypass: bool) -> CacheStatus {
        match self {
            Self::Cache { .. } => CacheStatus::Hit,
            Self::OtherNode => CacheStatus::Coalesced,
            Self::Backend if coalesced => CacheStatus::Coalesced,
            Self::Backend if bypass => CacheStatus::Bypass,
            Self::Backend => CacheStatus::Miss,
        }
    }
}
