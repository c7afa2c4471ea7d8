//! The twin that keeps everything in Redis, where it outlasts the process. Every key has a TTL; what must be atomic is
//! one Lua script, or one transaction where nothing is decided; times are the server's own.

mod acts;
mod answers;
mod cache;
mod claims;
mod clock;
mod desk;
mod feed;
mod feedback;
mod flights;
mod general;
mod groups;
mod keys;
mod leases;
mod life;
#[cfg(test)]
mod life_tests;
mod limits;
mod log_scripts;
mod logs;
mod membership;
mod orders;
mod page;
mod presence;
mod recordings;
mod sessions;
mod slots;
#[cfg(test)]
mod tests;
mod usage;
mod worker_queue;
mod written;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use self::acts::RedisActs;
use self::answers::RedisAnswers;
use self::cache::RedisCache;
use self::claims::RedisClaims;
use self::desk::RedisDesk;
use self::feed::{RedisFeed, Subscription, events_channel};
use self::feedback::RedisFeedback;
use self::flights::RedisFlights;
use self::general::RedisGeneralCache;
use self::groups::RedisGroups;
pub(crate) use self::keys::Keys;
use self::leases::RedisLeases;
use self::life::Life;
use self::limits::RedisLimits;
use self::log_scripts::LogScripts;
use self::logs::RedisLogs;
use self::membership::RedisMembership;
use self::orders::RedisOrders;
use self::presence::RedisPresence;
use self::recordings::RedisRecordings;
use self::sessions::RedisSessions;
use self::slots::RedisSlots;
use self::usage::RedisUsage;
use self::worker_queue::RedisWorkerQueue;
use super::{StoreError, Stores};
use crate::dependencies::{Dependencies, ServerRefusals};
use crate::ids::NodeKey;
use crate::protocol::DjangoEvent;
use crate::redis::{
    Bound, Bounds, Budgets, Database, Looked, Needs, RedisHealth, Replicas, Source, are_on_one_server, inspect_url,
};

/// Which Redis, and how much is kept there. Its `Debug` shows no passwords.
#[derive(Clone)]
pub struct RedisOptions {
    /// URL of the database of the channel layer and of Sophie's own keys: `redis://`, `rediss://`, `unix://`, or one of Sentinels.
    pub url: String,
    /// The same for the response cache.
    pub cache_url: String,
    /// The same for the general cache.
    pub general_url: String,
    /// What Sophie's own keys begin with.
    pub prefix: String,
    /// What the channel layer's keys begin with.
    pub channel_prefix: String,
    /// This node's key in the channel layer, new at every start.
    pub node_key: NodeKey,
    /// Events kept of each group.
    pub log_events: usize,
    /// Age in seconds at which an event is gone.
    pub log_seconds: u64,
    /// Seconds after which an unused group, and a membership that was not renewed, is forgotten.
    pub group_expiry_seconds: u64,
    /// Seconds that a cached answer is kept.
    pub cache_ttl_seconds: u64,
    /// Cached answers over this many bytes are not kept.
    pub cache_max_entry_bytes: usize,
    /// What the worker is told of, and so put into its queue; empty without a worker.
    pub worker: Vec<DjangoEvent>,
    /// Replicas that must have an append before it is acknowledged, within its budget.
    pub wait_replicas: u32,
    /// How long a call may take.
    pub budgets: Budgets,
    /// How many connections may be opened.
    pub bounds: Bounds,
}

impl RedisOptions {
    /// Seconds after which a group without use is gone: not before its events are.
    fn group_life_seconds(&self) -> u64 {
        self.log_seconds.max(self.group_expiry_seconds).max(1)
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("url", &Source::shown(&self.url))
            .field("cache_url", &Source::shown(&self.cache_url))
            .field("general_url", &Source::shown(&self.general_url))
            .field("prefix", &self.prefix)
            .field("channel_prefix", &self.channel_prefix)
            .field("node_key", &self.node_key)
            .field("log_events", &self.log_events)
            .field("log_seconds", &self.log_seconds)
            .field("group_expiry_seconds", &self.group_expiry_seconds)
            .field("cache_ttl_seconds", &self.cache_ttl_seconds)
            .field("cache_max_entry_bytes", &self.cache_max_entry_bytes)
            .field("wait_replicas", &self.wait_replicas)
            .field("budgets", &self.budgets)
            .finish_non_exhaustive()
    }
}

/// Connections that the stores have at most to the main database at a time: for calls, to hear the other nodes, to look who
/// answers there, to try the right to hear; and to wait for replicas, if there are any to wait for.
pub fn main_connections(wait_replicas: u32) -> usize {
    4 + usize::from(wait_replicas > 0)
}

/// The same of a cache: for calls, and to look who answers there unless that is done for the main database.
pub fn cache_connections(main_url: &str, cache_url: &str) -> usize {
    1 + usize::from(!are_on_one_server(main_url, cache_url))
}

