//! Random histories against the promise: what was acknowledged is seen once, in order, by everybody who may see it, or they
//! are told that the log began anew. Two real nodes, a real Redis, three clients that come and go, and a model that answers
//! some of what they say slowly: each question that the log holds in the end has exactly one end of its answer there, nobody
//! sees an answer end twice, and no node shows one as being written for ever.
//!
//! A history is made of its seed: `SOPHIE_HISTORY=SEED cargo test --test api histories::again` plays one again. What the
//! steps meet inside is the machine's business, so it may take more than one try to see the same fault.

mod client;
mod log;

use std::collections::HashSet;
use std::fmt::{self, Display, Formatter};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sophie_kit::ai_server::{AiServer, Script};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use self::client::{Client, Order, Record, Seen, Shared, Tell};
use self::log::{end_of, ends_of, read_log, written};
use crate::support::{Broker, SOON, TestServer, eventually};

const GROUP: &str = "room";
const STEPS: usize = 25;
const CLIENTS: usize = 3;
/// What coming to rest may take, with leases to run out on a busy machine.
const REST: Duration = Duration::from_secs(25);

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
    let shared = Arc::new(Shared::new(nodes.each_ref().map(|node| node.address)));
    let mut clients = Clients::start(&shared);
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
                // What was acknowledged before is read by then, and not taken for something of the next life.
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
    for client in 0..CLIENTS {
        clients.tell(client, Order::Return(client % 2));
    }
    clients.see_the_end(&nodes).await;
    eventually("each question has its end", REST, async || {
        let log = bounded(read_log(nodes[0].address)).await;
        log.iter().all(|entry| !entry.is_question() || ends_of(&log, entry) > 0).then_some(())
    })
    .await;
    for node in &nodes {
        let until = Instant::now() + REST;
        loop {
            let written = bounded(written(node.address)).await;
            if written.as_array().expect("answers").is_empty() {
                break;
            }
            if Instant::now() > until {
                let log = bounded(read_log(nodes[0].address)).await;
                panic!("{} shows for ever {written}\nthe log: {log:#?}\n{clients}", node.address);
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
    // What ended meanwhile is before this.
    let (end, seen) = clients.see_the_end(&nodes).await;
    let log = bounded(read_log(nodes[0].address)).await;
    for entry in log.iter().filter(|entry| entry.is_question()) {
        assert_eq!(ends_of(&log, entry), 1, "{} was not answered once: {log:#?}", entry.text);
    }
    for (n, seen) in seen.iter().enumerate() {
        let follows = log.iter().filter(|entry| entry.seq > seen.behind).map(|entry| &entry.text);
        let expected: Vec<_> = follows.take_while(|text| **text != end).chain([&end]).collect();
        let texts: Vec<_> = seen.texts.iter().collect();
        assert_eq!(texts, expected, "client {n} saw something else than the log holds:\n{}", clients.records[n]);
        for answer in &seen.begun {
            let ended = log.iter().any(|entry| entry.text == end_of(answer));
            assert!(ended, "{answer} began for client {n} and has no end: {log:#?}\n{}", clients.records[n]);
        }
    }
    let texts: Vec<&String> = log.iter().map(|entry| &entry.text).collect();
    let once: HashSet<&String> = texts.iter().copied().collect();
    assert_eq!(once.len(), texts.len(), "something is in the log twice: {texts:?}");
    let life = shared.life.load(Ordering::SeqCst);
    for text in settled(&shared, &owed, life) {
        assert!(once.contains(&text), "{text} was acknowledged and is gone: {texts:?}");
    }
    clients.leave().await;
}

/// What ends in time, or the test does.
async fn bounded<T>(call: impl Future<Output = T>) -> T {
    timeout(REST, call).await.expect("it ends in time")
}

/// All clients of a history.
struct Clients {
    orders: Vec<mpsc::UnboundedSender<Order>>,
    tasks: Vec<JoinHandle<()>>,
    records: Vec<Record>,
    ends: usize,
}

impl Display for Clients {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.records.iter().enumerate().try_for_each(|(n, record)| writeln!(f, "client {n}:\n{record}"))
    }
}

impl Clients {
    fn start(shared: &Arc<Shared>) -> Self {
        let mut all = Self { orders: Vec::new(), tasks: Vec::new(), records: Vec::new(), ends: 0 };
        for n in 0..CLIENTS {
            let (order, orders) = mpsc::unbounded_channel();
            let client = Client::new(format!("c{n}"), shared.clone(), n % 2, orders);
            all.records.push(client.record());
            all.tasks.push(tokio::spawn(client.run()));
            all.orders.push(order);
        }
        all
    }

    fn tell(&self, client: usize, order: Order) {
        // One that has ended has seen a fault, and is asked for it in the end.
        _ = self.orders[client].send(order);
    }

    /// Says an end when everybody follows, and waits until everybody has seen it: that text, and what each has seen. Who is
    /// told after that that something may be missing need not see it: then there is another end.
    async fn see_the_end(&mut self, nodes: &[Broker; 2]) -> (String, Vec<Seen>) {
        let until = Instant::now() + REST;
        loop {
            self.ends += 1;
            let end = format!("the end {}", self.ends);
            let (mut following, mut telling) = (Vec::new(), Vec::new());
            for client in 0..CLIENTS {
                let ((follows, followed), (told, tell)) = (oneshot::channel(), oneshot::channel());
                self.tell(client, Order::Tell(Tell { text: end.clone(), follows: Some(follows), told }));
                following.push(followed);
                telling.push(tell);
            }
            for (n, follows) in following.into_iter().enumerate() {
                self.wait("follows with all that it said acknowledged", n, follows, until, nodes).await;
            }
            self.tell(0, Order::Say(end.clone()));
            let mut seen = Vec::new();
            for (n, tell) in telling.into_iter().enumerate() {
                seen.extend(self.wait("sees the end", n, tell, until, nodes).await);
            }
            if seen.len() == CLIENTS {
                return (end, seen);
            }
        }
    }

    async fn wait<T>(
        &mut self,
        what: &str,
        client: usize,
        told: oneshot::Receiver<T>,
        until: Instant,
        nodes: &[Broker; 2],
    ) -> T {
        match timeout_at(until, told).await {
            Ok(Ok(told)) => told,
            // It has seen what it must not see, and says that.
            Ok(Err(_)) => {
                over(self.tasks.swap_remove(client)).await;
                unreachable!("a client that is told something goes on");
            }
            Err(_) => {
                let log = timeout(REST, read_log(nodes[0].address)).await;
                panic!("client {client} never {what}; its record:\n{}\nthe log: {log:#?}", self.records[client]);
            }
        }
    }

    /// All end, and none has seen a fault.
    async fn leave(self) {
        drop(self.orders);
        for task in self.tasks {
            over(task).await;
        }
    }
}

/// Ends with what a client has to say.
async fn over(client: JoinHandle<()>) {
    timeout(SOON, client).await.expect("a client ends when it is told nothing more").expect("no client sees a fault");
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
