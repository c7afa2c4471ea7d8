//! What operators are shown of Redis.

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{Broker, Mode, SOON, TestApp, TestServer, eventually};

async fn ready(app: &TestApp) -> Value {
    app.request("GET", "/health/ready").send().await.expect("a response").json().await.expect("JSON")
}

#[tokio::test]
async fn redis_is_shown_by_database_to_operators_alone() {
    let app = TestApp::patient(Mode::Redis, &[("SOPHIE__CACHE__MAX_CONNECTIONS", "7")]).await;
    let mut socket = app.open("s1").await;
    socket.say("m1", "hello").await;
    assert_eq!(app.request("GET", "/admin/api/redis").send().await.expect("a response").status(), 401);
    // The feed has its connection a moment after the program listens.
    let (status, shown) = eventually("all connections are made", SOON, async || {
        let (status, shown) = app.admin("GET", "/admin/api/redis", None).await;
        (shown["databases"]["main"]["connections"]["in_use"] == 2).then_some((status, shown))
    })
    .await;
    assert_eq!((status, &shown["enabled"], &shown["warnings"]), (200, &json!(true), &json!([])), "{shown}");
    for database in ["main", "cache", "general"] {
        let row = &shown["databases"][database];
        assert_eq!(row["reachable"], true, "{shown}");
        for quantile in ["now", "p50", "p99"] {
            assert!(row["latency_ms"][quantile].as_f64().is_some_and(|ms| ms > 0.0), "{row}");
        }
        assert!(row["latency_ms"]["p50"].as_f64() <= row["latency_ms"]["p99"].as_f64(), "{row}");
        assert!(row["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 100_000), "{row}");
        assert_eq!((&row["maxmemory_bytes"], &row["policy"]), (&json!(0), &json!("noeviction")), "{row}");
        assert!(row["clients"].as_u64().is_some_and(|clients| clients >= 4), "{row}");
        assert_eq!(row["evictions"], 0);
    }
    assert!(shown["databases"]["main"]["hit_rate"].as_f64().is_some_and(|rate| (0.0..=1.0).contains(&rate)), "{shown}");
    assert_eq!(shown["databases"]["cache"]["connections"], json!({"in_use": 1, "cap": 7}));
    assert_eq!(shown["databases"]["main"]["connections"], json!({"in_use": 2, "cap": 100}));

    assert!(ready(&app).await["details"]["warnings"].is_null());
    let mut redis = app.redis().connection(0);
    let _: () = redis::cmd("CONFIG").arg(&["SET", "maxmemory-policy", "allkeys-lru"]).query(&mut redis).expect("set");
    // It is looked up once a second at most.
    let body = eventually("a warning", SOON, async || {
        let body = ready(&app).await;
        body["details"]["warnings"].is_array().then_some(body)
    })
    .await;
    assert_eq!(body["status"], "ready");
    let warnings = body["details"]["warnings"].as_array().unwrap_or_else(|| panic!("{body}"));
    assert!(warnings.len() == 1 && warnings[0].as_str().is_some_and(|it| it.contains("allkeys-lru")), "{body}");
    assert_eq!(app.admin("GET", "/admin/api/redis", None).await.1["warnings"], body["details"]["warnings"]);
}

#[tokio::test]
async fn without_redis_there_is_nothing_to_show() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    let (status, shown) = app.admin("GET", "/admin/api/redis", None).await;
    assert_eq!((status, shown), (200, json!({"enabled": false, "databases": {}, "warnings": []})));
    assert_eq!(ready(&app).await, json!({"status": "ready", "details": {"dependencies": {}}}));
}

#[tokio::test]
async fn a_redis_that_refuses_is_told_with_its_words_and_its_address() {
    let redis = TestServer::start();
    let mut operator = redis.connection(0);
    let _: () = redis::cmd("CONFIG").arg(&["SET", "requirepass", "right"]).query(&mut operator).expect("set");
    let port = redis.port();
    for (url, words) in [
        (format!("redis://:hunter2@127.0.0.1:{port}/0"), "Password authentication failed"),
        (format!("redis://:right@127.0.0.1:{port}/99"), "DB index is out of range"),
    ] {
        let since = Instant::now();
        let broker = Broker::start(0, &[("USE_REDIS", "true"), ("REDIS_URL", &url)]).await;
        assert_eq!(broker.readiness().await.0, 503);
        // It is told again each minute: a Redis that was late at first has been told with another reason.
        let line = eventually("told with its words", 8 * SOON, async || {
            let log = broker.log();
            let mut lines = log.lines().filter(|line| line.contains("event=redis_not_reached database=main"));
            lines.find(|line| line.contains(words)).map(str::to_owned)
        })
        .await;
        let log = broker.log();
        assert!(line.contains(&format!("address=127.0.0.1:{port}/")), "{line}");
        assert!(!log.contains("hunter2") && !log.contains(":right@"), "{log}");
        let minutes = 1 + since.elapsed().as_secs() as usize / 60;
        let lines = log.matches("event=redis_not_reached").count();
        assert!(lines <= 4 * minutes, "one line a database and minute: {log}");
    }
}
