//! The promises of both twins, on a Redis of the tests' own, with Django's part played by plain Redis commands.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sophie_kit::TestServer;
use tokio::time::{Instant, timeout};

use super::codec::{Codec, now_seconds};
use super::names::{key_on_first_shard, queue};
use super::*;
use crate::ids::random_text;
use crate::metrics::Metrics;

const DEADLINE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, PartialEq, Debug)]
enum Twin {
    Core,
    Pubsub,
}

struct Site {
    servers: Vec<TestServer>,
    options: LayerOptions,
    metrics: Metrics,
    twin: Twin,
    layer: Arc<dyn ChannelLayer>,
}

fn fields(value: Value) -> Fields {
    value.as_object().expect("an object").clone()
}

fn groups(names: &[&str]) -> Vec<GroupName> {
    names.iter().map(|name| GroupName::parse(name).expect("a name")).collect()
}

async fn join_layer(twin: Twin, options: &LayerOptions, metrics: &Metrics) -> Arc<dyn ChannelLayer> {
    let made = match twin {
        Twin::Core => core(options.clone(), metrics.clone()).await,
        Twin::Pubsub => pubsub(options.clone(), metrics.clone()).await,
    };
    made.expect("good options")
}

impl Site {
    async fn new(twin: Twin, ring: usize, keys: &[&str], serializer: Serializer) -> Self {
        let servers: Vec<_> = (0..ring).map(|_| TestServer::start()).collect();
        let options = LayerOptions {
            hosts: servers.iter().map(|server| server.url(0)).collect(),
            prefix: "asgi".into(),
            capacity: 3,
            expiry_seconds: 60,
            group_expiry_seconds: 600,
            encryption_keys: keys.iter().map(|&key| key.into()).collect(),
            serializer,
            node_key: key_on_first_shard(ring),
            bound: crate::redis::Bound::none(),
        };
        let metrics = Metrics::new();
        let layer = join_layer(twin, &options, &metrics).await;
        Self { servers, options, metrics, twin, layer }
    }

    fn redis(&self, shard: usize) -> redis::Connection {
        self.servers[shard].connection(0)
    }

    fn shard(&self, name: &str) -> usize {
        ring::index(name, self.servers.len())
    }

    /// Puts bytes where Django would.
    fn put(&self, shard: usize, channel: &str, body: &[u8], score: f64) {
        let mut redis = self.redis(shard);
        match self.twin {
            Twin::Core => {
                let member = [random_text(12).as_bytes(), body].concat();
                let key = format!("asgi{}", queue(channel));
                redis::cmd("ZADD").arg(&key).arg(score).arg(member).exec(&mut redis).expect("added");
                redis::cmd("EXPIRE").arg(key).arg(60).exec(&mut redis).expect("expires");
            }
            Twin::Pubsub => redis::cmd("PUBLISH").arg(channel).arg(body).exec(&mut redis).expect("published"),
        }
    }

    fn group_send(&self, group: &GroupName, mut message: Fields, score: f64) {
        let codec = Codec::new(&self.options);
        let member = self.options.node_key.member(group);
        if self.twin == Twin::Core {
            message.insert("__asgi_channel__".into(), json!([member, "specific.x!y"]));
            self.put(self.shard(queue(&member)), &member, &codec.seal(&message), score);
        } else {
            let channel = format!("asgi__group__{group}");
            self.put(self.shard(&channel), &channel, &codec.seal(&message), score);
        }
    }

    fn send(&self, local: &str, mut message: Fields, score: f64) {
        let channel = format!("{}{local}", self.options.node_key.as_str());
        if self.twin == Twin::Core {
            message.insert("__asgi_channel__".into(), channel.clone().into());
        }
        let body = Codec::new(&self.options).seal(&message);
        self.put(self.shard(&channel), &channel, &body, score);
    }

    async fn next(&self, count: usize) -> Vec<Inbound> {
        let mut got = Vec::new();
        while got.len() < count {
            got.extend(timeout(DEADLINE, self.layer.receive()).await.expect("a message in time"));
        }
        got
    }

    fn counted(&self, outcome: &str) -> u64 {
        self.metrics.layer_messages.with_label_values(&[outcome]).get()
    }
}

