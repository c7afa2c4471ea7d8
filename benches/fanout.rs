//! What a group message costs: Sophie with two nodes beside the real channels_redis (core and pubsub), in one run on
//! one machine. One node has the speaker, the other the listeners, each of them in 100 groups (1,000 listeners: in 5, since all
//! that joins is told to all who are there); so the figures of the two
//! nodes compare with those of channels_redis's sending and receiving process.
//!
//! `cargo bench --bench fanout` prints a table, first at a gentle pace (latencies, CPU), then as fast as it goes. Needs
//! redis-server, and the Python of `.venv` (`make setup`) with channels_redis. Read the ratios: machines differ.
//! `SOPHIE_BEFORE=/path/to/another/sophie` measures that program too, in turn with this one.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use sophie_kit::TestServer;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/.venv/bin/python");
const SIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/channels_redis_side.py");
/// Commands of the speaker that may be unanswered.
const IN_FLIGHT: usize = 32;

/// What one run costs, per group message.
#[derive(Debug, Deserialize)]
struct Cost {
    sender_ms: f64,
    receiver_ms: f64,
    redis_ms: f64,
    redis_calls: f64,
    redis_reads: f64,
    deliveries_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

impl Cost {
    fn print(&self, name: &str, listeners: usize) {
        println!(
            "{name:<16} {listeners:>9} {:>10.3} {:>12.3} {:>9.3} {:>11.1} {:>11.1} {:>14.0} {:>8.2} {:>8.2}",
            self.sender_ms,
            self.receiver_ms,
            self.redis_ms,
            self.redis_calls,
            self.redis_reads,
            self.deliveries_per_second,
            self.p50_ms,
            self.p99_ms
        );
    }
}

struct Node {
    child: Child,
    address: String,
}

impl Node {
    async fn start(program: &str, redis: &TestServer) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
        let address = format!("127.0.0.1:{port}");
        let mut command = Command::new(program);
        command.current_dir(std::env::temp_dir()).stderr(Stdio::null());
        let settings = [
            ("SOPHIE__SERVER__BIND", address.as_str()),
            ("SOPHIE__SERVER__DRAIN_SECONDS", "0"),
            ("SOPHIE__SERVER__WORKERS", "1"),
            ("SOPHIE__LIMITS__ENABLED", "false"),
            ("SOPHIE__SESSION__MAX_GROUPS", "200"),
            ("SOPHIE__AI__BACKEND", "demo"),
            ("USE_REDIS", "true"),
            ("REDIS_URL", &redis.url(0)),
        ];
        let child = command.envs(settings).spawn().expect("the program starts");
        while tokio::net::TcpStream::connect(&address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { child, address }
    }

    async fn join(&self, session: &str, groups: usize) -> Socket {
        let url = format!("ws://{}/ws/chat/{session}", self.address);
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await.expect("connected");
        for group in 0..groups {
            let id = group.to_string();
            let join = json!({"type": "group.join", "id": id, "group": format!("g{group}")});
            socket.send(Message::text(join.to_string())).await.expect("sent");
            while read(&mut socket).await["id"] != id.as_str() {}
        }
        socket
    }

