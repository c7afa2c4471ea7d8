//! Random histories against the promise: what was acknowledged is seen once, in order, by everybody who may see it, or they
//! are told that the log began anew. Two real nodes, a real Redis, three clients that come and go.
//!
//! A history is made of its seed: `SOPHIE_HISTORY=SEED cargo test --test api histories::again` plays one again. What the
//! steps meet inside is the machine's business, so it may take more than one try to see the same fault.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{Broker, TestServer, TestSocket};

const GROUP: &str = "room";
const STEPS: usize = 25;
const CLIENTS: usize = 3;
/// What coming to rest may take, with leases to run out on a busy machine.
const REST: Duration = Duration::from_secs(60);
/// When a command that was not answered is sent again.
const AGAIN: Duration = Duration::from_millis(700);

/// Told to a client by the history.
enum Order {
    Say(String),
    Leave,
    Return(usize),
    /// Tell what was seen once this text was.
    Tell(String, oneshot::Sender<Seen>),
}

/// What a client was shown since it was last told that something may be missing: the `seq` it began behind, and texts.
#[derive(Debug)]
struct Seen {
    behind: u64,
    texts: Vec<String>,
}

/// What all clients share with the history.
struct Shared {
    nodes: [SocketAddr; 2],
    /// Even while Redis lives; odd from before it is killed until it is there again.
    life: AtomicU64,
    /// The life in which each text was acknowledged.
    acknowledged: Mutex<HashMap<String, u64>>,
}

impl Shared {
    fn acknowledged(&self) -> std::sync::MutexGuard<'_, HashMap<String, u64>> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Client {
    name: String,
    shared: Arc<Shared>,
    orders: mpsc::UnboundedReceiver<Order>,
    node: Option<usize>,
    /// Of its home group, which says where it comes back to.
    home: Option<(String, u64)>,
    place: Option<(String, u64)>,
    seen: Seen,
    unconfirmed: VecDeque<String>,
    tell: Option<(String, oneshot::Sender<Seen>)>,
    /// Everything that came, for whoever looks for a fault.
    record: Vec<String>,
}

