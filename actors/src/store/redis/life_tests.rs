//! A server that comes back with an older state, and what nodes make of it that know more or less of it.

use std::sync::Arc;
use std::time::Duration;

use redis::Commands;
use sophie_kit::{TestServer, eventually};
use tokio::time::Instant;

use super::keys::Keys;
use super::life::Life;
use super::log_scripts::LogScripts;
use super::logs::RedisLogs;
use super::membership::RedisMembership;
use super::{Budgets, Database, Needs, RedisOptions, Source};
use crate::ids::{Epoch, GroupName, NodeId, NodeKey};
use crate::metrics::Metrics;
use crate::redis::Replicas;
use crate::store::contract::{event, group, node_info};
use crate::store::{Appended, LogState, Logs, Membership, NodeInfo, Once};

const PATIENT: Budgets = Budgets { append: Duration::from_secs(20), other: Duration::from_secs(20) };

/// A node that hears nothing of the others, so that it knows what it did itself, and no more.
struct Deaf {
    logs: RedisLogs,
    database: Database,
    scripts: Arc<LogScripts>,
    membership: RedisMembership,
    key: String,
}

impl Deaf {
    async fn node(server: &TestServer) -> Self {
        Self::node_with(server, 0, PATIENT).await
    }

    async fn node_with(server: &TestServer, wait_replicas: u32, budgets: Budgets) -> Self {
        let options = RedisOptions {
            url: server.url(0),
            cache_url: server.url(2),
            general_url: server.url(1),
            prefix: "life".into(),
            channel_prefix: "asgi".into(),
            node_key: NodeKey::random(),
            log_events: 100,
            log_seconds: 60,
            group_expiry_seconds: 60,
            cache_ttl_seconds: 60,
            cache_max_entry_bytes: 1_000,
            worker: Vec::new(),
            wait_replicas,
            budgets,
            bounds: Default::default(),
        };
        let source = Source::new(&server.url(0), &crate::redis::Bound::none()).expect("a good URL");
        let database = Database::open(
            "main",
            source.clone(),
            budgets,
            Vec::new(),
            Needs::default(),
            Metrics::new().dependencies.calls("main"),
        )
        .await;
        let keys = Keys::new(&options.prefix);
        let replicas = (wait_replicas > 0).then(|| Replicas::new(source, wait_replicas, keys.waited()));
        let scripts = Arc::new(LogScripts::new(&options, keys, "life:0:events".into(), Arc::new(Life::default())));
        let membership = RedisMembership::new(database.clone(), &options, scripts.clone());
        let logs = RedisLogs::new(database.clone(), scripts.clone(), replicas);
        let node = Self { logs, database, scripts, membership, key: options.node_key.as_str().to_owned() };
        node.again(async || node.scripts.claim(&node.database).await.ok()).await;
        node
    }

    /// What works at last: the connection is made anew meanwhile.
    async fn again<T, F: Future<Output = Option<T>>>(&self, call: impl Fn() -> F) -> T {
        eventually("it works", Duration::from_secs(10), call).await
    }

    async fn append(&self, group: &GroupName) -> (Epoch, u64) {
        let appended = self.again(async || self.logs.append(event(group, "x")).await.ok()).await;
        let Appended::New { epoch, seq, .. } = appended else { panic!("{appended:?}") };
        (epoch, seq)
    }

    async fn open(&self, group: &GroupName) -> LogState {
        self.again(async || self.logs.open(std::slice::from_ref(group)).await.ok()).await.remove(0)
    }

    async fn beat(&self) {
        let info = NodeInfo { node: NodeId::from(&*self.key), ..node_info() };
        self.again(async || self.membership.heartbeat(&info).await.ok()).await;
    }

    async fn claim(&self) -> String {
        self.again(async || self.scripts.claim(&self.database).await.ok()).await
    }
}

fn back(server: &mut TestServer) {
    server.kill();
    server.launch();
}

#[tokio::test]
async fn a_store_that_has_all_that_is_known_of_keeps_its_epochs() {
    let mut server = TestServer::start();
    let node = Deaf::node(&server).await;
    let team = group("team");
    let (epoch, _) = node.append(&team).await;
    for seq in 2..5 {
        server.save();
        back(&mut server);
        assert_eq!(node.append(&team).await, (epoch.clone(), seq));
    }
    assert_eq!(node.open(&team).await.began, 0);
}

#[tokio::test]
async fn a_store_that_lacks_something_begins_new_epochs_behind_what_it_has() {
    let mut server = TestServer::start();
    let node = Deaf::node(&server).await;
    let (team, other) = (group("team"), group("other"));
    let (epoch, _) = node.append(&team).await;
    let (calm, _) = node.append(&other).await;
    server.save();
    node.append(&team).await;
    back(&mut server);
    let (fresh, seq) = node.append(&team).await;
    assert_eq!(seq, 2);
    assert_ne!(fresh, epoch);
    assert_eq!(node.open(&team).await.began, 1);
    let state = node.open(&other).await;
    assert_ne!(state.head.epoch, calm, "what was lost may have been of any log");
    assert_eq!((state.head.seq, state.began), (1, 1));
}

