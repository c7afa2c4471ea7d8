//! The contract on a real Redis, and what only Redis can do wrong: to hang, to die, to come back empty.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use sophie_kit::{TestServer, until};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::*;
use crate::ids::{AnswerId, GroupName, MessageId, NodeId, SessionId, random_text};
use crate::metrics::Metrics;
use crate::protocol::CacheStatus;
use crate::store::contract::{
    CACHE_MAX_ENTRY_BYTES, GROUP_EXPIRY_SECONDS, LOG_EVENTS, LOG_SECONDS, event, group, node_info, promises, running,
};
use crate::store::limits::{Bucket, Limit, Verdict};
use crate::store::{
    AnswerRecord, AnswerStart, Append, Appended, Boarding, Course, Ended, FLIGHT_LEASE_MS, Happened, Heard, Hearing,
    Leases, Once, Page, PageSize, Renewed, Row, RowSocket, Spread, Standing, StoredEvent, Told,
};

/// Long enough for a busy machine: budgets have tests of their own.
const PATIENT: Budgets = Budgets { append: Duration::from_secs(20), other: Duration::from_secs(20) };
const DEADLINE: Duration = Duration::from_secs(10);

/// [`super::connect`] where it is no matter how the dependencies are doing.
async fn connect(options: RedisOptions) -> Result<(Stores, RedisHealth), StoreError> {
    super::connect(options, &Metrics::new().dependencies).await
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
        worker: Kind::ALL.to_vec(),
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
    let server = shared_server();
    let options = options(&server, PATIENT);
    let (stores, _) = connect(options.clone()).await.expect("good options");
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
                stores.limits.admit(&bucket()).await.is_err()
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
        assert!(stores.limits.admit(&bucket()).await.is_err());
        assert!(stores.logs.append(event(&group("team"), "z")).await.is_err());
    }
    assert!(start.elapsed() < Duration::from_millis(50), "refused at once, but it took {:?}", start.elapsed());
    server.thaw();
    until_available(&health, true).await;
    assert!(matches!(stores.limits.admit(&bucket()).await, Ok(Verdict::Admitted { .. })));
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
async fn a_server_that_comes_back_empty_works_again_with_new_epochs() {
    let mut server = TestServer::start();
    let (stores, health) = connect(options(&server, Budgets::default())).await.expect("good options");
    until_available(&health, true).await;
    let team = group("team");
    let record = AnswerRecord {
        answer: crate::ids::AnswerId::random(),
        group: team.clone(),
        message: MessageId::random(&team),
        node: NodeId::random(),
        text: String::new(),
        start: None,
    };
    let before = stores.logs.open(std::slice::from_ref(&team)).await.expect("opened").remove(0);
    assert!(stores.answers.begin(&record, None).await.expect("begun"));
    stores.answers.renew(&record.answer, "some ").await.expect("renewed");
    assert!(!stores.membership.heartbeat(&node_info()).await.expect("beaten").known);
    server.kill();
    until_available(&health, false).await;
    assert!(stores.logs.open(std::slice::from_ref(&team)).await.is_err());
    server.launch();
    until_available(&health, true).await;
    let after = stores.logs.open(std::slice::from_ref(&team)).await.expect("opened").remove(0);
    assert_ne!(after.head.epoch, before.head.epoch);
    assert!(!stores.membership.heartbeat(&node_info()).await.expect("beaten").known, "the data was lost");
    // The writer lives: it hears that nothing is known, and tells all of it.
    assert_eq!(stores.answers.renew(&record.answer, "more").await.expect("asked"), Renewed::Unknown);
    let whole = AnswerRecord { text: "some more".into(), ..record };
    assert!(stores.answers.begin(&whole, None).await.expect("begun"));
    let key = redis::cmd("KEYS").arg("*:text").query::<Vec<String>>(&mut server.connection(0)).expect("listed");
    let text: String = redis::cmd("GET").arg(&key).query(&mut server.connection(0)).expect("read");
    assert_eq!(text, "some more");
    assert_every_key_expires(&server);
}

#[tokio::test]
async fn a_flush_begins_a_new_epoch() {
    let server = TestServer::start();
    let (stores, _) = connect(options(&server, PATIENT)).await.expect("good options");
    let team = group("team");
    let Ok(Appended::New { epoch, seq: 1, .. }) = stores.logs.append(event(&team, "x")).await else { panic!("stored") };
    redis::cmd("FLUSHALL").query::<()>(&mut server.connection(0)).expect("flushed");
    assert_eq!(stores.logs.read_after(&team, 0, everything()).await.expect("read"), Page::none());
    let Ok(Appended::New { epoch: fresh, seq: 1, .. }) = stores.logs.append(event(&team, "y")).await else {
        panic!("new")
    };
    assert_ne!(fresh, epoch);
}