impl Client {
    async fn run(mut self) {
        loop {
            let Some(node) = self.node else {
                match self.orders.recv().await {
                    Some(order) => self.heed(order),
                    None => return,
                }
                continue;
            };
            let mut query = String::new();
            if let Some((epoch, seq)) = &self.home {
                query = format!("?since={seq}&epoch={epoch}");
            }
            let request = TestSocket::request(self.shared.nodes[node], &self.name, &query);
            match timeout(AGAIN, TestSocket::try_open(request)).await {
                Ok(Some(socket)) => {
                    if !self.follow(socket).await {
                        return;
                    }
                }
                _ => {
                    // Another node may be there.
                    self.node = Some(1 - node);
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    /// Until the connection ends or is left; `false`: the history is over.
    async fn follow(&mut self, mut socket: TestSocket) -> bool {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.record.push(socket.ready.to_string());
        self.home = Some((text(&socket.ready["epoch"]), socket.ready["seq"].as_u64().unwrap_or_default()));
        let mut joined = false;
        let mut asked: Option<Instant> = None;
        loop {
            if asked.is_none_or(|at| at.elapsed() >= AGAIN) {
                asked = Some(Instant::now());
                let commands = match (joined, &self.place) {
                    (false, None) => vec![json!({"type": "group.join", "id": "join", "group": GROUP})],
                    (false, Some((epoch, since))) => {
                        vec![
                            json!({"type": "group.join", "id": "join", "group": GROUP, "since": since, "epoch": epoch}),
                        ]
                    }
                    (true, _) => self.unconfirmed.iter().map(say).collect(),
                };
                for command in commands {
                    if !socket.try_send(command).await {
                        return true;
                    }
                }
            }
            tokio::select! {
                event = socket.next() => match event.inspect(|event| self.record.push(event.to_string())) {
                    Err(_) => return true,
                    Ok(event) if event["type"] == "session.closing" => return true,
                    Ok(event) if !joined => {
                        if event["type"] == "ack" && event["id"] == "join" {
                            joined = true;
                            asked = None;
                            if event["recovered"] != true {
                                // A session that is a member already gets all that follows what its `session.ready` named.
                                let ready = &socket.ready["logs"][GROUP];
                                let from = if ready["epoch"] == event["epoch"] { ready } else { &event };
                                self.begin(text(&event["epoch"]), from["seq"].as_u64().expect("a seq"));
                            }
                        }
                    }
                    Ok(event) => self.heard(&event),
                },
                order = self.orders.recv() => {
                    let Some(order) = order else { return false };
                    if let Order::Say(said) = &order
                        && joined
                        && !socket.try_send(say(said)).await
                    {
                        self.heed(order);
                        return true;
                    }
                    let node = self.node;
                    self.heed(order);
                    if self.node != node {
                        return true;
                    }
                },
                () = sleep(AGAIN) => {}
            }
        }
    }

    fn heed(&mut self, order: Order) {
        match order {
            Order::Say(text) => self.unconfirmed.push_back(text),
            Order::Leave => self.node = None,
            Order::Return(node) => self.node = Some(node),
            Order::Tell(text, told) => {
                self.tell = Some((text, told));
                self.tell_if_seen();
            }
        }
    }

    fn begin(&mut self, epoch: String, seq: u64) {
        self.place = Some((epoch, seq));
        self.seen = Seen { behind: seq, texts: Vec::new() };
    }

    fn heard(&mut self, event: &Value) {
        if event["type"] == "ack"
            && let Some(text) = event["id"].as_str()
        {
            self.unconfirmed.retain(|waiting| waiting != text);
            self.shared.acknowledged().insert(text.to_owned(), self.shared.life.load(Ordering::SeqCst));
        }
        if event["group"] != GROUP {
            return;
        }
        let seq = event["seq"].as_u64();
        if event["type"] == "log.reset" {
            self.begin(event["epoch"].as_str().expect("an epoch").to_owned(), seq.expect("a seq"));
        } else if event["type"] == "message" {
            let (_, at) = self.place.as_mut().expect("joined");
            assert_eq!(seq, Some(*at + 1), "{}: {event} follows {at}:\n{}", self.name, self.record.join("\n"));
            *at += 1;
            self.seen.texts.push(event["message"]["text"].as_str().expect("text").to_owned());
            self.tell_if_seen();
        }
    }

    fn tell_if_seen(&mut self) {
        if let Some((last, told)) = self.tell.take_if(|(last, _)| self.seen.texts.contains(last)) {
            let up_to = self.seen.texts.iter().position(|text| *text == last).map_or(0, |at| at + 1);
            _ = told.send(Seen { behind: self.seen.behind, texts: self.seen.texts[..up_to].to_vec() });
        }
    }
}

fn say(text: &String) -> Value {
    json!({"type": "message.send", "id": text, "group": GROUP, "text": text, "assistant": false})
}

fn cut(redis: &TestServer, kind: &str) {
    _ = redis::cmd("CLIENT").arg(&["KILL", "TYPE", kind, "SKIPME", "yes"]).query::<u64>(&mut redis.connection(0));
}

/// Plays a history and looks at what everybody saw.
async fn play(seed: u64) {
    println!("history {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut redis = TestServer::start();
    let url = redis.url(0);
    let environment = [("USE_REDIS", "true"), ("REDIS_URL", &*url), ("SOPHIE__SERVER__DRAIN_SECONDS", "0")];
    let mut nodes = [Broker::start(0, &environment).await, Broker::start(0, &environment).await];
    let shared = Arc::new(Shared {
        nodes: nodes.each_ref().map(|node| node.address),
        life: AtomicU64::new(0),
        acknowledged: Mutex::default(),
    });
    let mut clients = Vec::new();
    let mut tasks = Vec::new();
    for n in 0..CLIENTS {
        let (order, orders) = mpsc::unbounded_channel();
        let client = Client {
            name: format!("c{n}"),
            shared: shared.clone(),
            orders,
            node: Some(n % 2),
            home: None,
            place: None,
            seen: Seen { behind: 0, texts: Vec::new() },
            unconfirmed: VecDeque::new(),
            tell: None,
            record: Vec::new(),
        };
        tasks.push(tokio::spawn(client.run()));
        clients.push(order);
    }
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
                    _ = clients[client].send(Order::Say(format!("m{said}")));
                }
            }
            40..52 => _ = clients[client].send(Order::Leave),
            52..70 => _ = clients[client].send(Order::Return(node)),
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
    for (n, client) in clients.iter().enumerate() {
        _ = client.send(Order::Return(n % 2));
    }
    _ = clients[0].send(Order::Say("the end".into()));
    let mut told = Vec::new();
    for client in &clients {
        let (tell, seen) = oneshot::channel();
        _ = client.send(Order::Tell("the end".into(), tell));
        told.push(seen);
    }
    let mut all = Vec::new();
    for (n, seen) in told.into_iter().enumerate() {
        match timeout(REST, seen).await {
            Ok(Ok(seen)) => all.push(seen),
            late => {
                tasks.remove(n).await.expect("no client sees a hole");
                panic!("client {n} did not see the end: {late:?}\n{}\n{}", nodes[0].log(), nodes[1].log());
            }
        }
    }
    let log = read_log(nodes[0].address).await;
    for (n, seen) in all.iter().enumerate() {
        let expected: Vec<_> = log.iter().filter(|(seq, _)| *seq > seen.behind).map(|(_, text)| text.clone()).collect();
        let up_to = expected.iter().position(|text| text == "the end").map_or(0, |at| at + 1);
        assert_eq!(seen.texts, expected[..up_to], "client {n} saw something else than the log holds");
    }
    let texts: Vec<&String> = log.iter().map(|(_, text)| text).collect();
    let once: HashSet<&String> = texts.iter().copied().collect();
    assert_eq!(once.len(), texts.len(), "something is in the log twice: {texts:?}");
    let life = shared.life.load(Ordering::SeqCst);
    for text in settled(&shared, &owed, life) {
        assert!(once.contains(&text), "{text} was acknowledged and is gone: {texts:?}");
    }
    drop(clients);
    for task in tasks {
        task.await.expect("no client sees a hole");
    }
}

/// The whole log, as a session that joins reads it.
async fn read_log(node: SocketAddr) -> Vec<(u64, String)> {
    let mut reader = TestSocket::open(node, "reader", "").await;
    reader.insist_on("join", json!({"type": "group.join", "group": GROUP})).await;
    let (mut log, mut before) = (VecDeque::new(), Value::Null);
    loop {
        let mut get = json!({"type": "history.get", "group": GROUP, "limit": 100});
        if !before.is_null() {
            get["before"] = before.clone();
        }
        let page = reader.insist_on("page", get).await;
        for event in page["events"].as_array().expect("events").iter().rev() {
            let text = event["message"]["text"].as_str().expect("text").to_owned();
            log.push_front((event["seq"].as_u64().expect("a seq"), text));
        }
        if page["more"] != true {
            return log.into();
        }
        before = page["events"][0]["seq"].clone();
    }
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
    again: std::env::var("SOPHIE_HISTORY").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random),
}
