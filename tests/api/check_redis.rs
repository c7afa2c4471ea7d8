//! `sophie check` against each kind of Redis that a node may meet.

use crate::support::{Checked, TestServer};

const CORE: (&str, &str) = ("SOPHIE__CHANNEL__LAYER", "core");
const PUBSUB: (&str, &str) = ("SOPHIE__CHANNEL__LAYER", "pubsub");

fn set(redis: &TestServer, name: &str, value: &str) {
    redis::cmd("CONFIG").arg(&["SET", name, value]).query::<()>(&mut redis.connection(0)).expect("set");
}

/// All databases, as one line names them.
const ALL: &str = "main, cache, general cache, layer";

#[tokio::test]
async fn a_redis_that_keeps_what_it_has_is_all_right_and_django_is_heard() {
    let redis = TestServer::durable();
    let encrypted = ("SOPHIE__CHANNEL__ENCRYPTION_KEYS", "a key of the site");
    for more in [vec![CORE], vec![PUBSUB], vec![CORE, encrypted, ("SOPHIE__CHANNEL__SERIALIZER", "json")]] {
        let checked = Checked::redis(&redis.url(0), &more).await;
        assert_eq!(checked.told(), [Vec::<&str>::new(), Vec::new()], "{checked:#?}");
        checked.finding("layer_ok");
        let found = checked.says("redis_ok", "found");
        assert!(found.contains(&redis.port().to_string()) && found.contains("Redis "), "{found}");
    }
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut redis.connection(0)).expect("an answer");
    assert_eq!(keys, Vec::<String>::new(), "nothing is left behind");
}

#[tokio::test]
async fn a_password_that_is_wrong_or_missing_is_one_fault() {
    let redis = TestServer::start();
    set(&redis, "requirepass", "the-right-password");
    for url in [redis.url(0), redis.url(0).replace("//", "//:the-wrong-password@")] {
        let checked = Checked::redis(&url, &[]).await;
        assert_eq!(checked.told(), [vec!["redis_password"], vec![]], "{checked:#?}");
        assert_eq!(checked.says("redis_password", "subject"), ALL);
        assert!(checked.says("redis_password", "do").contains("REDIS_PASSWORD"), "{checked:#?}");
    }
    let checked = Checked::redis(&redis.url(0).replace("//", "//:the-right-password@"), &[]).await;
    assert_eq!(checked.codes("fault"), [""; 0], "{checked:#?}");
}

#[tokio::test]
async fn a_redis_that_evicts_or_forgets_is_warned_of() {
    let redis = TestServer::start();
    set(&redis, "maxmemory", "100mb");
    set(&redis, "maxmemory-policy", "allkeys-lru");
    let checked = Checked::redis(&redis.url(0), &[]).await;
    assert_eq!(checked.told(), [vec![], vec!["redis_eviction", "redis_persistence"]], "{checked:#?}");
    assert_eq!(checked.says("redis_eviction", "subject"), ALL);
    assert!(checked.says("redis_eviction", "found").contains("allkeys-lru"), "{checked:#?}");
}

#[tokio::test]
async fn a_redis_that_is_frozen_is_told_in_time() {
    let redis = TestServer::start();
    redis.freeze();
    let checked = Checked::redis(&redis.url(0), &[]).await;
    assert_eq!(checked.codes("fault"), ["redis_silent"], "{checked:#?}");
    assert_eq!(checked.says("redis_silent", "subject"), ALL);
}

#[tokio::test]
async fn a_redis_that_is_absent_is_one_fault_and_the_others_are_looked_at() {
    let (redis, cache) = (TestServer::durable(), TestServer::absent());
    let checked = Checked::redis(&redis.url(0), &[("SOPHIE__CACHE__URL", &cache.url(0))]).await;
    assert_eq!(checked.told(), [vec!["redis_away"], vec![]], "{checked:#?}");
    assert_eq!(checked.says("redis_away", "subject"), "cache");
    checked.finding("layer_ok");
    let checked = Checked::redis(&cache.url(0), &[]).await;
    assert_eq!(checked.told(), [vec!["redis_away"], vec![]], "{checked:#?}");
    assert_eq!(checked.says("redis_away", "subject"), ALL);
}

#[tokio::test]
async fn a_replica_is_a_fault_for_every_database_on_it() {
    let master = TestServer::start();
    let replica = TestServer::replica_of(&master);
    let checked = Checked::redis(&replica.url(0), &[]).await;
    assert_eq!(checked.codes("fault"), ["redis_replica"; 4], "{checked:#?}");
}

#[tokio::test]
async fn a_redis_without_memory_or_replicas_takes_no_writes() {
    let redis = TestServer::durable();
    set(&redis, "maxmemory", "1");
    let checked = Checked::redis(&redis.url(0), &[]).await;
    assert_eq!(checked.codes("fault"), ["redis_writes"; 4], "{checked:#?}");
    assert!(checked.says("redis_writes", "found").contains("OOM"), "{checked:#?}");
    set(&redis, "maxmemory", "0");
    let checked = Checked::redis(&redis.url(0), &[("SOPHIE__REDIS__WAIT_REPLICAS", "1")]).await;
    assert_eq!(checked.codes("fault"), ["redis_replicas"], "{checked:#?}");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named() {
    let redis = TestServer::durable();
    let checked = Checked::redis(&redis.url(99), &[]).await;
    assert_eq!(checked.codes("fault"), ["redis_database"], "{checked:#?}");
    assert_eq!(checked.says("redis_database", "subject"), "main, layer");
}