#[tokio::test]
async fn a_node_that_died_with_the_server_may_have_known_more_than_who_vouched_for_it() {
    let mut server = TestServer::start();
    let (node, other) = (Deaf::node(&server).await, Deaf::node(&server).await);
    let team = group("team");
    let (epoch, _) = node.append(&team).await;
    other.claim().await;
    // The lease of a third one, which was heard of last before the server died.
    let lease = |dead: &str, ends: u64| -> () {
        redis::cmd("ZADD").arg("life:nodes").arg(ends).arg(dead).query(&mut server.connection(0)).expect("written")
    };
    lease("before", 1_000);
    lease("after", u32::MAX.into());
    server.save();
    back(&mut server);
    assert_eq!(other.open(&team).await.head.epoch, epoch, "who is alive knows of nothing more");
    let doubt = async |dead: &str| {
        other.again(async || other.scripts.doubt(&other.database, dead, 10).await.ok()).await;
        other.open(&team).await.head.epoch
    };
    assert_eq!(doubt("after").await, epoch, "it has lived to see that life");
    assert_ne!(doubt("before").await, epoch);
}

#[tokio::test]
async fn a_node_that_the_snapshot_did_not_know_of_and_that_died_with_the_server_is_doubted_too() {
    let mut server = TestServer::start();
    let node = Deaf::node(&server).await;
    let team = group("team");
    let (epoch, _) = node.append(&team).await;
    server.save();
    let late = Deaf::node(&server).await;
    late.beat().await;
    node.beat().await;
    // Nobody hears of it.
    late.append(&team).await;
    let key = late.key.clone();
    drop(late);
    back(&mut server);
    node.beat().await;
    assert_eq!(node.open(&team).await.head.epoch, epoch, "who is alive knows of nothing more");
    node.again(async || node.scripts.doubt(&node.database, &key, 10).await.ok()).await;
    assert_ne!(node.open(&team).await.head.epoch, epoch);
}

#[tokio::test]
async fn nobody_vouches_for_a_store_that_was_started_anew_under_new_nodes() {
    let mut server = TestServer::start();
    let node = Deaf::node(&server).await;
    let team = group("team");
    let (epoch, _) = node.append(&team).await;
    server.save();
    drop(node);
    let node = Deaf::node(&server).await;
    assert_eq!(node.open(&team).await.head.epoch, epoch, "a node was started anew, and nothing else");
    drop(node);
    back(&mut server);
    let node = Deaf::node(&server).await;
    assert_ne!(node.open(&team).await.head.epoch, epoch);
}

#[tokio::test]
async fn who_knows_more_than_who_came_first_makes_it_another_life_that_begins_where_the_first_began_it() {
    let mut server = TestServer::start();
    let (one, other) = (Deaf::node(&server).await, Deaf::node(&server).await);
    let (team, calm) = (group("team"), group("calm"));
    let (epoch, _) = one.append(&team).await;
    let (calm_epoch, _) = one.append(&calm).await;
    server.save();
    assert_eq!(other.append(&team).await, (epoch.clone(), 2));
    back(&mut server);
    assert_eq!(one.append(&team).await, (epoch.clone(), 2), "all that this node knew of is there");
    let state = other.open(&team).await;
    assert_ne!(state.head.epoch, epoch);
    assert_eq!((state.head.seq, state.began), (2, 1), "the other second event was never seen by this node");
    assert_ne!(other.open(&calm).await.head.epoch, calm_epoch);
    assert_eq!(one.append(&team).await, (state.head.epoch.clone(), 3));
    assert_eq!(other.open(&team).await.head.epoch, state.head.epoch, "one loss is one life");
    assert_eq!(one.claim().await, other.claim().await);
}

#[tokio::test]
async fn what_was_heard_of_an_earlier_life_counts_when_it_comes_late() {
    let mut server = TestServer::start();
    let node = Deaf::node(&server).await;
    let team = group("team");
    let (epoch, _) = node.append(&team).await;
    let life = node.claim().await;
    server.save();
    back(&mut server);
    assert_eq!(node.append(&team).await.0, epoch);
    assert_ne!(node.claim().await, life);
    node.scripts.heard(&life, 1);
    node.claim().await;
    assert_eq!(node.open(&team).await.head.epoch, epoch, "it was there");
    node.scripts.heard("another", 9);
    node.claim().await;
    assert_eq!(node.open(&team).await.head.epoch, epoch, "anybody may say so");
    node.scripts.heard(&life, 2);
    node.claim().await;
    assert_ne!(node.open(&team).await.head.epoch, epoch, "a second append was heard of, and is not here");
}

