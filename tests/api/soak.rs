//! Soak: two nodes under churn. Visitors come and go in every way, join and leave, say and ask, are cut off in the middle of an
//! answer, and applications stream and hang up; connections to Redis are cut, and the AI backend is gone for moments. What the nodes
//! and Redis hold must not grow by that, and when everybody has left, nothing of them is left.
//!
//! `make soak` plays it for 20 minutes: `SOPHIE_SOAK_SECONDS` says how long, `SOPHIE_SEED` makes the plan.

mod churn;
mod judgement;
mod sample;

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sophie_kit::ai_server::{AiServer, Script};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};

use self::churn::{Counts, Town};
use self::judgement::{judge, left_behind};
use self::sample::{Sample, take};
use crate::support::{Broker, Proxy, TestServer, seconds, seed};

const NODES: usize = 2;
const VISITORS: u64 = 8;
/// Of the short version.
const SECONDS: Duration = Duration::from_secs(15);
const SEED: u64 = 7;
/// So many samples are taken, but none more often than this.
const SAMPLES: u32 = 120;
const OFTEN: Duration = Duration::from_millis(250);
/// How long it may take until nothing is left of who has gone: sessions that are idle, answers that nobody hears, a burial.
const EMPTY_WITHIN: Duration = Duration::from_secs(60);

#[tokio::test]
async fn churn_leaves_nothing_behind() {
    let (seed, length) = (seed(SEED), seconds(SECONDS));
    println!("soak: SOPHIE_SEED={seed} for {length:?}");
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    ai.set_default(|| Script::slow_answer("An answer of some words.", Duration::from_millis(20)));
    let mut nodes = Vec::new();
    let proxies = [Proxy::before(redis.port()), Proxy::before(redis.port())];
    for (node, proxy) in proxies.iter().enumerate() {
        let url = format!("redis://127.0.0.1:{}/0", proxy.port);
        nodes.push(Broker::node(&url, &ai, &format!("n{node}"), &SETTINGS).await);
    }
    let town = Arc::new(Town::new(nodes.iter().map(|node| node.address).collect()));
    let until = Instant::now() + length;
    let mut visitors = JoinSet::new();
    for visitor in 0..VISITORS {
        let (town, mut random) = (town.clone(), StdRng::seed_from_u64(seed.wrapping_mul(1_000) + visitor));
        visitors.spawn(async move {
            while Instant::now() < until {
                town.visit(&mut random).await;
            }
        });
    }
    let mut random = StdRng::seed_from_u64(seed);
    let (mut samples, mut pace) = (Vec::<Sample>::new(), interval((length / SAMPLES).max(OFTEN)));
    let mut next_fault = Instant::now();
    while Instant::now() < until {
        pace.tick().await;
        samples.push(take(&nodes, &redis, || town.counts()).await);
        if Instant::now() >= next_fault {
            next_fault = Instant::now() + Duration::from_millis(random.random_range(1_000..8_000));
            match random.random_range(0..10) {
                0..8 => proxies[random.random_range(0..NODES)].cut(),
                _ => {
                    ai.refuse().await;
                    sleep(Duration::from_millis(random.random_range(100..1_000))).await;
                    ai.accept().await;
                }
            }
        }
    }
    visitors.join_all().await;
    let Counts { visits, said, acknowledged, asked, .. } = town.counts();
    println!("soak: {:?}, messages refused: {:?}", town.counts(), town.codes());
    let wrong = judge(&samples, length);
    let until = Instant::now() + EMPTY_WITHIN;
    loop {
        let left = left_behind(&take(&nodes, &redis, || town.counts()).await);
        if left.is_empty() {
            break;
        }
        assert!(Instant::now() < until, "of those who have gone there is left: {left:#?}");
        sleep(OFTEN).await;
    }
    assert!(wrong.is_empty(), "it grows: {wrong:#?}");
    // After each cut nothing is taken for a second at least, and after each pause of the machine: of the time of a short run that is
    // much, if few come or all is slow, and who is refused comes again at once.
    let tenths = if length > SECONDS { 9 } else { 3 };
    assert!(
        visits > 0 && asked > 0 && acknowledged * 10 >= said * tenths,
        "cuts cost time, not messages: {:?}",
        town.counts()
    );
}

/// Sessions end soon, answers are kept briefly, and limits are counted but let everybody pass.
const SETTINGS: [(&str, &str); 13] = [
    ("SOPHIE__SESSION__PERSON", "true"),
    ("SOPHIE__SESSION__IDLE_SECONDS", "2"),
    ("SOPHIE__SESSION__LOG_EVENTS", "50"),
    ("SOPHIE__AI__ABANDON_SECONDS", "2"),
    ("SOPHIE__ANSWERS__KEEP_SECONDS", "60"),
    ("SOPHIE__CACHE__TTL_SECONDS", "5"),
    ("SOPHIE__LIMITS__ENABLED", "true"),
    ("SOPHIE__LIMITS__USER_MESSAGES_PER_MINUTE", "100000"),
    ("SOPHIE__LIMITS__USER_TOKENS_PER_HOUR", "1000000000"),
    ("SOPHIE__LIMITS__ADDRESS_MESSAGES_PER_MINUTE", "1000000"),
    ("SOPHIE__LIMITS__ADDRESS_TOKENS_PER_HOUR", "1000000000"),
    ("SOPHIE__LIMITS__CONNECTS_PER_MINUTE", "1000000"),
    ("SOPHIE__LIMITS__USER_BURST", "10000"),
];
