//! The contract on a real Redis, and what only Redis can do wrong: to hang, to die, to come back empty.

mod answers;
mod away;
mod feed;
mod flights;
mod groups;
mod leases;
mod logs;
mod membership;
mod options;
mod presence;
mod twins;
mod worker_queue;

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use sophie_kit::{TestServer, eventually};
use tokio::time::timeout;

use super::*;
use crate::ids::{NodeId, SessionId, random_text};
use crate::metrics::Metrics;
use crate::store::contract::{CACHE_MAX_ENTRY_BYTES, GROUP_EXPIRY_SECONDS, LOG_EVENTS, LOG_SECONDS, group, promises};
use crate::store::{PageSize, Row, RowSocket};

/// Long enough for a busy machine: budgets have tests of their own.
const PATIENT: Budgets = Budgets { append: Duration::from_secs(20), other: Duration::from_secs(20) };
const DEADLINE: Duration = Duration::from_secs(10);

/// [`super::connect`] where it is no matter how the dependencies are doing.
async fn connect(options: RedisOptions) -> Result<(Stores, RedisHealth), StoreError> {
    super::connect(options, &Metrics::new().dependencies).await
}

/// The same where a server answers, once each database has its connection: the first one is waited for only for a moment, which a
/// busy machine may take.
async fn connected(options: RedisOptions) -> (Stores, RedisHealth) {
    let (stores, health) = connect(options).await.expect("good options");
    eventually("each database to have its connection", DEADLINE, async || {
        health.look().await.iter().all(|look| look.away.is_none()).then_some(())
    })
    .await;
    (stores, health)
}

/// What comes of a call, once it is in time: the server of a busy machine may need longer than the budget.
async fn in_time<T, F: Future<Output = Result<T, StoreError>>>(call: impl Fn() -> F) -> T {
    eventually("an answer in time", DEADLINE, async || call().await.ok()).await
}

fn options(server: &TestServer, budgets: Budgets) -> RedisOptions {
    RedisOptions {
        url: server.url(0),
        cache_url: server.url(2),
        general_url: server.url(1),
        prefix: format!("test-{}", random_text(8)),
        channel_prefix: format!("asgi-{}", random_text(8)),
        node_key: NodeKey::random(),
        log_events: LOG_EVENTS,
        log_seconds: LOG_SECONDS,
        group_expiry_seconds: GROUP_EXPIRY_SECONDS,
        cache_ttl_seconds: 60,
        cache_max_entry_bytes: CACHE_MAX_ENTRY_BYTES,
        worker: DjangoEvent::ALL.to_vec(),
        wait_replicas: 0,
        budgets,
        bounds: Default::default(),
    }
}

/// One server for all tests that run at the same time; it ends with the last of them.
fn shared_server() -> Arc<TestServer> {
    static SHARED: Mutex<Weak<TestServer>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(TestServer::start());
        *shared = Arc::downgrade(&server);
        server
    })
}

struct InRedis {
    server: Arc<TestServer>,
    options: RedisOptions,
    stores: Stores,
}

impl InRedis {
    fn stores(&self) -> Stores {
        self.stores.clone()
    }

    /// Every key that Sophie writes has a TTL, whichever tests run beside this one.
    fn finish(self) {
        assert_every_key_expires(&self.server);
    }
}

fn assert_every_key_expires(server: &TestServer) {
    for db in [0, 1, 2] {
        let mut connection = server.connection(db);
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).expect("listed");
        for key in keys {
            let ttl: i64 = redis::cmd("TTL").arg(&key).query(&mut connection).expect("asked");
            assert_ne!(ttl, -1, "{key} has no TTL");
        }
    }
}

async fn in_redis() -> InRedis {
    in_redis_of(shared_server()).await
}

async fn in_redis_of(server: Arc<TestServer>) -> InRedis {
    let options = options(&server, PATIENT);
    let (stores, _) = connected(options.clone()).await;
    InRedis { server, options, stores }
}

mod contract {
    use super::*;

    promises!(tokio::test, in_redis);
}

async fn until_available(health: &RedisHealth, available: bool) {
    let mut watch = health.subscribe();
    let seen = timeout(DEADLINE, watch.wait_for(|now| *now == available)).await;
    assert!(seen.is_ok_and(|seen| seen.is_ok()), "not available={available} in time");
}

fn everything() -> PageSize {
    PageSize { events: 1_000, bytes: 1_000_000 }
}

/// The stores of another node on the same Redis.
async fn beside(redis: &InRedis) -> Stores {
    let options = RedisOptions { node_key: NodeKey::random(), ..redis.options.clone() };
    connected(options).await.0
}

fn row(node: &str, since_ms: u64, groups: &[&str]) -> Row {
    Row {
        channel: None,
        node: NodeId::from(node),
        user: crate::ids::UserId::from("alice"),
        groups: groups.iter().map(|name| (group(name), since_ms)).collect(),
        sockets: vec![RowSocket { since_ms, address: "10.0.0.1".parse().expect("an address"), queued_bytes: 0 }],
    }
}

fn session(name: &str) -> SessionId {
    SessionId::parse(name).expect("legal")
}

/// What a server carries out while `work` runs: the lines of MONITOR, in which the commands of scripts stand too.
async fn monitored(server: &TestServer, work: impl Future<Output = ()>) -> Vec<String> {
    use std::io::{BufRead, BufReader, Write};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", server.port())).expect("the server is up");
    stream.set_read_timeout(Some(DEADLINE)).expect("set");
    stream.write_all(b"MONITOR\r\n").expect("sent");
    let mut lines = BufReader::new(stream).lines().map(|line| line.expect("a line in time"));
    assert_eq!(lines.next().as_deref(), Some("+OK"));
    work.await;
    redis::cmd("ECHO").arg("over").query::<String>(&mut server.connection(0)).expect("echoed");
    lines.take_while(|line| !line.contains("\"over\"")).collect()
}