/// Looks once at the main database of a URL, and whether it lets a node do all that it does there. `prefix` is what the node's own
/// keys begin with.
///
/// # Errors
/// The URL cannot be read.
pub async fn inspect_main(url: &str, prefix: &str) -> Result<Looked, StoreError> {
    let channel = events_channel(prefix, Source::new(url, &Bound::none())?.db());
    inspect_url(url, &Needs::main(prefix, &channel, &ServerRefusals::default())).await
}

/// The same of the response cache.
///
/// # Errors
/// The URL cannot be read.
pub async fn inspect_cache(url: &str) -> Result<Looked, StoreError> {
    inspect_url(url, &Needs::cache(cache::PREFIX, &ServerRefusals::default())).await
}

/// The same of the general cache.
///
/// # Errors
/// The URL cannot be read.
pub async fn inspect_general(url: &str) -> Result<Looked, StoreError> {
    inspect_url(url, &Needs::cache(general::PREFIX, &ServerRefusals::default())).await
}

/// Connects to Redis. If it is away, the stores are unavailable until it is back; only options that cannot be right are
/// an error. `dependencies` are told how it is. Must be called within the tokio runtime that is to carry the connections.
pub async fn connect(options: RedisOptions, dependencies: &Dependencies) -> Result<(Stores, RedisHealth), StoreError> {
    let bounds = &options.bounds;
    let main = Source::new(&options.url, &bounds.main)?;
    let cache = main.beside(&options.cache_url, &bounds.cache)?;
    let general = main.beside(&options.general_url, &bounds.general)?;
    let (subscriptions, waits) = (main.clone(), main.clone());
    let channel = events_channel(&options.prefix, main.db());
    let refusals = &dependencies.refusals;
    let Dependencies { store, limits, slots, flights, cache: cached, general: kept, feed, .. } = dependencies.clone();
    let (main, cache, general) = tokio::join!(
        Database::open(
            "main",
            main,
            options.budgets,
            vec![store, limits, slots, flights],
            Needs::main(&options.prefix, &channel, refusals),
            dependencies.calls("main")
        ),
        Database::open(
            "cache",
            cache,
            options.budgets,
            vec![cached],
            Needs::cache(cache::PREFIX, refusals),
            dependencies.calls("cache")
        ),
        Database::open(
            "general",
            general,
            options.budgets,
            vec![kept],
            Needs::cache(general::PREFIX, refusals),
            dependencies.calls("general")
        )
    );
    let (own, life) = (options.node_key.clone(), Arc::new(Life::default()));
    let subscription =
        Subscription::new(subscriptions, channel.clone(), own, life.clone(), feed, options.budgets.other);
    let health = RedisHealth::new(vec![main.clone(), cache.clone(), general.clone()], subscription.is_subscribed());
    let keys = Keys::new(&options.prefix);
    let scripts = Arc::new(LogScripts::new(&options, keys.clone(), channel.clone(), life));
    let replicas = (options.wait_replicas > 0).then(|| Replicas::new(waits, options.wait_replicas, keys.waited()));
    let stores = Stores {
        logs: Arc::new(RedisLogs::new(main.clone(), scripts.clone(), replicas)),
        groups: Arc::new(RedisGroups::new(main.clone(), scripts.clone())),
        sessions: Arc::new(RedisSessions::new(main.clone(), keys.clone(), &options)),
        answers: Arc::new(RedisAnswers::new(main.clone(), scripts.clone(), &options)),
        desk: Arc::new(RedisDesk::new(main.clone(), scripts.clone(), &options)),
        membership: Arc::new(RedisMembership::new(main.clone(), &options, scripts)),
        cache: Arc::new(RedisCache::new(
            cache,
            Duration::from_secs(options.cache_ttl_seconds),
            options.cache_max_entry_bytes,
        )),
        general: Arc::new(RedisGeneralCache::new(general)),
        limits: Arc::new(RedisLimits::new(main.clone(), keys.clone())),
        usage: Arc::new(RedisUsage::new(main.clone(), keys.clone(), options.node_key.clone())),
        feedback: Arc::new(RedisFeedback::new(main.clone(), keys.clone(), &options)),
        acts: Arc::new(RedisActs::new(main.clone(), keys.clone())),
        claims: Arc::new(RedisClaims::new(main.clone(), keys.clone())),
        slots: Arc::new(RedisSlots::new(main.clone(), keys.clone())),
        flights: Arc::new(RedisFlights::new(main.clone(), keys.clone(), options.node_key.clone())),
        recordings: Arc::new(RedisRecordings::new(main.clone(), keys.clone())),
        presence: Arc::new(RedisPresence::new(main.clone(), keys.clone(), &options)),
        worker_queue: Arc::new(RedisWorkerQueue::new(main.clone(), keys.clone())),
        leases: Arc::new(RedisLeases::new(main.clone(), keys.clone(), options.node_key.clone())),
        orders: Arc::new(RedisOrders::new(main.clone(), keys, channel.clone(), options.node_key.clone())),
        feed: Arc::new(RedisFeed::new(main, channel, options.node_key, subscription)),
    };
    Ok((stores, health))
}