async fn variants() -> Vec<Site> {
    let mut sites = Vec::new();
    for twin in [Twin::Core, Twin::Pubsub] {
        sites.push(Site::new(twin, 1, &[], Serializer::Msgpack).await);
        sites.push(Site::new(twin, 2, &["new", "old"], Serializer::Json).await);
    }
    sites
}

#[tokio::test]
async fn a_message_to_a_group_comes_to_its_members_alone() {
    let long = "g".repeat(90);
    for site in variants().await {
        let joined = groups(&["chat_1", "chat_42", "a", &long]);
        site.layer.join(&joined).await.expect("joined");
        for (at, group) in joined.iter().enumerate() {
            site.group_send(group, fields(json!({"type": "chat.message", "n": at})), 1.5 + at as f64);
            let got = site.next(1).await;
            assert_eq!(got.len(), 1);
            assert_eq!(got[0].to, Recipient::Groups(vec![group.clone()]), "{:?}", site.twin);
            assert_eq!(Value::Object(got[0].fields.clone()), json!({"type": "chat.message", "n": at}));
            let score = (site.twin == Twin::Core).then(|| format!("{}.5", 1 + at));
            assert_eq!(got[0].sent_at, score);
        }
        site.layer.leave(&joined[..1]).await.expect("left");
        site.group_send(&joined[0], fields(json!({"type": "late"})), 9.0);
        site.group_send(&joined[1], fields(json!({"type": "good"})), 10.0);
        assert_eq!(site.next(1).await[0].fields["type"], "good");
    }
}

#[tokio::test]
async fn a_message_to_a_channel_of_this_node_comes_from_any_host() {
    for site in variants().await {
        // Subscriptions are there once a join has been answered.
        site.layer.join(&groups(&["chat_1", "chat_abc", "a", "test-group"])).await.expect("joined");
        for at in 0..8 {
            let local = format!("session-{at}");
            site.send(&local, fields(json!({"type": "hello"})), 2.0 + f64::from(at));
            assert_eq!(site.next(1).await[0].to, Recipient::Channel(local));
        }
    }
}

#[tokio::test]
async fn junk_is_counted_and_passed_over() {
    for site in variants().await {
        let group = &groups(&["chat_1"])[0];
        site.layer.join(std::slice::from_ref(group)).await.expect("joined");
        let channel = match site.twin {
            Twin::Core => site.options.node_key.member(group),
            Twin::Pubsub => format!("asgi__group__{group}"),
        };
        let shard = site.shard(if site.twin == Twin::Core { queue(&channel) } else { &channel });
        let mut other = site.options.clone();
        other.encryption_keys = vec!["wrong".into()];
        for (at, junk) in [b"".to_vec(), b"junk".to_vec(), Codec::new(&other).seal(&Fields::new())].iter().enumerate() {
            site.put(shard, &channel, junk, 1.0 + at as f64);
        }
        site.group_send(group, fields(json!({"type": "good"})), 5.0);
        assert_eq!(site.next(1).await[0].fields["type"], "good", "{:?}", site.twin);
        assert_eq!(site.counted("bad") + site.counted("undecryptable"), 3);
    }
}

#[tokio::test]
async fn tokens_that_are_too_old_or_from_the_future_are_refused_by_core_alone() {
    for twin in [Twin::Core, Twin::Pubsub] {
        let site = Site::new(twin, 1, &["k"], Serializer::Msgpack).await;
        let group = &groups(&["chat_1"])[0];
        site.layer.join(std::slice::from_ref(group)).await.expect("joined");
        let mut message = fields(json!({"type": "dated"}));
        let channel = if twin == Twin::Core {
            let member = site.options.node_key.member(group);
            message.insert("__asgi_channel__".into(), json!([member]));
            member
        } else {
            format!("asgi__group__{group}")
        };
        let plain = wire::encode(&message, Serializer::Msgpack);
        for (at, time) in [now_seconds() - 100, now_seconds() + 100].into_iter().enumerate() {
            let token = fernet::Fernet::new("k").encrypt(&plain, time, [7; 16]);
            site.put(0, &channel, token.as_bytes(), 1.0 + at as f64);
        }
        site.group_send(group, fields(json!({"type": "good"})), 5.0);
        let types: Vec<_> = site.next(if twin == Twin::Core { 1 } else { 3 }).await;
        assert_eq!(types.last().expect("one").fields["type"], "good");
        assert_eq!(site.counted("undecryptable"), if twin == Twin::Core { 2 } else { 0 });
    }
}