    /// CPU seconds so far.
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("alive");
        let after_name: Vec<&str> = stat.rsplit(')').next().expect("a name").split_whitespace().collect();
        let ticks: f64 = after_name[11..13].iter().map(|field| field.parse::<f64>().expect("a number")).sum();
        // USER_HZ is 100 on every Linux.
        ticks / 100.0
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

async fn read(socket: &mut Socket) -> Value {
    match socket.next().await {
        Some(Ok(Message::Text(text))) => serde_json::from_str(&text).expect("JSON"),
        Some(Ok(_)) => Value::Null,
        other => panic!("{other:?}"),
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

/// Calls, those inside scripts included; reads from clients, of which a round trip is one; CPU seconds.
fn redis_costs(redis: &TestServer) -> [f64; 3] {
    let info: String = redis::cmd("INFO").arg("all").query(&mut redis.connection(0)).expect("told");
    let mut calls = 0.0;
    let (mut reads, mut cpu) = (0.0, 0.0);
    for line in info.lines() {
        if line.starts_with("cmdstat_")
            && let Some(count) = line.split(":calls=").nth(1).and_then(|rest| rest.split(',').next())
        {
            calls += count.parse::<f64>().unwrap_or_default();
        }
        if let Some(count) = line.strip_prefix("total_reads_processed:") {
            reads = count.parse().unwrap_or_default();
        }
        if let Some(seconds) = line.strip_prefix("used_cpu_user:").or(line.strip_prefix("used_cpu_sys:")) {
            cpu += seconds.parse::<f64>().unwrap_or_default();
        }
    }
    [calls, reads, cpu]
}

/// Reads `messages` messages; returns their latencies in seconds.
async fn listen(mut socket: SplitStream<Socket>, messages: usize) -> Vec<f64> {
    let mut latencies = Vec::with_capacity(messages);
    while latencies.len() < messages {
        let Some(Ok(Message::Text(text))) = socket.next().await else { continue };
        // Parsing is not what is measured: the time stands behind the only `@`.
        if let Some(at) = text.split('@').nth(1).and_then(|rest| rest.split('"').next()) {
            latencies.push(now() - at.parse::<f64>().expect("a time"));
        }
    }
    latencies
}

async fn speak(speaker: Socket, groups: usize, messages: usize, pace: f64) {
    let (mut out, mut back): (SplitSink<Socket, Message>, SplitStream<Socket>) = speaker.split();
    let began = now();
    let mut acknowledged = 0;
    for number in 0..messages {
        if pace > 0.0 {
            tokio::time::sleep(Duration::from_secs_f64((began + number as f64 / pace - now()).max(0.0))).await;
        }
        while number >= acknowledged + IN_FLIGHT {
            if let Some(Ok(Message::Text(text))) = back.next().await
                && text.starts_with("{\"type\":\"ack\"")
            {
                acknowledged += 1;
            }
        }
        let text = format!("{}@{}", "x".repeat(40), now());
        let group = format!("g{}", number % groups);
        let send =
            json!({"type": "message.send", "id": number.to_string(), "group": group, "text": text, "assistant": false});
        out.send(Message::text(send.to_string())).await.expect("sent");
    }
    while acknowledged < messages {
        if let Some(Ok(Message::Text(text))) = back.next().await
            && text.starts_with("{\"type\":\"ack\"")
        {
            acknowledged += 1;
        }
    }
}

async fn sophie(program: &str, groups: usize, listeners: usize, messages: usize, pace: f64) -> Cost {
    let redis = TestServer::start();
    let (one, other) = (Node::start(program, &redis).await, Node::start(program, &redis).await);
    let mut listening = Vec::new();
    for number in 0..listeners {
        let (out, back) = other.join(&format!("listener-{number}"), groups).await.split();
        listening.push((out, actix::spawn(listen(back, messages))));
    }
    // Last, since nobody reads what it is told meanwhile.
    let speaker = one.join("speaker", groups).await;
    // What joining still does in the background is not the messages' cost.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = redis_costs(&redis);
    let (sending, receiving, began) = (one.cpu(), other.cpu(), now());
    speak(speaker, groups, messages, pace).await;
    let mut latencies = Vec::new();
    for (_out, listener) in listening {
        latencies.extend(listener.await.expect("read all"));
    }
    let seconds = now() - began;
    let after = redis_costs(&redis);
    let [calls, reads, cpu] = [0, 1, 2].map(|figure| (after[figure] - before[figure]) / messages as f64);
    latencies.sort_by(f64::total_cmp);
    let percentile = |share: f64| 1000.0 * latencies[(latencies.len() as f64 * share) as usize];
    let each = messages as f64;
    Cost {
        sender_ms: 1000.0 * (one.cpu() - sending) / each,
        receiver_ms: 1000.0 * (other.cpu() - receiving) / each,
        redis_ms: 1000.0 * cpu,
        redis_calls: calls,
        redis_reads: reads,
        deliveries_per_second: each * listeners as f64 / seconds,
        p50_ms: percentile(0.5),
        p99_ms: percentile(0.99),
    }
}

fn channels_redis(layer: &str, groups: usize, listeners: usize, messages: usize, pace: f64) -> Option<Cost> {
    let redis = TestServer::start();
    let numbers = [groups, listeners, messages].map(|number| number.to_string());
    let mut command = Command::new(PYTHON);
    command.args([SIDE, layer, &redis.url(0)]).args(numbers).arg(pace.to_string());
    let output = command.stderr(Stdio::inherit()).output().ok()?;
    serde_json::from_slice(&output.stdout).ok()
}

#[actix::main]
async fn main() {
    // `cargo test --benches` runs this without work to do.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let before = std::env::var("SOPHIE_BEFORE").ok();
    println!("per group message; CPU in ms, Redis calls with those inside scripts, and reads from clients");
    for (title, pace) in [("50 messages a second", 50.0), ("as fast as it goes", 0.0)] {
        println!(
            "\n{title}\n{:<16} listeners  sender_ms  receiver_ms  redis_ms  redis_calls redis_reads  deliveries_/s   p50_ms   p99_ms",
            ""
        );
        for (groups, listeners, messages) in [(100, 1, 2_000), (100, 10, 2_000), (100, 100, 1_000), (5, 1_000, 300)] {
            let messages = if pace > 0.0 { messages.min(500) } else { messages };
            sophie(env!("CARGO_BIN_EXE_sophie"), groups, listeners, messages, pace).await.print("sophie", listeners);
            if let Some(before) = &before {
                sophie(before, groups, listeners, messages, pace).await.print("sophie before", listeners);
            }
            for layer in ["core", "pubsub"] {
                match channels_redis(layer, groups, listeners, messages, pace) {
                    Some(cost) => cost.print(layer, listeners),
                    None => println!("{layer:<16} {listeners:>9} did not run (make setup installs it)"),
                }
            }
        }
    }
}
