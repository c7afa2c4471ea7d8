//! Visitors: how they come, what they do, and how they go.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::StreamExt;
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{TestSocket, described, question, streamed};

/// So many names there are: when all have been used, nothing more is to be kept.
const SESSIONS: usize = 60;
const GROUPS: usize = 20;
pub const NAMES: u64 = (SESSIONS + GROUPS) as u64;
/// How long a reply is waited for: connections to Redis are cut meanwhile.
const REPLY: Duration = Duration::from_secs(5);

/// What was done so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub visits: u64,
    /// Visitors who were not let in.
    pub refused: u64,
    /// Messages with a reply that was waited for, and those of them that were acknowledged.
    pub said: u64,
    pub acknowledged: u64,
    pub asked: u64,
    pub joined_or_left: u64,
    /// Requests of applications.
    pub requests: u64,
}

impl Counts {
    /// All that may leave something in Redis for a while. What is under way counts too.
    pub fn done(&self) -> u64 {
        self.visits + self.said + self.asked + self.requests + self.joined_or_left + super::VISITORS
    }
}

/// Where visitors come to.
pub struct Town {
    nodes: Vec<SocketAddr>,
    http: reqwest::Client,
    counts: Mutex<Counts>,
    /// The codes by which messages were refused, and how often.
    codes: Mutex<BTreeMap<String, u64>>,
}

impl Town {
    pub fn new(nodes: Vec<SocketAddr>) -> Self {
        // Each request has a connection of its own: none is left when it is done.
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().expect("a client");
        Self { nodes, http, counts: Mutex::default(), codes: Mutex::default() }
    }

    pub fn counts(&self) -> Counts {
        *self.counts.lock().expect("whole")
    }

    pub fn codes(&self) -> BTreeMap<String, u64> {
        self.codes.lock().expect("whole").clone()
    }

    fn count(&self, note: impl FnOnce(&mut Counts)) {
        note(&mut self.counts.lock().expect("whole"));
    }

    /// One comes, does something, and goes.
    pub async fn visit(&self, random: &mut StdRng) {
        self.count(|counts| counts.visits += 1);
        let node = self.nodes[random.random_range(0..self.nodes.len())];
        if random.random_bool(0.15) {
            self.request(random, node).await;
        } else {
            let session = format!("s{}", random.random_range(0..SESSIONS));
            match TestSocket::try_open(TestSocket::request(node, &session, "")).await {
                Some(socket) => self.stay(random, socket).await,
                None => self.count(|counts| counts.refused += 1),
            }
        }
        sleep(Duration::from_millis(random.random_range(0..100))).await;
    }

    async fn stay(&self, random: &mut StdRng, mut socket: TestSocket) {
        for _ in 0..random.random_range(0..6) {
            let (command, is_message) = self.command(random);
            let Some(reply) = reply(&mut socket, command).await else { return };
            if is_message {
                self.count(|counts| {
                    counts.said += 1;
                    counts.acknowledged += u64::from(reply["type"] == "ack");
                });
                if let Some(code) = reply["code"].as_str() {
                    *self.codes.lock().expect("whole").entry(code.to_owned()).or_default() += 1;
                }
            }
        }
        match random.random_range(0..10) {
            0..4 => _ = timeout(REPLY, socket.stream.close(None)).await,
            // Whoever asked this goes before the answer has begun.
            4..6 => _ = socket.try_send(self.ask(random)).await,
            // No command, and the end of a connection.
            6 => _ = futures_util::SinkExt::send(&mut socket.stream, Message::binary(vec![1, 2, 3])).await,
            _ => {}
        }
    }

    /// A command, and whether it is a message. To a group that the session is not in it is refused, so messages go home.
    fn command(&self, random: &mut StdRng) -> (Value, bool) {
        let group = format!("g{}", random.random_range(0..GROUPS));
        match random.random_range(0..100) {
            0..20 => {
                self.count(|counts| counts.joined_or_left += 1);
                (json!({"type": "group.join", "group": group}), false)
            }
            20..38 => {
                self.count(|counts| counts.joined_or_left += 1);
                (json!({"type": "group.leave", "group": group}), false)
            }
            38..65 => (
                json!({"type": "message.send", "text": format!("{}", random.random::<u32>()), "assistant": false}),
                true,
            ),
            65..80 => (self.ask(random), false),
            80..85 => (json!({"type": "history.get", "limit": 20}), false),
            85..90 => (json!({"type": "group.members", "group": group}), false),
            90..95 => (json!({"type": "message.send", "group": group, "text": "to all", "assistant": false}), false),
            95..97 => (json!({"type": "feedback", "rating": random.random_range(1..=5), "text": "so it was"}), false),
            97 => (json!({"type": "person.ask", "text": "is somebody there?"}), false),
            _ => (json!({"type": "ping"}), false),
        }
    }

    fn ask(&self, random: &mut StdRng) -> Value {
        self.count(|counts| counts.asked += 1);
        json!({"type": "message.send", "id": format!("{}", random.random::<u64>()), "text": format!("{}?", random.random_range(0..50))})
    }

    /// An application asks for an answer, whole or as a stream that it leaves in the middle, or publishes.
    async fn request(&self, random: &mut StdRng, node: SocketAddr) {
        self.count(|counts| counts.requests += 1);
        let text = format!("{}?", random.random_range(0..50));
        let post = |path: &str, body: Value| self.http.post(format!("http://{node}{path}")).json(&body).send();
        match random.random_range(0..3) {
            0 => _ = timeout(REPLY, async { post("/v1/chat/completions", question(&text)).await?.bytes().await }).await,
            1 => {
                if let Ok(Ok(response)) = timeout(REPLY, post("/v1/chat/completions", streamed(&text))).await {
                    let mut pieces = response.bytes_stream();
                    for _ in 0..random.random_range(0..4) {
                        _ = timeout(REPLY, pieces.next()).await;
                    }
                }
            }
            _ => {
                let group = format!("g{}", random.random_range(0..GROUPS));
                let body = json!({"text": text, "assistant": false});
                _ = timeout(REPLY, post(&format!("/api/groups/{group}/messages"), body)).await;
            }
        }
    }
}

/// The reply to a command; `None`: the connection has ended, or says nothing for too long.
async fn reply(socket: &mut TestSocket, mut command: Value) -> Option<Value> {
    let id = format!("{:x}", rand::random::<u64>());
    command["id"] = id.clone().into();
    let until = Instant::now() + REPLY;
    if !timeout_at(until, socket.try_send(command)).await.ok()? {
        return None;
    }
    loop {
        match timeout_at(until, socket.stream.next()).await.ok()? {
            Some(Ok(Message::Text(text))) => {
                let event: Value = serde_json::from_str(&text).expect("JSON");
                described::frame("sophie", &event);
                if event["id"] == *id {
                    return Some(event);
                }
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            Some(Ok(_)) => {}
        }
    }
}
