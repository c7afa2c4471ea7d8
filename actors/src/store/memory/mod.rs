//! The twin that keeps everything in this process: for a single node, and for tests. Nothing in it grows without bound:
//! every entry has an end, and writes sweep out what has ended.

mod acts;
mod alone;
mod answers;
mod cache;
mod claims;
mod desk;
mod expiring;
mod feed;
mod feedback;
mod flights;
mod general;
mod limits;
mod logs;
mod membership;
mod presence;
mod recordings;
mod sessions;
mod slots;
mod state;
mod usage;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use expiring::Expiring;

use self::acts::MemoryActs;
use self::alone::Alone;
use self::cache::MemoryCache;
use self::claims::MemoryClaims;
use self::feed::MemoryFeed;
pub use self::general::MemoryGeneralCache;
pub use self::limits::MemoryLimits;
use self::membership::MemoryMembership;
use self::recordings::MemoryRecordings;
use self::slots::MemorySlots;
use self::state::MemoryStore;
use self::usage::MemoryUsage;
use super::Stores;

/// How much is kept, and for how long.
#[derive(Debug, Clone)]
pub struct MemoryOptions {
    /// Events kept of each group.
    pub log_events: usize,
    /// Age in seconds at which an event is gone.
    pub log_seconds: u64,
    /// Bytes that the response cache may hold.
    pub cache_bytes: u64,
    /// Seconds that a cached answer is kept.
    pub cache_ttl_seconds: u64,
    /// Cached answers over this many bytes are not kept.
    pub cache_max_entry_bytes: usize,
    /// Seconds after which an unused group is forgotten.
    pub group_expiry_seconds: u64,
}

#[cfg(test)]
impl MemoryOptions {
    /// What tests have no opinion on: all that is said in a day is kept for a day.
    pub(crate) fn of_a_day() -> Self {
        Self {
            log_events: 1_000,
            log_seconds: 86_400,
            cache_bytes: 1 << 20,
            cache_ttl_seconds: 3_600,
            cache_max_entry_bytes: 1 << 20,
            group_expiry_seconds: 86_400,
        }
    }
}

/// Empty stores.
pub fn stores(options: MemoryOptions) -> Stores {
    let store = Arc::new(MemoryStore::new(&options));
    let slots: Arc<MemorySlots> = Arc::default();
    Stores {
        logs: store.clone(),
        groups: store.clone(),
        sessions: store.clone(),
        answers: store.clone(),
        desk: store.clone(),
        feedback: store.clone(),
        acts: Arc::new(MemoryActs::default()),
        membership: Arc::new(MemoryMembership::new(store)),
        cache: Arc::new(MemoryCache::new(
            options.cache_bytes,
            Duration::from_secs(options.cache_ttl_seconds),
            options.cache_max_entry_bytes,
        )),
        general: Arc::new(MemoryGeneralCache::default()),
        limits: Arc::new(MemoryLimits::beside(slots.clone())),
        slots,
        feed: Arc::new(MemoryFeed),
        orders: Arc::new(Alone),
        presence: Arc::new(Alone),
        worker_queue: Arc::new(Alone),
        leases: Arc::new(Alone),
        flights: Arc::new(Alone),
        recordings: Arc::new(MemoryRecordings::new()),
        claims: Arc::new(MemoryClaims::new()),
        usage: Arc::new(MemoryUsage::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::{
        CACHE_MAX_ENTRY_BYTES, GROUP_EXPIRY_SECONDS, LOG_EVENTS, LOG_SECONDS, event, group, promises,
    };

    struct InMemory;

    impl InMemory {
        fn stores(&self) -> Stores {
            self.with_expiry(GROUP_EXPIRY_SECONDS)
        }

        fn with_expiry(&self, group_expiry_seconds: u64) -> Stores {
            stores(MemoryOptions {
                log_events: LOG_EVENTS,
                log_seconds: LOG_SECONDS,
                cache_max_entry_bytes: CACHE_MAX_ENTRY_BYTES,
                group_expiry_seconds,
                ..MemoryOptions::of_a_day()
            })
        }

        fn finish(self) {}
    }

    async fn in_memory() -> InMemory {
        InMemory
    }

    promises!(tokio::test(start_paused = true), in_memory);

    #[tokio::test(start_paused = true)]
    async fn the_owner_lives_as_long_as_the_home_groups_log() {
        use crate::ids::{SessionId, UserId};
        const HOUR: Duration = Duration::from_secs(3_600);
        let stores = stores(MemoryOptions::of_a_day());
        let session = SessionId::parse("s1").expect("legal");
        let owner = async |user: &str| stores.sessions.claim(&session, &UserId::from(user)).await.expect("claimed");
        assert_eq!(owner("alice").await.as_str(), "alice");
        tokio::time::advance(23 * HOUR).await;
        stores.logs.append(event(&session.home(), "from the site")).await.expect("stored");
        tokio::time::advance(23 * HOUR).await;
        stores.membership.join(&[session.home()]).await.expect("joined");
        tokio::time::advance(23 * HOUR).await;
        assert!(stores.groups.info(&session.home()).await.expect("asked").is_some());
        assert_eq!(owner("bob").await.as_str(), "alice");
        tokio::time::advance(25 * HOUR).await;
        assert!(stores.groups.info(&session.home()).await.expect("asked").is_none());
        assert_eq!(owner("bob").await.as_str(), "bob", "the log is gone: a new owner may come");
    }

    #[tokio::test(start_paused = true)]
    async fn an_unused_group_is_forgotten() {
        let stores = InMemory.with_expiry(60);
        let team = group("team");
        stores.logs.append(event(&team, "x")).await.expect("stored");
        tokio::time::advance(Duration::from_secs(40)).await;
        stores.membership.join(std::slice::from_ref(&team)).await.expect("joined");
        tokio::time::advance(Duration::from_secs(40)).await;
        assert!(stores.groups.info(&team).await.expect("asked").is_some(), "somebody is in it");
        tokio::time::advance(Duration::from_secs(21)).await;
        assert_eq!(stores.groups.info(&team).await.expect("asked"), None);
        assert_eq!(stores.logs.open(&[team]).await.expect("opened")[0].head.seq, 0);
    }
}