#[tokio::test]
async fn core_writes_to_djangos_queues_and_to_no_node() {
    for ring in [1, 2] {
        let site = Site::new(Twin::Core, ring, &[], Serializer::Msgpack).await;
        let group = &groups(&["chat_42"])[0];
        site.layer.join(std::slice::from_ref(group)).await.expect("joined");
        let message = fields(json!({"type": "chat.message", "text": "hi"}));
        assert_eq!(site.layer.tell_group(group, &message).await.expect("told"), Told::default());
        let hex = "0123456789abcdef0123456789abcdef";
        let members =
            [format!("specific.{hex}!a"), format!("specific.{hex}!b"), "plain".to_owned(), "specific.ff!c".into()];
        let group_key = "asgi:group:chat_42";
        let mut redis = site.redis(site.shard("chat_42"));
        for (at, member) in members.iter().enumerate() {
            let score = now_seconds() + at as u64;
            redis::cmd("ZADD").arg(group_key).arg(score).arg(member).exec(&mut redis).expect("added");
        }
        let found = site.layer.members(group, 3).await.expect("listed");
        assert_eq!(
            found.iter().map(|member| &member.channel).collect::<Vec<_>>(),
            [&members[0], &members[1], &members[2]]
        );
        for _ in 0..3 {
            let told = site.layer.tell_group(group, &message).await.expect("told");
            assert_eq!(told, Told { reached: 3, full: 0 });
        }
        assert_eq!(site.layer.tell_group(group, &message).await.expect("told"), Told { reached: 0, full: 3 });
        let mut shared = site.redis(site.shard(&format!("specific.{hex}!")));
        let key = format!("asgispecific.{hex}!");
        let waiting: Vec<(Vec<u8>, f64)> =
            redis::cmd("ZRANGE").arg(&key).arg(0).arg(-1).arg("WITHSCORES").query(&mut shared).expect("listed");
        assert_eq!(waiting.len(), 3);
        assert!(waiting.windows(2).all(|pair| pair[0].1 < pair[1].1), "scores rise");
        let got = wire::decode(&waiting[0].0[12..], Serializer::Msgpack).expect("a message");
        assert_eq!(got["__asgi_channel__"], json!([members[0], members[1]]));
        let ttl: i64 = redis::cmd("TTL").arg(&key).query(&mut shared).expect("asked");
        assert!((1..=60).contains(&ttl));
        // One of the members joined longer ago than memberships last.
        redis::cmd("ZADD").arg(group_key).arg(1).arg("plain").exec(&mut redis).expect("aged");
        assert_eq!(site.layer.tell_group(group, &message).await.expect("told").full, 2);
        // A dead node's membership goes, the others stay.
        site.layer.expel(site.options.node_key.as_str(), std::slice::from_ref(group)).await.expect("expelled");
        let left: usize = redis::cmd("ZCARD").arg(group_key).query(&mut redis).expect("counted");
        assert_eq!(left, 3);
    }
}

#[tokio::test]
async fn a_plain_channel_takes_a_token_once_and_says_when_it_is_full() {
    for keys in [&[][..], &["k"]] {
        let site = Site::new(Twin::Core, 2, keys, Serializer::Msgpack).await;
        let message = fields(json!({"type": "job"}));
        let count = || -> usize {
            (0..2).map(|at| redis::cmd("ZCARD").arg("asgiworker").query::<usize>(&mut site.redis(at)).expect("n")).sum()
        };
        for _ in 0..3 {
            assert!(site.layer.tell_channel("worker", &message, "t").await.expect("told"));
            assert_eq!(count(), 1, "said again it is not doubled");
        }
        let mut full = false;
        for at in 0..20 {
            full |= !site.layer.tell_channel("worker", &message, &format!("t{at}")).await.expect("told");
        }
        assert!(full && count() == 6, "{} waiting", count());
        assert!(site.layer.tell_channel("worker", &message, "t").await.expect("told"), "what waits counts as told");
    }
}