#[tokio::test]
async fn a_state_that_changes_under_an_open_connection_is_noticed_by_the_next_append() {
    let server = TestServer::start();
    let node = Deaf::node(&server).await;
    let team = group("team");
    let (epoch, _) = node.append(&team).await;
    let mut connection = server.connection(0);
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).expect("listed");
    let dump = |key: &String| redis::cmd("DUMP").arg(key).query(&mut server.connection(0)).expect("dumped");
    let kept: Vec<Vec<u8>> = keys.iter().map(dump).collect();
    node.append(&team).await;
    for (key, kept) in keys.iter().zip(kept) {
        let mut restore = redis::cmd("RESTORE");
        restore.arg(key).arg(60_000).arg(kept).arg("REPLACE");
        restore.query::<()>(&mut connection).expect("restored");
    }
    let (fresh, seq) = node.append(&team).await;
    assert_eq!(seq, 2);
    assert_ne!(fresh, epoch);
}

#[tokio::test]
async fn a_copy_that_takes_over_is_another_server_for_which_somebody_must_vouch() {
    let master = TestServer::start();
    let node = Deaf::node(&master).await;
    let team = group("team");
    let (epoch, _) = node.append(&team).await;
    let copy = TestServer::replica_of(&master);
    let until = Instant::now() + Duration::from_secs(10);
    while !master.is_copied() {
        assert!(Instant::now() < until, "no copy");
        node.append(&team).await;
    }
    let behind = node.open(&team).await.head.seq;
    redis::cmd("REPLICAOF").arg("NO").arg("ONE").query::<()>(&mut copy.connection(0)).expect("promoted");
    let at_copy = Deaf::node(&copy).await;
    let state = at_copy.open(&team).await;
    assert_ne!(state.head.epoch, epoch, "this node has never seen the log");
    assert_eq!(state.head.seq, behind);
}

#[tokio::test]
async fn an_id_outlives_a_loss_with_its_message() {
    let mut server = TestServer::start();
    let node = Deaf::node(&server).await;
    let team = group("team");
    let once = |id: &str| Once { scope: "s".into(), id: id.into(), fingerprint: "f".into(), seconds: 60 };
    let send = async |id: &str| {
        let append = crate::store::Append { once: Some(once(id)), ..event(&team, id) };
        node.again(async || node.logs.append(append.clone()).await.ok()).await
    };
    assert!(matches!(send("kept").await, Appended::New { seq: 1, .. }));
    server.save();
    assert!(matches!(send("lost").await, Appended::New { seq: 2, .. }));
    back(&mut server);
    assert!(matches!(send("kept").await, Appended::Again { seq: 1, .. }));
    assert!(matches!(send("lost").await, Appended::New { seq: 2, .. }));
    assert!(matches!(send("lost").await, Appended::Again { seq: 2, .. }));
    assert!(matches!(send("kept").await, Appended::Again { seq: 1, .. }));
}

#[tokio::test]
async fn an_append_that_too_few_replicas_have_is_not_confirmed_and_is_once_they_have_it() {
    let master = TestServer::start();
    let copy = TestServer::replica_of(&master);
    // Longer than a busy machine pauses: what an append waits for in vain are the replicas.
    let budgets = Budgets { append: Duration::from_secs(6), other: Duration::from_secs(20) };
    let node = Deaf::node_with(&master, 1, budgets).await;
    let team = group("team");
    let once = |id: &str| Once { scope: "s".into(), id: id.into(), fingerprint: "f".into(), seconds: 60 };
    let sent = |id: &str| crate::store::Append { once: Some(once(id)), ..event(&team, id) };
    let first = node.again(async || node.logs.append(sent("first")).await.ok()).await;
    assert!(matches!(first, Appended::New { seq: 1, .. } | Appended::Again { seq: 1, .. }), "{first:?}");
    assert!(copy.connection(0).xlen::<_, u64>("life:log:team").is_ok_and(|length| length == 1), "it is there by then");
    copy.freeze();
    let started = Instant::now();
    let waits = async { tokio::join!(node.logs.append(sent("second")), node.logs.append(sent("third"))) };
    let looks = async {
        // What waits holds nobody else up.
        while node.open(&team).await.head.seq < 3 {}
        started.elapsed()
    };
    let ((second, third), looked) = tokio::join!(waits, looks);
    let error = second.expect_err("nobody has it").to_string();
    assert!(error.contains("too few replicas"), "{error}");
    assert!(third.is_err());
    assert!(looked < budgets.append, "{looked:?}");
    copy.thaw();
    let again = node.again(async || node.logs.append(sent("second")).await.ok()).await;
    assert!(matches!(again, Appended::Again { .. }), "it was logged, and is confirmed now: {again:?}");
    assert_eq!(node.open(&team).await.head.seq, 3);
}
