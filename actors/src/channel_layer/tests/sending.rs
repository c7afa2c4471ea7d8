//! What goes to Django: to its queues, to plain channels, and to a worker that is away.

use serde_json::json;

use super::super::codec::{Codec, now_seconds};
use super::*;

#[tokio::test]
async fn core_writes_to_djangos_queues_and_to_no_node() {
    for ring in [1, 2] {
        let site = Site::new(Twin::Core, ring, &[], Serializer::Msgpack).await;
        let group = &groups(&["chat_42"])[0];
        site.join(std::slice::from_ref(group)).await;
        let message = fields(json!({"type": "chat.message", "text": "hi"}));
        assert_eq!(site.layer.tell_group(group, &message).await.expect("told"), Delivered::default());
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
            assert_eq!(told, Delivered { reached: 3, full: 0 });
        }
        assert_eq!(site.layer.tell_group(group, &message).await.expect("told"), Delivered { reached: 0, full: 3 });
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
    const ROUNDS: usize = 5;
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
        // The least of several times: what a busy machine pauses counts as spent.
        let least = async |redis: &mut redis::Connection, from: usize| {
            let mut least = u64::MAX;
            for round in 0..ROUNDS {
                spent(redis);
                told(from + round * FEW, from + (round + 1) * FEW).await;
                least = least.min(spent(redis));
            }
            least
        };
        let few = least(&mut redis, FEW).await;
        // Of encrypted ones, which must be made fresh, a few wait in the channel, and the others where they are.
        let (before, room) = (FEW * (1 + ROUNDS), if keys.is_empty() { 2_000 - FEW } else { 100 });
        let all = told(before, 2_000 - FEW).await + before.min(room);
        assert_eq!(all, room);
        let many = least(&mut redis, 2_000 - FEW).await;
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
