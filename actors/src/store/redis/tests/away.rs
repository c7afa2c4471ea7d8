//! A server that is frozen, slow or not there, or another one than it was: what that costs, and when it is well again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sophie_kit::{TestServer, eventually, until};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::*;
use crate::metrics::Metrics;
use crate::store::Appended;
use crate::store::contract::{event, group};
use crate::store::limits::{Bucket, Limit, Verdict};

/// How often something is done that is to take no time: the quickest one counts, since a busy machine pauses now and then.
const ROUNDS: usize = 10;

fn bucket() -> [Bucket; 1] {
    [Bucket { key: "k".into(), limit: Limit::UserMessages, interval_us: 1_000, burst: 10, cost: 1 }]
}

#[tokio::test]
async fn a_frozen_server_costs_one_budget_and_then_nothing() {
    let server = TestServer::start();
    // So far from each other, and from what a busy machine adds, that it shows which one was waited for.
    let budgets = Budgets { append: Duration::from_secs(60), other: Duration::from_secs(1) };
    let (stores, health) = connected(options(&server, budgets)).await;
    in_time(async || stores.logs.append(event(&group("team"), "x")).await).await;
    server.freeze();
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for n in 0..200 {
        let stores = stores.clone();
        tasks.spawn(async move {
            if n % 2 == 0 {
                stores.limits.admit(None, &bucket()).await.is_err()
            } else {
                stores.logs.append(event(&group("team"), "y")).await.is_err()
            }
        });
    }
    assert!(tasks.join_all().await.into_iter().all(|failed| failed));
    // One time-out for all: the appends in flight do not sit out their minute. The rest is for a busy machine.
    // A look at the server that was under way when it froze may have been the first.
    assert!(start.elapsed() >= Duration::from_millis(300), "{:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(!health.available());
    let mut quickest = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..100 {
            assert!(stores.limits.admit(None, &bucket()).await.is_err());
            assert!(stores.logs.append(event(&group("team"), "z")).await.is_err());
        }
        quickest = quickest.min(start.elapsed());
    }
    assert!(quickest < Duration::from_millis(50), "refused at once, but it took {quickest:?}");
    server.thaw();
    until_available(&health, true).await;
    let verdict = in_time(async || stores.limits.admit(None, &bucket()).await).await;
    assert!(matches!(verdict, Verdict::Admitted { .. }), "{verdict:?}");
    // Replies of before went to a connection that nobody listens to.
    let page = in_time(async || stores.logs.read_after(&group("team"), 0, everything()).await).await;
    assert!(page.events.iter().all(|event| event.body.starts_with("{\"text\"")));
}

#[tokio::test]
async fn an_append_alone_may_take_its_two_seconds() {
    let server = TestServer::start();
    let patient_look = Budgets { other: Duration::from_secs(20), ..Budgets::default() };
    let (stores, _) = connected(options(&server, patient_look)).await;
    server.freeze();
    let start = Instant::now();
    assert!(stores.logs.append(event(&group("team"), "x")).await.is_err());
    let took = start.elapsed();
    // Its own two seconds, and not the twenty of the rest.
    assert!((Duration::from_millis(1_900)..Duration::from_secs(15)).contains(&took), "{took:?}");
    server.thaw();
}

#[tokio::test]
async fn a_frozen_server_is_noticed_though_nobody_calls() {
    let server = TestServer::start();
    let (_stores, health) = connect(options(&server, Budgets::default())).await.expect("good options");
    until_available(&health, true).await;
    server.freeze();
    until_available(&health, false).await;
    server.thaw();
    until_available(&health, true).await;
}

