//! A server that is frozen, slow or not there, or another one than it was: what that costs, and when it is well again.

use std::time::Duration;

use sophie_kit::{TestServer, until};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::*;
use crate::metrics::Metrics;
use crate::store::Appended;
use crate::store::contract::{event, group};
use crate::store::limits::{Bucket, Limit, Verdict};

fn bucket() -> [Bucket; 1] {
    [Bucket { key: "k".into(), limit: Limit::UserMessages, interval_us: 1_000, burst: 10, cost: 1 }]
}

#[tokio::test]
async fn a_frozen_server_costs_one_budget_and_then_nothing() {
    let server = TestServer::start();
    let (stores, health) = connect(options(&server, Budgets::default())).await.expect("good options");
    until_available(&health, true).await;
    stores.logs.append(event(&group("team"), "x")).await.expect("stored");
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
    // One time-out for all: the appends in flight do not sit out their 2 s. The rest is for a busy machine.
    assert!(start.elapsed() >= Duration::from_millis(90), "{:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_millis(600), "{:?}", start.elapsed());
    assert!(!health.available());
    let start = Instant::now();
    for _ in 0..100 {
        assert!(stores.limits.admit(None, &bucket()).await.is_err());
        assert!(stores.logs.append(event(&group("team"), "z")).await.is_err());
    }
    assert!(start.elapsed() < Duration::from_millis(50), "refused at once, but it took {:?}", start.elapsed());
    server.thaw();
    until_available(&health, true).await;
    assert!(matches!(stores.limits.admit(None, &bucket()).await, Ok(Verdict::Admitted { .. })));
    // Replies of before went to a connection that nobody listens to.
    let page = stores.logs.read_after(&group("team"), 0, everything()).await.expect("read");
    assert!(page.events.iter().all(|event| event.body.starts_with("{\"text\"")));
}

#[tokio::test]
async fn an_append_alone_may_take_its_two_seconds() {
    let server = TestServer::start();
    let patient_look = Budgets { other: Duration::from_secs(20), ..Budgets::default() };
    let (stores, health) = connect(options(&server, patient_look)).await.expect("good options");
    until_available(&health, true).await;
    server.freeze();
    let start = Instant::now();
    assert!(stores.logs.append(event(&group("team"), "x")).await.is_err());
    let took = start.elapsed();
    assert!((Duration::from_millis(1_900)..Duration::from_millis(2_600)).contains(&took), "{took:?}");
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
    assert!(start.elapsed() < Duration::from_secs(2));
    assert!(!health.available());
    assert!(stores.logs.append(event(&group("team"), "x")).await.is_err());
    server.launch();
    until_available(&health, true).await;
    stores.logs.append(event(&group("team"), "x")).await.expect("stored");
    for ping in health.look().await {
        assert!(ping.ping.is_ok(), "{ping:?}");
    }
}

#[tokio::test]
async fn the_master_that_sentinels_name_is_used_also_after_it_has_changed() {
    let mut master = TestServer::start();
    let replica = TestServer::replica_of(&master);
    let sentinel = TestServer::sentinel_of(&master);
    let url = |db: u8| format!("redis+sentinel://127.0.0.1:{}/{db}?master=mine", sentinel.port());
    let mut options = options(&master, Budgets { append: DEADLINE, other: DEADLINE });
    (options.url, options.general_url, options.cache_url) = (url(0), url(1), url(2));
    let (stores, _) = connect(options).await.expect("connected");
    let team = group("team");
    for seq in 1..=3 {
        assert!(matches!(stores.logs.append(event(&team, "x")).await, Ok(Appended::New { seq: at, .. }) if at == seq));
    }
    // The Sentinel has learnt of the replica, and the replica has it all.
    until("the replica to be in step", DEADLINE, || {
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
    let start = Instant::now();
    for _ in 0..20 {
        assert!(stores.cache.get("x").await.is_err());
        assert!(stores.flights.board("x", false).await.is_err());
        assert!(stores.limits.admit(None, &bucket()).await.is_err());
        assert!(stores.logs.append(event(&group("team"), "x")).await.is_err());
    }
    assert!(start.elapsed() < Duration::from_millis(90), "all of it within one budget: {:?}", start.elapsed());
    server.thaw();
    until_available(&health, true).await;
    let dependencies = &metrics.dependencies;
    until("both are well again", DEADLINE, || !dependencies.store.is_degraded() && !dependencies.cache.is_degraded())
        .await;
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
    let (start, mut waited) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(3) {
        let called = Instant::now();
        let call =
            |mut connection| async move { redis::cmd("EVAL").arg(spin).arg(0).query_async(&mut connection).await };
        let done: Result<i64, _> = database.call(call).await;
        done.expect_err("never in time");
        waited += usize::from(called.elapsed() >= Duration::from_millis(90));
        assert!(limits.is_degraded(), "it does not come and go");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(waited <= 6, "{waited} calls waited for nothing");
}