#[tokio::test]
async fn who_reads_the_hosts_of_a_ring_in_turn_gets_every_message_at_once_whichever_node_sends() {
    let site = Site::new(Twin::Core, 3, &[], Serializer::Msgpack).await;
    let other = join_layer(Twin::Core, &site.options, &site.metrics).await;
    let (mut sent, mut read) = (0, 0);
    for (at, burst) in [1, 3, 2, 1, 7, 1, 1, 4].into_iter().enumerate() {
        let layer = if at % 2 == 0 { &site.layer } else { &other };
        for _ in 0..burst {
            let message = fields(json!({"type": "job", "n": sent}));
            assert!(layer.tell_channel("worker", &message, &format!("t{sent}")).await.expect("told"));
            sent += 1;
        }
        while read < sent {
            // As channels_redis does: one host after the other, and no further before something came.
            let popped: Vec<(Vec<u8>, f64)> =
                redis::cmd("ZPOPMIN").arg("asgiworker").query(&mut site.redis(read % 3)).expect("popped");
            let (stored, _) = popped.first().expect("the reader would wait here while others are full");
            assert_eq!(wire::decode(&stored[12..], Serializer::Msgpack).expect("a message")["n"], json!(read));
            read += 1;
        }
    }
}

#[tokio::test]
async fn what_lies_unread_on_a_ring_comes_to_where_its_reader_sits() {
    let site = Site::new(Twin::Core, 3, &[], Serializer::Msgpack).await;
    for n in 0..2 {
        let message = fields(json!({"type": "job", "n": n}));
        assert!(site.layer.tell_channel("worker", &message, &format!("t{n}")).await.expect("told"));
    }
    // It waits at one host until something comes there, whatever is at the others.
    let until = tokio::time::Instant::now() + DEADLINE;
    let mut read = BTreeSet::new();
    while read.len() < 2 {
        assert!(tokio::time::Instant::now() < until, "nothing comes to it");
        site.layer.spread("worker").await.expect("spread");
        let popped: Vec<(Vec<u8>, f64)> =
            redis::cmd("ZPOPMIN").arg("asgiworker").query(&mut site.redis(2)).expect("popped");
        read.extend(popped.iter().map(|(stored, _)| {
            wire::decode(&stored[12..], Serializer::Msgpack).expect("a message")["n"].as_u64().expect("a number")
        }));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(read, BTreeSet::from([0, 1]));
    let waiting =
        (0..3).map(|at| redis::cmd("ZCARD").arg("asgiworker").query::<usize>(&mut site.redis(at)).expect("n"));
    assert_eq!(waiting.sum::<usize>(), 0, "nothing was doubled");
}

#[tokio::test]
async fn a_move_that_a_node_began_is_brought_to_its_end_once() {
    let site = Site::new(Twin::Core, 2, &[], Serializer::Msgpack).await;
    for (at, placed) in [false, true].into_iter().enumerate() {
        let moving = format!("move{at} 1 {}.5 aaaaaaaaaaaabody{at}", now_seconds());
        redis::cmd("SET").arg("asgiworker$moving").arg(moving).arg("EX").arg(60).exec(&mut site.redis(0)).expect("set");
        if placed {
            let mut redis = site.redis(1);
            redis::cmd("SET").arg("asgiworker$placed").arg("move1").arg("EX").arg(60).exec(&mut redis).expect("set");
        }
        site.layer.spread("worker").await.expect("spread");
        let waiting: Vec<String> =
            redis::cmd("ZRANGE").arg("asgiworker").arg(0).arg(-1).query(&mut site.redis(1)).expect("listed");
        assert_eq!(waiting, ["aaaaaaaaaaaabody0"], "what was put down is not put down again");
        let left: bool = redis::cmd("EXISTS").arg("asgiworker$moving").query(&mut site.redis(0)).expect("asked");
        assert!(!left);
    }
}

/// Microseconds that Redis has spent on scripts since it was asked last.
fn spent(redis: &mut redis::Connection) -> u64 {
    let stats: String = redis::cmd("INFO").arg("commandstats").query(redis).expect("told");
    redis::cmd("CONFIG").arg("RESETSTAT").exec(redis).expect("reset");
    let scripts = stats.lines().filter_map(|line| line.strip_prefix("cmdstat_eval")?.split_once(",usec="));
    scripts.map(|(_, rest)| rest.split(',').next().and_then(|n| n.parse::<u64>().ok()).expect("a number")).sum()
}

#[tokio::test]
async fn a_message_to_a_worker_costs_the_same_however_many_wait() {
    const FEW: usize = 50;
    for keys in [&[][..], &["k"]] {
        let mut site = Site::new(Twin::Core, 1, keys, Serializer::Msgpack).await;
        site.options.capacity = 3_000;
        site.layer = join_layer(Twin::Core, &site.options, &site.metrics).await;
        let mut redis = site.redis(0);
        let message = fields(json!({"type": "job", "text": "x".repeat(10_000)}));
        let told = async |from: usize, to: usize| {
            let mut told = 0;
            for n in from..to {
                told += usize::from(site.layer.tell_channel("worker", &message, &format!("t{n}")).await.expect("told"));
            }
            told
        };
        assert_eq!(told(0, FEW).await, FEW);
        spent(&mut redis);
        told(FEW, 2 * FEW).await;
        let few = spent(&mut redis);
        // Of encrypted ones, which must be made fresh, a few wait in the channel, and the others where they are.
        let all = told(2 * FEW, 2_000 - FEW).await + 2 * FEW;
        assert_eq!(all, if keys.is_empty() { 2_000 - FEW } else { 100 });
        spent(&mut redis);
        told(2_000 - FEW, 2_000).await;
        let many = spent(&mut redis);
        assert!(many < 10 * few.max(1_000), "{many} us with many, {few} us with few");
    }
}

#[tokio::test]
async fn what_waits_for_a_worker_can_be_read_however_long_it_waits() {
    for keys in [&[][..], &["k"]] {
        let site = Site::new(Twin::Core, 1, keys, Serializer::Msgpack).await;
        let (codec, mut redis) = (Codec::new(&site.options), site.redis(0));
        let ago = now_seconds() - 1_000;
        for n in 0..3 {
            let message = fields(json!({"type": "job", "n": n}));
            let plain = wire::encode(&message, Serializer::Msgpack);
            let body = match keys {
                [key] => fernet::Fernet::new(key).encrypt(&plain, ago, [n; 16]).into_bytes(),
                _ => plain,
            };
            let stored = [&[b'a' + n; 12][..], &body].concat();
            redis::cmd("ZADD").arg("asgiworker").arg(ago + u64::from(n)).arg(stored).exec(&mut redis).expect("added");
        }
        site.layer.keep_fresh("worker").await.expect("kept fresh");
        let waiting: Vec<(Vec<u8>, f64)> =
            redis::cmd("ZRANGE").arg("asgiworker").arg(0).arg(-1).arg("WITHSCORES").query(&mut redis).expect("listed");
        assert_eq!(waiting.len(), 3);
        for (n, (stored, score)) in (0..).zip(&waiting) {
            assert!(*score > (now_seconds() - 30) as f64, "too old for who purges: {score}");
            assert_eq!(&stored[..12], &[b'a' + n; 12]);
            let message = codec.open(&stored[12..], Some(site.options.expiry_seconds + 10)).expect("readable");
            assert_eq!(message["n"], json!(n), "in their order");
        }
        let ttl: u64 = redis::cmd("TTL").arg("asgiworker").query(&mut redis).expect("asked");
        assert!(ttl > site.options.expiry_seconds, "{ttl}");
        // What is new is left alone.
        site.layer.keep_fresh("worker").await.expect("kept fresh");
        let again: Vec<(Vec<u8>, f64)> =
            redis::cmd("ZRANGE").arg("asgiworker").arg(0).arg(-1).arg("WITHSCORES").query(&mut redis).expect("listed");
        assert_eq!(again, waiting);
    }
}

#[tokio::test]
async fn what_a_node_publishes_is_not_heard_by_nodes() {
    let site = Site::new(Twin::Pubsub, 2, &[], Serializer::Msgpack).await;
    let group = &groups(&["chat_42"])[0];
    site.layer.join(std::slice::from_ref(group)).await.expect("joined");
    let told = site.layer.tell_group(group, &fields(json!({"type": "echo"}))).await.expect("told");
    assert_eq!(told.reached, 0, "nobody but this node listens");
    site.group_send(group, fields(json!({"type": "good"})), 0.0);
    assert_eq!(site.next(1).await[0].fields["type"], "good");
    assert_eq!(site.counted("own"), 1);
}

#[tokio::test]
async fn what_does_not_fit_stays_in_redis() {
    let site = Site::new(Twin::Core, 1, &[], Serializer::Msgpack).await;
    let group = &groups(&["chat_1"])[0];
    site.layer.join(std::slice::from_ref(group)).await.expect("joined");
    let member = site.options.node_key.member(group);
    let key = format!("asgi{}", site.options.node_key.as_str());
    const SENT: usize = 5000;
    let mut pipe = redis::pipe();
    for at in 0..SENT {
        let message = fields(json!({"type": "n", "n": at, "__asgi_channel__": [member]}));
        let stored = [random_text(12).into_bytes(), Codec::new(&site.options).seal(&message)].concat();
        pipe.cmd("ZADD").arg(&key).arg(1 + at).arg(stored).ignore();
    }
    pipe.exec(&mut site.redis(0)).expect("written");
    let deadline = Instant::now() + DEADLINE;
    let mut last = usize::MAX;
    loop {
        let left: usize = redis::cmd("ZCARD").arg(&key).query(&mut site.redis(0)).expect("counted");
        if left == last && left < SENT {
            break;
        }
        last = left;
        assert!(Instant::now() < deadline, "{left} left");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(last > 1000, "{last} left in Redis");
    let got = site.next(SENT).await;
    assert!(got.iter().enumerate().all(|(at, inbound)| inbound.fields["n"] == at), "all, in order");
}

#[tokio::test]
async fn a_host_that_was_away_is_heard_again_and_the_others_meanwhile() {
    for twin in [Twin::Core, Twin::Pubsub] {
        let mut site = Site::new(twin, 2, &[], Serializer::Msgpack).await;
        // One on each host, in either twin.
        let all = groups(&["chat_42", "chat_1", "a", "test-group", "chat_abc", "asgi"]);
        site.layer.join(&all).await.expect("joined");
        site.servers[1].kill();
        let local = (0..).map(|at| format!("s{at}"));
        let own = site.options.node_key.as_str().to_owned();
        let on_first = local.clone().find(|local| site.shard(&format!("{own}{local}")) == 0).expect("one of many");
        let on_second = local.clone().find(|local| site.shard(&format!("{own}{local}")) == 1).expect("one of many");
        site.send(&on_first, fields(json!({"type": "meanwhile"})), 1.0);
        assert_eq!(site.next(1).await[0].fields["type"], "meanwhile");
        site.servers[1].launch();
        let deadline = Instant::now() + DEADLINE;
        loop {
            // Pubsub loses what is said before it has subscribed anew.
            site.send(&on_second, fields(json!({"type": "back"})), 2.0);
            if let Ok(got) = timeout(Duration::from_millis(300), site.layer.receive()).await {
                assert_eq!(got[0].fields["type"], "back");
                break;
            }
            assert!(Instant::now() < deadline, "{twin:?} does not come back");
        }
    }
}

#[tokio::test]
async fn a_dropped_layer_leaves_no_connection() {
    for twin in [Twin::Core, Twin::Pubsub] {
        let site = Site::new(twin, 1, &[], Serializer::Msgpack).await;
        site.layer.join(&groups(&["chat_1"])).await.expect("joined");
        let Site { servers, layer, .. } = site;
        drop(layer);
        let deadline = Instant::now() + DEADLINE;
        loop {
            let clients: String =
                redis::cmd("CLIENT").arg("LIST").query(&mut servers[0].connection(0)).expect("listed");
            if clients.lines().count() == 1 {
                break;
            }
            assert!(Instant::now() < deadline, "{clients}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[test]
fn only_names_of_our_form_are_nodes() {
    let group = &groups(&["chat_1"])[0];
    assert!(NodeKey::is_of_a_node(&NodeKey::random().member(group)));
    for other in
        ["sophie.abc!x", "specific.0123456789abcdef0123456789abcdef!x", "sophie.0123456789ABCDEF0123456789abcdef!x"]
    {
        assert!(!NodeKey::is_of_a_node(other), "{other}");
    }
    for ring in 1..8 {
        assert_eq!(ring::index(key_on_first_shard(ring).as_str(), ring), 0);
    }
}