#[tokio::test]
async fn a_service_starts_without_its_redis_and_finds_it_later() {
    let mut server = TestServer::absent();
    let start = Instant::now();
    let (stores, health) = connect(options(&server, Budgets::default())).await.expect("Redis may come later");
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    assert!(!health.available());
    assert!(stores.logs.append(event(&group("team"), "x")).await.is_err());
    server.launch();
    until_available(&health, true).await;
    in_time(async || stores.logs.append(event(&group("team"), "x")).await).await;
    // Each database is found by itself.
    eventually("all of them to answer", DEADLINE, async || {
        health.look().await.iter().all(|look| look.ping.is_ok()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_master_that_sentinels_name_is_used_also_after_it_has_changed() {
    let mut master = TestServer::start();
    let replica = TestServer::replica_of(&master);
    let sentinel = TestServer::sentinel_of(&master);
    let url = |db: u8| format!("redis+sentinel://127.0.0.1:{}/{db}?master=mine", sentinel.port());
    let mut options = options(&master, Budgets { append: DEADLINE, other: DEADLINE });
    (options.url, options.general_url, options.cache_url) = (url(0), url(1), url(2));
    let (stores, _) = connected(options).await;
    let team = group("team");
    for seq in 1..=3 {
        assert!(matches!(stores.logs.append(event(&team, "x")).await, Ok(Appended::New { seq: at, .. }) if at == seq));
    }
    // The Sentinel has learnt of the replica, which it asks the master for each ten seconds, and the replica has it all.
    until("the replica to be in step", 3 * DEADLINE, || {
        let info: String = redis::cmd("INFO").arg("replication").query(&mut replica.connection(0)).expect("an answer");
        let known: Vec<redis::Value> =
            redis::cmd("SENTINEL").arg("REPLICAS").arg("mine").query(&mut sentinel.connection(0)).expect("an answer");
        info.contains("master_link_status:up") && known.len() == 1
    })
    .await;
    until("the replica to have it all", DEADLINE, || master.is_copied()).await;
    master.kill();
    let until = Instant::now() + 3 * DEADLINE;
    let seq = loop {
        match stores.logs.append(event(&team, "y")).await {
            Ok(Appended::New { seq, .. }) => break seq,
            other => assert!(Instant::now() < until, "{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(seq, 4, "on the copy of the log");
}

#[tokio::test]
async fn a_server_that_is_frozen_from_the_start_costs_no_call_a_wait() {
    let server = TestServer::start();
    server.freeze();
    let metrics = Metrics::new();
    let connected = super::super::connect(options(&server, Budgets::default()), &metrics.dependencies);
    let (stores, health) = connected.await.expect("good options");
    assert!(!health.available());
    for dependency in ["store", "limits", "flights", "cache", "general"] {
        let gauge = metrics.degraded.with_label_values(&[dependency]);
        assert_eq!(gauge.get(), 1, "{dependency} is not said to be well");
    }
    let mut quickest = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..20 {
            assert!(stores.cache.get("x").await.is_err());
            assert!(stores.flights.board("x", false).await.is_err());
            assert!(stores.limits.admit(None, &bucket()).await.is_err());
            assert!(stores.logs.append(event(&group("team"), "x")).await.is_err());
        }
        quickest = quickest.min(start.elapsed());
    }
    assert!(quickest < Duration::from_millis(90), "all of it within one budget: {quickest:?}");
    server.thaw();
    until_available(&health, true).await;
    let dependencies = &metrics.dependencies;
    // What came and went must have held for up to eight seconds.
    let are_well = || !dependencies.store.is_degraded() && !dependencies.cache.is_degraded();
    until("both are well again", 3 * DEADLINE, are_well).await;
}

#[tokio::test]
async fn a_server_that_is_in_time_for_pings_alone_costs_few_calls_their_budget() {
    let (server, metrics) = (TestServer::start(), Metrics::new());
    let limits = metrics.dependencies.limits.clone();
    let source = Source::new(&server.url(0), &crate::redis::Bound::none()).expect("a good URL");
    let database = Database::open(
        "main",
        source,
        Budgets::default(),
        vec![limits.clone()],
        Needs::default(),
        metrics.dependencies.calls("main"),
    )
    .await;
    let spin = "local function now() local t = redis.call('TIME') return t[1] * 1000000 + t[2] end
                local start = now() while now() - start < 150000 do end return 1";
    // Calls that were let through, and so waited.
    let waited = AtomicUsize::new(0);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        let called = Instant::now();
        let call = |mut connection| {
            waited.fetch_add(1, Ordering::Relaxed);
            async move { redis::cmd("EVAL").arg(spin).arg(0).query_async(&mut connection).await }
        };
        let done: Result<i64, _> = database.call(call).await;
        match done {
            Err(_) => assert!(limits.is_degraded(), "it does not come and go"),
            // This process paused, and found an answer when it went on.
            Ok(_) => assert!(called.elapsed() > Duration::from_millis(140), "never in time"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let waited = waited.into_inner();
    assert!(waited <= 6, "{waited} calls waited for nothing");
}
