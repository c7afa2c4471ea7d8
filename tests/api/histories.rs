//! Random histories against the promise: what was acknowledged is seen once, in order, by everybody who may see it, or they
//! are told that the log began anew. Two real nodes, a real Redis, three clients that come and go, and a model that answers
//! some of what they say slowly: each question that the log holds in the end has exactly one end of its answer there, nobody
//! sees an answer end twice, and no node shows one as being written for ever.
//!
//! A history is made of its seed: `SOPHIE_HISTORY=SEED cargo test --test api histories::again` plays one again. What the
//! steps meet inside is the machine's business, so it may take more than one try to see the same fault.

mod client;
mod clients;
mod log;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sophie_kit::ai_server::{AiServer, Script};
use tokio::time::sleep;

pub use self::client::{Order, Shared};
pub use self::clients::{Clients, Rest};
use crate::support::{Broker, TestServer};

const GROUP: &str = "room";
const STEPS: usize = 25;
const CLIENTS: usize = 3;
/// What coming to rest may take, with leases to run out on a busy machine; only waited for when something is wrong.
pub const REST: Duration = Duration::from_secs(30);

fn cut(redis: &TestServer, kind: &str) {
    _ = redis::cmd("CLIENT").arg(&["KILL", "TYPE", kind, "SKIPME", "yes"]).query::<u64>(&mut redis.connection(0));
}

/// Plays a history and looks at what everybody saw.
async fn play(seed: u64) {
    println!("history {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut redis = TestServer::start();
    let ai = AiServer::start().await;
    ai.set_default(|| Script::slow_answer("This takes a while to be said.", Duration::from_millis(150)));
    let url = redis.url(0);
    let environment = [
        &ai.environment()[..],
        &[
            ("USE_REDIS", "true"),
            ("REDIS_URL", &*url),
            ("SOPHIE__SERVER__DRAIN_SECONDS", "0"),
            ("SOPHIE__LIMITS__ENABLED", "false"),
            ("SOPHIE__LIMITS__ANSWERS_PER_SESSION", "100"),
        ],
    ]
    .concat();
    let mut nodes = [Broker::start(0, &environment).await, Broker::start(0, &environment).await];
    let shared = Arc::new(Shared::new(GROUP, nodes.iter().map(|node| node.address).collect()));
    let mut clients = Clients::start(&shared, CLIENTS);
    // What a snapshot holds of what was acknowledged, and what must be in the log whatever comes.
    let (mut saved, mut owed) = (HashSet::new(), HashSet::<String>::new());
    let mut said = 0;
    let settled = |shared: &Shared, owed: &HashSet<String>, life: u64| -> HashSet<String> {
        let acknowledged = shared.acknowledged();
        let now = acknowledged.iter().filter(|(_, of)| **of == life).map(|(text, _)| text.clone());
        now.chain(owed.iter().cloned()).collect()
    };
    for _ in 0..STEPS {
        let life = shared.life.load(Ordering::SeqCst);
        let client = random.random_range(0..CLIENTS);
        let node = random.random_range(0..2);
        let step = random.random_range(0..100);
        println!("history {seed}: step {step} client {client} node {node}");
        match step {
            0..40 => {
                for _ in 0..random.random_range(1..5) {
                    said += 1;
                    // The seeds of old play the same steps.
                    let kind = if said % 3 == 0 { 'q' } else { 'm' };
                    clients.tell(client, Order::Say(format!("{kind}{said}")));
                }
            }
            40..52 => clients.tell(client, Order::Leave),
            52..70 => clients.tell(client, Order::Return(node)),
            70..76 => cut(&redis, "pubsub"),
            76..82 => cut(&redis, "normal"),
            82..87 => {
                redis.freeze();
                sleep(Duration::from_millis(random.random_range(50..1_500))).await;
                redis.thaw();
            }
            87..92 => {
                saved = settled(&shared, &owed, life);
                redis.save();
            }
            92..96 => {
                shared.life.store(life + 1, Ordering::SeqCst);
                redis.kill();
                // What was acknowledged before is read by then, and not taken for something of the next life: also by a node that was
                // held up when it had it from Redis.
                for broker in &nodes {
                    broker.get("/health/live").await;
                }
                sleep(Duration::from_millis(500)).await;
                owed.clone_from(&saved);
                shared.life.store(life + 2, Ordering::SeqCst);
                redis.launch();
            }
            _ => {
                nodes[node].signal("-KILL");
                let port = nodes[node].address.port();
                nodes[node].wait(REST);
                nodes[node] = Broker::start(port, &environment).await;
            }
        }
        sleep(Duration::from_millis(random.random_range(0..200))).await;
    }
    let must = || settled(&shared, &owed, shared.life.load(Ordering::SeqCst));
    clients.come_to_rest(&nodes, must).await;
    clients.leave().await;
}

/// Seeds whose histories have a store that goes back, nodes that die and connections that are cut.
macro_rules! histories {
    ($($name:ident: $seed:expr),* $(,)?) => {
        $(#[tokio::test] async fn $name() {
            play($seed).await;
        })*
    };
}

histories! {
    first: 3,
    second: 11,
    third: 42,
    // A join that is refused while the store goes back.
    fourth: 103,
    // One who comes back to a log that began anew meanwhile.
    fifth: 203,
    again: std::env::var("SOPHIE_HISTORY").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random),
}