#[tokio::test]
async fn a_stream_without_its_group_is_not_continued() {
    let redis = in_redis().await;
    let team = group("team");
    for _ in 0..5 {
        redis.stores.logs.append(event(&team, "old")).await.expect("stored");
    }
    let key = format!("{}:head:team", redis.options.prefix);
    redis::cmd("DEL").arg(key).query::<()>(&mut redis.server.connection(0)).expect("evicted");
    assert!(matches!(redis.stores.logs.append(event(&team, "new")).await, Ok(Appended::New { seq: 1, .. })));
    let page = redis.stores.logs.read_after(&team, 0, everything()).await.expect("read");
    assert_eq!(page.events.len(), 1);
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

/// The stores of another node on the same Redis.
async fn beside(redis: &InRedis) -> Stores {
    let options = RedisOptions { node_key: NodeKey::random(), ..redis.options.clone() };
    connect(options).await.expect("good options").0
}

async fn hear(stores: &Stores, most: usize) -> Vec<Heard> {
    let mut all = Vec::new();
    while all.len() < most {
        all.extend(timeout(DEADLINE, stores.feed.hear()).await.expect("in time"));
    }
    all
}

#[tokio::test]
async fn every_append_is_heard_by_every_node_in_order() {
    let redis = in_redis().await;
    let other = beside(&redis).await;
    for node in [&redis.stores, &other] {
        assert_eq!(hear(node, 1).await, [Heard::Resumed]);
    }
    let team = group("team");
    for n in 0..20 {
        redis.stores.logs.append(event(&team, &format!("{n} ü"))).await.expect("stored");
    }
    let record = running(&team);
    redis.stores.answers.begin(&record, None).await.expect("begun");
    redis.stores.answers.end(&record.answer, &team, "{\"end\":1}".into()).await.expect("ended");
    for (heard, number) in hear(&redis.stores, 21).await.into_iter().zip(1..) {
        assert!(matches!(heard, Heard::LoggedHere { group, seq, .. } if (&group, seq) == (&team, number)));
    }
    for (heard, number) in hear(&other, 21).await.into_iter().zip(1..) {
        let Heard::Logged { group, event, .. } = heard else { panic!("{heard:?}") };
        assert_eq!((event.seq, &group), (number, &team));
        let body = if number == 21 { "{\"end\":1}".to_owned() } else { format!("{{\"text\":\"{} ü\"}}", number - 1) };
        assert_eq!(&*event.body, body);
    }
}

#[tokio::test]
async fn an_answer_is_told_to_the_other_nodes_as_it_is_saved() {
    let redis = in_redis().await;
    let other = beside(&redis).await;
    assert_eq!(hear(&other, 1).await, [Heard::Resumed]);
    let record = AnswerRecord {
        answer: AnswerId::random(),
        group: group("team"),
        message: MessageId::random(&group("team")),
        node: NodeId::random(),
        text: String::new(),
        start: None,
    };
    let (answer, answers) = (&record.answer, &redis.stores.answers);
    let start = AnswerStart { model: "m".into(), cache: CacheStatus::Miss };
    answers.begin(&record, None).await.expect("begun");
    answers.start(&AnswerRecord { start: Some(start.clone()), ..record.clone() }).await.expect("started");
    for more in ["hé", "llo"] {
        answers.renew(answer, more).await.expect("renewed");
    }
    let grew = |offset, text: &str| {
        Heard::Told(Told::Grew { group: record.group.clone(), answer: answer.clone(), offset, text: text.into() })
    };
    let (group, message) = (record.group.clone(), record.message.clone());
    let started = Heard::Told(Told::Started { group, answer: answer.clone(), message, start });
    assert_eq!(hear(&other, 3).await, [started, grew(0, "hé"), grew(2, "llo")]);
}

#[tokio::test]
async fn a_node_that_was_cut_off_hears_so_when_it_is_back() {
    let redis = in_redis().await;
    let other = beside(&redis).await;
    assert_eq!(hear(&other, 1).await, [Heard::Resumed]);
    let mut connection = redis.server.connection(0);
    let cut: u64 = redis::cmd("CLIENT").arg(&["KILL", "TYPE", "pubsub"]).query(&mut connection).expect("cut");
    assert!(cut > 0);
    assert_eq!(hear(&other, 1).await, [Heard::Resumed]);
    redis.stores.feed.tell(&Told::Cancelled { answer: AnswerId::from("a") }).await.expect("told");
    assert_eq!(hear(&other, 1).await, [Heard::Told(Told::Cancelled { answer: AnswerId::from("a") })]);
}

#[tokio::test]
async fn a_group_that_somebody_is_in_lives_on() {
    let redis = in_redis().await;
    redis.stores.logs.open(&[group("team")]).await.expect("opened");
    let mut connection = redis.server.connection(0);
    for name in ["groups", "head:team"] {
        let key = format!("{}:{name}", redis.options.prefix);
        redis::cmd("EXPIRE").arg(key).arg(20).query::<()>(&mut connection).expect("aged");
    }
    redis.stores.membership.join(&[group("team"), group("unknown")]).await.expect("joined");
    for name in ["groups", "head:team"] {
        let key = format!("{}:{name}", redis.options.prefix);
        let ttl: i64 = redis::cmd("TTL").arg(key).query(&mut connection).expect("asked");
        assert!(ttl > 20, "{name} has {ttl} s left");
    }
    assert_eq!(redis.stores.groups.info(&group("unknown")).await.expect("asked"), None);
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

#[tokio::test]
async fn sessions_are_seen_from_other_nodes_once_wherever_they_are() {
    let redis = in_redis().await;
    let (beside_two, beside_three) = (beside(&redis).await, beside(&redis).await);
    let (here, there, third) =
        (redis.stores.presence.clone(), beside_two.presence.clone(), beside_three.presence.clone());
    let (a, b) = (session("a"), session("b"));
    here.write(&[(a.clone(), Some(row("n1", 1, &["team", "chat_a"]))), (b.clone(), Some(row("n1", 2, &["team"])))])
        .await
        .expect("written");
    there.write(&[(a.clone(), Some(row("n2", 3, &["team"])))]).await.expect("written");
    for stores in [&redis.stores, &beside_two, &beside_three] {
        stores.membership.heartbeat(&node_info()).await.expect("beaten");
    }
    let (team, home) = (group("team"), group("chat_a"));
    let spread = |members, other_nodes| Spread { members, other_nodes };
    let both = [team.clone(), home.clone()];
    assert_eq!(third.spread(&both).await.expect("read"), [spread(2, 2), spread(1, 1)]);
    assert_eq!(here.spread(&both).await.expect("read"), [spread(2, 1), spread(1, 0)]);
    let members = third.members(&team, 10).await.expect("read");
    assert_eq!(
        members.iter().map(|(session, rows)| (session.as_str(), rows.len())).collect::<Vec<_>>(),
        [("a", 2), ("b", 1)]
    );
    assert_eq!(here.members(&team, 10).await.expect("read"), [(a.clone(), vec![row("n2", 3, &["team"])])]);
    let listed = third.sessions("", Some("a"), 10).await.expect("read").rows;
    assert_eq!(listed, [(b.clone(), vec![row("n1", 2, &["team"])])]);
    assert_eq!(there.sessions("", None, 1).await.expect("read").rows[0].0, a);
    // It leaves one group and one node: it is in the other still.
    here.write(&[(a.clone(), Some(row("n1", 1, &["chat_a"])))]).await.expect("written");
    assert_eq!(third.spread(&both).await.expect("read"), [spread(2, 2), spread(1, 1)]);
    there.write(&[(a.clone(), None)]).await.expect("written");
    assert_eq!(third.spread(&both).await.expect("read"), [spread(1, 1), spread(1, 1)]);
    here.write(&[(a.clone(), None), (b, None)]).await.expect("written");
    assert_eq!(third.spread(&both).await.expect("read"), [spread(0, 0), spread(0, 0)]);
    assert_eq!(third.sessions("", None, 10).await.expect("read").rows, []);
    assert_eq!(third.session(&a).await.expect("read"), []);
    redis.finish();
}

#[tokio::test]
async fn what_a_dead_node_left_is_found_and_removed_by_the_others() {
    let redis = in_redis().await;
    let others = beside(&redis).await;
    let groups: Vec<GroupName> = (0..700).map(|n| group(&format!("team-{n}"))).collect();
    let rows: Vec<_> = (0..700).map(|n| (session(&format!("s{n}")), Some(row("n1", 1, &["team"])))).collect();
    let dead = redis.options.node_key.as_str();
    redis.stores.membership.join(&groups).await.expect("joined");
    redis.stores.presence.write(&rows).await.expect("written");
    for stores in [&redis.stores, &others] {
        assert_eq!(stores.membership.heartbeat(&node_info()).await.expect("beaten").dead, Vec::<String>::new());
    }
    assert_eq!(others.presence.nodes().await.expect("read"), [node_info()]);
    // Its lease runs out.
    let nodes = format!("{}:nodes", redis.options.prefix);
    redis::cmd("ZADD").arg(nodes).arg(1).arg(dead).query::<()>(&mut redis.server.connection(0)).expect("aged");
    assert_eq!(others.membership.heartbeat(&node_info()).await.expect("beaten").dead, [dead]);
    assert!(!others.presence.forget(dead).await.expect("removed"), "a share at a time");
    while !others.presence.forget(dead).await.expect("removed") {}
    assert_eq!(others.presence.members(&group("team"), 10).await.expect("read"), []);
    let mut left = std::collections::BTreeSet::new();
    loop {
        let some = others.membership.left_by(dead).await.expect("read");
        if some.is_empty() {
            break;
        }
        others.membership.cleared(dead, &some).await.expect("cleared");
        left.extend(some);
    }
    assert_eq!(left.len(), 700);
    others.membership.bury(dead).await.expect("buried");
    assert_eq!(others.membership.heartbeat(&node_info()).await.expect("beaten").dead, Vec::<String>::new());
    redis.finish();
}

#[tokio::test]
async fn who_takes_the_name_of_a_node_that_has_stopped_takes_its_place_and_of_no_other() {
    let redis = in_redis().await;
    let options = RedisOptions { node_key: NodeKey::random(), ..redis.options.clone() };
    let (again, _) = connect(options).await.expect("good options");
    let first = redis.stores.membership.heartbeat(&node_info()).await.expect("beaten");
    assert_eq!((first.known, first.namesake), (false, None));
    let beat = again.membership.heartbeat(&node_info()).await.expect("beaten");
    let holder = redis.options.node_key.as_str().to_owned();
    let namesake = beat.namesake.expect("the first one");
    assert_eq!((beat.known, namesake.key, beat.dead), (false, holder.clone(), vec![]));
    assert_eq!(first.life, beat.life);
    // The first one lives, and shows it.
    let until = Instant::now() + DEADLINE;
    loop {
        redis.stores.membership.heartbeat(&node_info()).await.expect("beaten");
        let beat = again.membership.heartbeat(&node_info()).await.expect("beaten");
        // Two beats may come in one millisecond.
        if beat.namesake.expect("it lives").renewed_ms > namesake.renewed_ms {
            break;
        }
        assert!(Instant::now() < until, "it does not show that it lives");
    }
    // It stops.
    let until = Instant::now() + DEADLINE;
    loop {
        let beat = again.membership.heartbeat(&node_info()).await.expect("beaten");
        if beat.namesake.is_none() {
            break assert_eq!((beat.known, beat.dead), (true, vec![holder]));
        }
        assert_eq!(beat.dead, Vec::<String>::new(), "nobody is buried before that");
        assert!(Instant::now() < until, "never free");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!redis.stores.membership.heartbeat(&node_info()).await.expect("beaten").known, "it was buried");
}

/// Two nodes; the first has written the rows of 350 sessions of one group.
async fn with_rows(one: RedisOptions, other: RedisOptions) -> (Stores, Stores) {
    let ((here, _), (there, _)) =
        (connect(one).await.expect("good options"), connect(other).await.expect("good options"));
    let rows: Vec<_> = (0..350)
        .map(|n| (SessionId::parse(&format!("s{n:03}")).expect("legal"), Some(row("n1", n, &["team"]))))
        .collect();
    here.presence.write(&rows).await.expect("written");
    (here, there)
}

#[tokio::test]
async fn members_whose_rows_are_gone_hide_no_others() {
    let server = TestServer::start();
    let one = options(&server, PATIENT);
    let other = RedisOptions { node_key: NodeKey::random(), ..one.clone() };
    let prefix = one.prefix.clone();
    let (_here, there) = with_rows(one, other).await;
    let mut connection = server.connection(0);
    // Some of the first page, and all of the second.
    for n in (0..100).step_by(3).chain(100..200) {
        redis::cmd("DEL").arg(format!("{prefix}:here:s{n:03}")).query::<()>(&mut connection).expect("deleted");
    }
    // One that cannot be read stays, and is no member that is known.
    redis::cmd("DEL").arg(format!("{prefix}:here:s001")).query::<()>(&mut connection).expect("deleted");
    redis::cmd("SET").arg(&[format!("{prefix}:here:s001"), "junk".into()]).query::<()>(&mut connection).expect("set");
    let expected: Vec<String> =
        (0..350).filter(|n| *n >= 200 || (n % 3 > 0 && *n < 100 && *n != 1)).map(|n| format!("s{n:03}")).collect();
    let names = async |limit| {
        let members = there.presence.members(&group("team"), limit).await.expect("read");
        members.iter().map(|(session, _)| session.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(350).await, expected);
    // Now that they are gone.
    assert_eq!(names(350).await, expected);
    assert_eq!(names(120).await, expected[..119]);
}

#[tokio::test]
async fn a_row_that_redis_lost_is_noticed_and_counts_for_nothing() {
    let redis = in_redis().await;
    let (here, third) = (redis.stores.presence.clone(), beside(&redis).await);
    redis.stores.membership.heartbeat(&node_info()).await.expect("beaten");
    let (a, b, team) = (session("a"), session("b"), group("team"));
    let rows = [(a.clone(), Some(row("n1", 1, &["team"]))), (b.clone(), Some(row("n1", 2, &["team"])))];
    here.write(&rows).await.expect("written");
    let spread = async || third.presence.spread(std::slice::from_ref(&team)).await.expect("read")[0];
    assert_eq!(spread().await, Spread { members: 2, other_nodes: 1 });
    let lose = |session: &str| {
        let key = format!("{}:here:{session}", redis.options.prefix);
        redis::cmd("DEL").arg(key).query::<()>(&mut redis.server.connection(0)).expect("deleted");
    };
    // It is noticed, and written anew.
    lose("a");
    assert_eq!(here.missing(&[a.clone(), b.clone()], &[]).await.expect("looked at"), std::slice::from_ref(&a));
    here.write(&rows[..1]).await.expect("written");
    assert_eq!(here.missing(&[a.clone(), b.clone()], &[]).await.expect("looked at"), []);
    // Both go, one before it was noticed.
    lose("a");
    here.write(&[(a, None), (b.clone(), None)]).await.expect("written");
    assert_eq!(spread().await, Spread::default());
    // Of a node that died, another one notices.
    here.write(&rows[1..]).await.expect("written");
    lose("b");
    for _ in 0..3 {
        third.presence.missing(&[], std::slice::from_ref(&team)).await.expect("looked at");
    }
    assert_eq!(spread().await.members, 0);
    let dead = redis.options.node_key.as_str();
    redis.stores.membership.join(std::slice::from_ref(&team)).await.expect("joined");
    third.membership.cleared(dead, std::slice::from_ref(&team)).await.expect("cleared");
    third.membership.bury(dead).await.expect("buried");
    assert_eq!(spread().await, Spread::default());
    redis.finish();
}

#[tokio::test]
async fn one_key_of_a_wrong_type_keeps_no_other_row_from_being_written_or_removed() {
    let redis = in_redis().await;
    let (here, other) = (redis.stores.presence.clone(), beside(&redis).await);
    let key = |name: &str| format!("{}:{name}", redis.options.prefix);
    let rows: Vec<_> = ["a", "b", "c"].map(|name| (session(name), Some(row("n1", 1, &["team"])))).into();
    here.write(&rows).await.expect("written");
    let mut connection = redis.server.connection(0);
    for (key, value) in [(key("here:b"), "junk"), (key("members:bad"), "junk")] {
        redis::cmd("SET").arg(key).arg(value).arg("EX").arg(60).query::<()>(&mut connection).expect("set");
    }
    assert!(matches!(here.write(&rows[1..2]).await, Err(StoreError::Corrupt(_))));
    let dead = redis.options.node_key.as_str();
    while !other.presence.forget(dead).await.expect("removed") {}
    let members = other.presence.members(&group("team"), 10).await.expect("read");
    assert_eq!(members, [], "{members:?}");
}

#[tokio::test]
async fn the_index_forgets_groups_that_expired() {
    let redis = in_redis().await;
    let mut connection = redis.server.connection(0);
    let groups: Vec<GroupName> = (0..300).map(|n| group(&format!("gone-{n}"))).collect();
    redis.stores.logs.open(&groups).await.expect("opened");
    for name in &groups {
        let key = format!("{}:head:{name}", redis.options.prefix);
        redis::cmd("DEL").arg(key).query::<()>(&mut connection).expect("expired");
    }
    let fresh: Vec<GroupName> = (0..300).map(|n| group(&format!("fresh-{n}"))).collect();
    for name in &fresh {
        redis.stores.logs.open(std::slice::from_ref(name)).await.expect("opened");
    }
    let index = format!("{}:groups", redis.options.prefix);
    let size: usize = redis::cmd("ZCARD").arg(&index).query(&mut connection).expect("counted");
    assert!((300..450).contains(&size), "{size} entries: new groups make room");
    let listed = redis.stores.groups.list("", None, 1_000).await.expect("listed");
    assert_eq!(listed.len(), 300);
    let size: usize = redis::cmd("ZCARD").arg(&index).query(&mut connection).expect("counted");
    assert_eq!(size, 300, "listing drops the rest");
}

#[tokio::test]
async fn an_answer_that_begins_while_redis_is_away_gets_its_lease_when_it_is_back() {
    let mut server = TestServer::absent();
    let (stores, health) = connect(options(&server, PATIENT)).await.expect("good options");
    let record = AnswerRecord {
        answer: AnswerId::random(),
        group: group("away"),
        message: MessageId::random(&group("away")),
        node: NodeId::random(),
        text: String::new(),
        start: None,
    };
    assert!(stores.answers.begin(&record, None).await.is_err());
    server.launch();
    until_available(&health, true).await;
    assert_eq!(stores.answers.renew(&record.answer, "half").await.expect("back"), Renewed::Unknown);
    assert!(stores.answers.begin(&AnswerRecord { text: "half".into(), ..record }, None).await.expect("begun"));
    let mut connection = server.connection(0);
    let keys: Vec<String> = redis::cmd("KEYS").arg("*:answer:*").query(&mut connection).expect("listed");
    assert_eq!(keys.len(), 2, "the record and its text: {keys:?}");
}

#[tokio::test]
async fn a_renewal_may_be_repeated() {
    let redis = in_redis().await;
    let team = group("team");
    let record = AnswerRecord {
        answer: crate::ids::AnswerId::random(),
        group: team.clone(),
        message: MessageId::random(&team),
        node: NodeId::random(),
        text: String::new(),
        start: None,
    };
    assert!(redis.stores.answers.begin(&record, None).await.expect("begun"));
    redis.stores.answers.renew(&record.answer, "one ").await.expect("renewed");
    // As if a renewal with "two " had been carried out, and its reply lost.
    let key = format!("{}:answer:{}:text", redis.options.prefix, record.answer);
    let mut connection = redis.server.connection(0);
    redis::cmd("APPEND").arg(&key).arg("two ").query::<()>(&mut connection).expect("written");
    assert_eq!(redis.stores.answers.renew(&record.answer, "two three").await.expect("renewed"), Renewed::Held);
    let text: String = redis::cmd("GET").arg(&key).query(&mut connection).expect("read");
    assert_eq!(text, "one two three");
}

#[tokio::test]
async fn django_finds_cached_answers_under_its_own_key() {
    let redis = in_redis().await;
    let digest = random_text(64);
    let mut connection = redis.server.connection(2);
    let key = format!(":1:sophie:answer:{digest}");
    redis::cmd("SET").arg(&key).arg("junk").arg("EX").arg(60).query::<()>(&mut connection).expect("set");
    assert_eq!(redis.stores.cache.get(&digest).await.expect("asked"), None, "what cannot be read is a miss");
    let answer = crate::store::CachedAnswer {
        model: "m".into(),
        text: "Grüße".into(),
        finish_reason: "stop".into(),
        created_at: "2025-10-09T08:53:20.123Z".into(),
        usage: None,
        chunks: vec![],
    };
    redis.stores.cache.put(&digest, &answer, None).await.expect("kept");
    let json: String = redis::cmd("GET").arg(&key).query(&mut connection).expect("read");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).expect("JSON")["text"], "Grüße");
    let ttl: i64 = redis::cmd("PTTL").arg(&key).query(&mut connection).expect("asked");
    assert!((1..=60_000).contains(&ttl));
}

#[tokio::test]
async fn a_wrong_type_under_our_key_is_told_and_costs_no_connection() {
    let redis = in_redis().await;
    let (stores, health) = connect(redis.options.clone()).await.expect("good options");
    let key = format!("{}:head:team", redis.options.prefix);
    let mut connection = redis.server.connection(0);
    redis::cmd("SET").arg(&key).arg("x").arg("EX").arg(60).query::<()>(&mut connection).expect("set");
    let error = stores.logs.append(event(&group("team"), "x")).await.expect_err("a wrong type");
    assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
    assert!(health.available());
}

#[test]
fn options_show_no_password() {
    let server = TestServer::absent();
    let shown = RedisOptions {
        url: "redis://ann:secret@127.0.0.1:1/0".into(),
        cache_url: "rediss://:secret@cache.example/2".into(),
        ..options(&server, PATIENT)
    };
    let text = format!("{shown:?}");
    assert!(!text.contains("secret") && text.contains("127.0.0.1:1/0"), "{text}");
}

#[tokio::test]
async fn a_url_that_cannot_be_read_is_an_error_that_does_not_repeat_it() {
    let server = TestServer::absent();
    let bad = RedisOptions { url: "http://:secret@x".into(), ..options(&server, PATIENT) };
    let error = connect(bad).await.err().expect("not a Redis URL");
    assert!(!error.to_string().contains("secret"));
}

#[tokio::test]
async fn what_happens_waits_for_the_worker_in_order_until_it_is_done() {
    let redis = in_redis().await;
    let (stores, team) = (&redis.stores, group("team"));
    let record = AnswerRecord {
        answer: AnswerId::random(),
        group: team.clone(),
        message: MessageId::random(&team),
        node: NodeId::random(),
        text: String::new(),
        start: None,
    };
    // What cannot be read, as of a later version, holds nobody up.
    for _ in 0..100 {
        let mut add = redis::cmd("XADD");
        add.arg(format!("{}:outbox", redis.options.prefix)).arg("*").arg("t").arg("{\"told\":\"later\"}");
        add.exec(&mut redis.server.connection(0)).expect("added");
    }
    assert_eq!(stores.outbox.waiting().await.expect("read"), []);
    stores.logs.append(event(&team, "one")).await.expect("stored");
    let start = AnswerStart { model: "m".into(), cache: CacheStatus::Miss };
    stores.answers.begin(&record, None).await.expect("begun");
    stores.answers.start(&AnswerRecord { start: Some(start), ..record.clone() }).await.expect("started");
    stores.answers.renew(&record.answer, "hi").await.expect("renewed");
    stores.answers.end(&record.answer, &team, "{\"end\":1}".into()).await.expect("ended");
    let waiting = beside(&redis).await.outbox.waiting().await.expect("read");
    let happened: Vec<&Happened> = waiting.iter().map(|entry| &entry.happened).collect();
    let body = |event: &str| event.to_owned().into();
    assert_eq!(happened[0], &Happened::Logged(StoredEvent { seq: 1, body: body("{\"text\":\"one\"}") }));
    assert!(matches!(happened[1], Happened::Told(Told::Started { .. })));
    assert!(matches!(happened[2], Happened::Told(Told::Grew { offset: 0, .. })));
    assert_eq!(happened[3], &Happened::Logged(StoredEvent { seq: 2, body: body("{\"end\":1}") }));
    stores.outbox.done(&waiting[0].id).await.expect("done");
    assert_eq!(stores.outbox.waiting().await.expect("read"), waiting[1..]);
    redis.finish();
}

#[tokio::test]
async fn one_node_at_a_time_has_a_turn() {
    let redis = in_redis().await;
    let other = beside(&redis).await;
    assert!(redis.stores.leases.hold("t", 1).await.expect("asked"));
    assert!(!other.leases.hold("t", 1).await.expect("asked"));
    assert!(redis.stores.leases.hold("t", 1).await.expect("renewed"));
    let until = Instant::now() + DEADLINE;
    while !other.leases.hold("t", 1).await.expect("asked") {
        assert!(Instant::now() < until, "a turn that is not renewed ends");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    redis.finish();
}

#[tokio::test]
async fn equal_ones_have_the_same_numbers_at_every_node_that_hears_them() {
    let redis = in_redis().await;
    let (one, other) = (redis.stores.leases.clone(), beside(&redis).await.leases);
    let heard = async |node: &Arc<dyn Leases>, name: &str, ago: u64, listening: u64| {
        let before = |ms| Instant::now() - Duration::from_millis(ms);
        let hearing = Hearing { what: "team d", name, at: before(ago), since: before(listening) };
        node.number(&hearing, 1).await.expect("numbered")
    };
    let number = async |node: &Arc<dyn Leases>, name: &str| heard(node, name, 300, 60_000).await;
    let first = number(&one, "a1").await;
    assert_eq!(first, number(&one, "a1").await, "asked again, since the reply was lost");
    assert_eq!(first, number(&other, "b1").await);
    let second = number(&other, "b2").await;
    assert_ne!(first, second);
    assert_eq!(second, number(&one, "a2").await);
    // A node that begins to listen has not heard what others heard before, but what they heard since.
    let late = beside(&redis).await.leases;
    assert_eq!(heard(&late, "c1", 0, 0).await, heard(&one, "a3", 0, 60_000).await);
    let before = heard(&one, "a4", 500, 60_000).await;
    let new = heard(&late, "c2", 0, 100).await;
    assert_ne!(before, new);
    assert_eq!(heard(&one, "a5", 0, 60_000).await, new);
    // Much later an equal one is another one.
    let until = Instant::now() + DEADLINE;
    let key = format!("{}:heard:team d", redis.options.prefix);
    while redis::cmd("EXISTS").arg(&key).query::<bool>(&mut redis.server.connection(0)).expect("asked") {
        assert!(Instant::now() < until, "never forgotten");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let third = number(&one, "a6").await;
    assert!(third != first && third != second);
    redis.finish();
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
    let connected = super::connect(options(&server, Budgets::default()), &metrics.dependencies);
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
        assert!(stores.limits.admit(&bucket()).await.is_err());
        assert!(stores.logs.append(event(&group("team"), "x")).await.is_err());
    }
    assert!(start.elapsed() < Duration::from_millis(90), "all of it within one budget: {:?}", start.elapsed());
    server.thaw();
    until_available(&health, true).await;
    let deadline = Instant::now() + DEADLINE;
    while metrics.dependencies.store.is_degraded() || metrics.dependencies.cache.is_degraded() {
        assert!(Instant::now() < deadline, "never well again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_flight_whose_lease_ran_out_lands_for_those_who_wait_for_it() {
    let redis = in_redis().await;
    let flights = &redis.stores.flights;
    let digest = random_text(16);
    let Ok(Boarding::Lead(flight)) = flights.board(&digest, false).await else { panic!("nobody else leads") };
    let other = beside(&redis).await.flights;
    assert_eq!(other.board(&digest, false).await.expect("asked"), Boarding::Follow(flight.clone()));
    // As after an outage longer than the lease.
    let key = format!("{}:flight:{digest}", redis.options.prefix);
    let gone: usize = redis::cmd("DEL").arg(&key).query(&mut redis.server.connection(0)).expect("deleted");
    assert_eq!(gone, 1);
    assert!(!flights.land(&flight, false, "{}").await.expect("asked"), "somebody may need the chunks");
    flights.add(&flight, 0, &["one".into()]).await.expect("added");
    assert!(flights.land(&flight, true, "{}").await.expect("asked"));
    let (chunks, course) = other.read(&flight, 0).await.expect("read");
    assert_eq!((chunks, course), (vec!["one".into()], Course::Landed("{}".into())));
}

#[tokio::test]
async fn a_server_that_is_in_time_for_pings_alone_costs_few_calls_their_budget() {
    let (server, metrics) = (TestServer::start(), Metrics::new());
    let limits = metrics.dependencies.limits.clone();
    let source = Source::new(&server.url(0), &crate::redis::Bound::none()).expect("a good URL");
    let database = Database::open("main", source, Budgets::default(), vec![limits.clone()], Needs::default()).await;
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

async fn flights() -> (InRedis, Stores, String) {
    let redis = in_redis().await;
    let other = beside(&redis).await;
    (redis, other, random_text(64))
}

fn lines(texts: &[&str]) -> Vec<bytestring::ByteString> {
    texts.iter().map(|&text| text.into()).collect()
}

#[tokio::test]
async fn one_node_leads_a_flight_and_the_others_read_all_of_it() {
    let (redis, other, digest) = flights().await;
    let (one, two) = (redis.stores.flights.clone(), other.flights.clone());
    let Ok(Boarding::Lead(flight)) = one.board(&digest, false).await else { panic!("nobody else leads") };
    assert_eq!(one.add(&flight, 0, &[]).await.expect("added"), Standing::Alone);
    assert_eq!(two.board(&digest, false).await.expect("asked"), Boarding::Follow(flight.clone()));
    for _ in 0..2 {
        assert_eq!(one.add(&flight, 0, &lines(&["a", "b"])).await.expect("added"), Standing::Followed, "repeated");
    }
    assert_eq!(two.read(&flight, 1).await.expect("read"), (lines(&["b"]), Course::Flying));
    assert!(!one.give_up(&flight, false).await.expect("asked"), "somebody follows");
    assert!(!one.land(&flight, false, "{}").await.expect("asked"), "somebody needs the rest first");
    assert_eq!(one.add(&flight, 2, &lines(&["c"])).await.expect("added"), Standing::Followed);
    assert!(one.land(&flight, true, "{\"end\":1}").await.expect("landed"));
    assert_eq!(two.read(&flight, 2).await.expect("read"), (lines(&["c"]), Course::Landed("{\"end\":1}".into())));
    assert_eq!(two.board(&digest, false).await.expect("asked"), Boarding::Landed);
    assert!(matches!(two.board(&digest, true).await, Ok(Boarding::Lead(anew)) if anew != flight));
    redis.finish();
}

#[tokio::test]
async fn a_flight_that_nobody_follows_any_more_may_be_given_up_and_is_lost_to_who_comes_late() {
    let (redis, other, digest) = flights().await;
    let (one, two) = (redis.stores.flights.clone(), other.flights.clone());
    let Ok(Boarding::Lead(flight)) = one.board(&digest, false).await else { panic!("nobody else leads") };
    two.board(&digest, false).await.expect("follows");
    two.leave(&flight).await.expect("left");
    assert_eq!(one.add(&flight, 0, &[]).await.expect("added"), Standing::Alone);
    assert!(one.give_up(&flight, false).await.expect("given up"));
    assert_eq!(two.read(&flight, 0).await.expect("read").1, Course::Lost);
    let Ok(Boarding::Lead(next)) = two.board(&digest, false).await else { panic!("free to be led") };
    assert_eq!(one.add(&flight, 0, &lines(&["late"])).await.expect("asked"), Standing::Lost);
    assert!(one.give_up(&flight, true).await.expect("nothing of ours"));
    assert_eq!(two.add(&next, 0, &[]).await.expect("added"), Standing::Alone, "another's is left alone");
    redis.finish();
}

#[tokio::test]
async fn a_leader_that_is_not_heard_of_is_lost_and_one_that_comes_back_in_time_is_not() {
    let (redis, other, digest) = flights().await;
    let Ok(Boarding::Lead(flight)) = redis.stores.flights.board(&digest, false).await else { panic!("leads") };
    let key = format!("{}:flight:{digest}", redis.options.prefix);
    let life: u64 = redis::cmd("PTTL").arg(&key).query(&mut redis.server.connection(0)).expect("asked");
    assert!(life <= FLIGHT_LEASE_MS, "{life}");
    redis::cmd("DEL").arg(&key).exec(&mut redis.server.connection(0)).expect("as if the lease had run out");
    assert_eq!(other.flights.read(&flight, 0).await.expect("read").1, Course::Lost);
    redis.stores.flights.add(&flight, 0, &[]).await.expect("known again");
    assert_eq!(other.flights.read(&flight, 0).await.expect("read").1, Course::Flying);
    redis.finish();
}

#[tokio::test]
async fn what_could_not_be_told_is_in_the_log_once_however_often_it_is_tried() {
    let server = TestServer::start();
    redis::cmd("ACL")
        .arg("SETUSER")
        .arg("mute")
        .arg(&["on", ">pw", "~*", "+@all", "resetchannels"])
        .query::<()>(&mut server.connection(0))
        .expect("a user");
    let mut options = options(&server, PATIENT);
    options.url = options.url.replace("//", "//mute:pw@");
    let (stores, _) = connect(options).await.expect("good options");
    let team = group("team");
    let once = Once { scope: "s".into(), id: "1".into(), fingerprint: "f".into(), seconds: 60 };
    let sent = Append { message: Some(MessageId::from("m1")), once: Some(once), ..event(&team, "x") };
    stores.logs.append(sent.clone()).await.expect_err("nobody may be told");
    for _ in 0..3 {
        let again = stores.logs.append(sent.clone()).await.expect("known");
        assert!(matches!(again, Appended::Again { seq: 1, .. }), "{again:?}");
    }
    let record = running(&team);
    let answer = record.answer.clone();
    stores.answers.begin(&record, None).await.expect("begun");
    stores.answers.end(&answer, &team, "{}".into()).await.expect_err("nobody may be told");
    for _ in 0..3 {
        assert_eq!(stores.answers.end(&answer, &team, "{}".into()).await.expect("known"), Ended::Before { seq: 2 });
    }
    assert_eq!(stores.logs.read_after(&team, 0, everything()).await.expect("read").events.len(), 2);
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

#[tokio::test]
async fn what_is_read_of_a_log_is_what_was_asked_for() {
    let server = TestServer::start();
    let options = RedisOptions { log_seconds: 3_600, ..options(&server, PATIENT) };
    let (stores, _) = connect(options).await.expect("good options");
    let team = group("team");
    for _ in 0..60 {
        stores.logs.append(event(&team, &"x".repeat(8_000))).await.expect("stored");
    }
    for (size, most) in [
        (PageSize { events: 1, bytes: 262_144 }, 2),
        (PageSize { events: 50, bytes: 20_000 }, 8),
        (PageSize { events: 50, bytes: 262_144 }, 40),
    ] {
        let told = monitored(&server, async {
            let page = stores.logs.read_before(&team, None, size).await.expect("read");
            assert!(page.more && page.events.len() <= size.events && !page.events.is_empty());
        });
        let count = |line: &String| -> Option<usize> {
            let (_, rest) = line.split_once("\"COUNT\" \"")?;
            rest.split('"').next()?.parse().ok()
        };
        let read: usize = told.await.iter().filter(|line| line.contains("XREVRANGE")).filter_map(count).sum();
        assert!((1..=most).contains(&read), "{read} entries for {size:?}");
    }
}

#[tokio::test]
async fn members_and_sessions_are_read_in_pages_and_no_session_of_this_node_costs_a_page() {
    let server = TestServer::start();
    let one = options(&server, PATIENT);
    let other = RedisOptions { node_key: NodeKey::random(), ..one.clone() };
    let (here, there) = with_rows(one, other).await;
    // Each run of the script asks for names once.
    let calls = |told: &[String], command: &str| {
        told.iter().filter(|line| line.contains(" lua] ") && line.contains(&format!("\"{command}"))).count()
    };
    let told = monitored(&server, async {
        assert_eq!(there.presence.members(&group("team"), 300).await.expect("read").len(), 300);
    });
    let told = told.await;
    assert_eq!((calls(&told, "ZRANGE"), calls(&told, "HGETALL")), (3, 300));
    let told = monitored(&server, async {
        let listing = here.presence.sessions("s", None, 1).await.expect("read");
        assert_eq!((listing.rows.len(), listing.until.as_deref()), (0, Some("s099")));
    });
    assert_eq!(calls(&told.await, "ZRANGEBYLEX"), 1);
    let listing = there.presence.sessions("s3", Some("s310"), 100).await.expect("read");
    assert_eq!((listing.rows.len(), listing.until), (39, None));
}
