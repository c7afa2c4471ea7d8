//! A rolling restart of three nodes while everybody speaks: clients go from node to node, as the protocol tells them to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::support::{Broker, SOON, TestServer, TestSocket, described};

const NODES: usize = 3;
const SPEAKERS: usize = 6;
/// For one node to be replaced, and for the last words to be heard, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client that follows the protocol: when its node goes, it connects to another one and takes up where it was.
struct Roamer {
    nodes: [SocketAddr; NODES],
    at: usize,
    session: String,
    socket: Option<WebSocketStream<MaybeTlsStream<TcpStream>>>,
    /// Where the home group's log stood.
    home: Option<(Value, Value)>,
    /// The life of the group's log.
    epoch: Value,
    heard: Vec<(u64, String)>,
    moves: usize,
}

impl Roamer {
    async fn new(nodes: [SocketAddr; NODES], at: usize, session: String) -> Self {
        let heard = Vec::new();
        let mut roamer = Self { nodes, at, session, socket: None, home: None, epoch: Value::Null, heard, moves: 0 };
        roamer.connect().await;
        roamer
    }

    /// Connects to whichever node takes it, and recovers the group.
    async fn connect(&mut self) {
        let until = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < until, "no node takes {}", self.session);
            let resume =
                self.home.as_ref().map(|(epoch, seq)| format!("?since={seq}&epoch={}", epoch.as_str().expect("text")));
            let request = TestSocket::request(self.nodes[self.at % NODES], &self.session, &resume.unwrap_or_default());
            if let Ok(Ok((socket, _))) = timeout(SOON, tokio_tungstenite::connect_async(request)).await {
                self.socket = Some(socket);
                let mut join = json!({"type": "group.join", "id": "join", "group": "team"});
                // Who had to go before it heard a word wants the first ones too.
                if !self.epoch.is_null() {
                    join["since"] = self.heard.last().map_or(0, |(seq, _)| *seq).into();
                    join["epoch"] = self.epoch.clone();
                }
                if self.send(&join).await && self.joined().await {
                    return;
                }
            }
            self.at += 1;
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn joined(&mut self) -> bool {
        while let Some(event) = self.event(SOON).await {
            if event["id"] != "join" {
                continue;
            }
            if event["type"] != "ack" {
                return false;
            }
            assert!(self.heard.is_empty() || event["recovered"] == true, "{event}");
            self.epoch = event["epoch"].clone();
            return true;
        }
        false
    }

    async fn send(&mut self, command: &Value) -> bool {
        let Some(socket) = &mut self.socket else { return false };
        socket.send(Message::text(command.to_string())).await.is_ok()
    }

    /// The next event, messages noted; none when the connection has ended or nothing came in time.
    async fn event(&mut self, within: Duration) -> Option<Value> {
        let socket = self.socket.as_mut()?;
        loop {
            let event: Value = match timeout(within, socket.next()).await {
                Ok(Some(Ok(Message::Text(text)))) => serde_json::from_str(&text).expect("JSON"),
                Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => {
                    self.socket = None;
                    return None;
                }
                Ok(Some(Ok(_))) => continue,
                Err(_) => return None,
            };
            described::frame("sophie", &event);
            if event["type"] == "session.ready" {
                self.home = Some((event["epoch"].clone(), event["seq"].clone()));
            }
            if event["type"] == "message" && event["group"] == "team" {
                let (seq, text) = (event["seq"].as_u64(), event["message"]["text"].as_str());
                self.heard.push((seq.expect("a seq"), text.expect("text").to_owned()));
            }
            return Some(event);
        }
    }

    /// Listens for a moment, and moves on if the node is gone.
    async fn listen(&mut self, within: Duration) {
        _ = self.event(within).await;
        if self.socket.is_none() {
            self.moves += 1;
            self.at += 1;
            self.connect().await;
        }
    }

    /// Says something until it is acknowledged; returns its seq.
    async fn say(&mut self, id: &str, text: &str) -> u64 {
        let command = json!({"type": "message.send", "id": id, "group": "team", "text": text, "assistant": false});
        let until = Instant::now() + PATIENCE;
        'again: loop {
            assert!(Instant::now() < until, "{text} was never acknowledged");
            if !self.send(&command).await {
                self.socket = None;
            }
            let patience = Instant::now() + SOON;
            while Instant::now() < patience {
                if self.socket.is_none() {
                    self.listen(Duration::ZERO).await;
                    continue 'again;
                }
                let Some(event) = self.event(SOON).await else { continue };
                if event["id"] != id {
                    continue;
                }
                match event["type"].as_str() {
                    Some("ack") => return event["seq"].as_u64().expect("a seq"),
                    _ => {
                        assert_eq!(event["code"], "store_unavailable", "{event}");
                        sleep(Duration::from_millis(50)).await;
                        continue 'again;
                    }
                }
            }
        }
    }
}

/// Speaks until the restart is over, then hears the rest. Returns what was acknowledged, and what was heard.
async fn speak(
    mut roamer: Roamer,
    stop: Arc<AtomicBool>,
    total: tokio::sync::watch::Receiver<Option<usize>>,
    spoken: tokio::sync::mpsc::Sender<usize>,
) -> (Vec<(u64, String)>, Roamer) {
    let mut acknowledged = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let text = format!("{}-{}", roamer.session, acknowledged.len());
        let seq = roamer.say(&format!("m{}", acknowledged.len()), &text).await;
        acknowledged.push((seq, text));
        sleep(Duration::from_millis(5)).await;
    }
    spoken.send(acknowledged.len()).await.expect("the test waits");
    let until = Instant::now() + PATIENCE;
    while (*total.borrow()).is_none_or(|total| roamer.heard.len() < total) {
        assert!(Instant::now() < until, "{} heard {} of {:?}", roamer.session, roamer.heard.len(), *total.borrow());
        roamer.listen(Duration::from_millis(50)).await;
    }
    (acknowledged, roamer)
}

#[tokio::test]
async fn a_rolling_restart_loses_nothing_that_was_acknowledged() {
    let redis = TestServer::start();
    let url = redis.url(0);
    let environment = |name: &'static str| {
        [
            ("USE_REDIS", "true"),
            ("REDIS_URL", url.as_str()),
            ("SOPHIE__SERVER__NODE", name),
            ("SOPHIE__SERVER__DRAIN_SECONDS", "2"),
            ("SOPHIE__SESSION__LOG_EVENTS", "100000"),
        ]
    };
    let names = ["n0", "n1", "n2"];
    let mut nodes = Vec::new();
    for name in names {
        nodes.push(Broker::start(0, &environment(name)).await);
    }
    let addresses = [nodes[0].address, nodes[1].address, nodes[2].address];
    let stop = Arc::new(AtomicBool::new(false));
    let (told, total) = tokio::sync::watch::channel(None);
    let (spoken, mut speaking) = tokio::sync::mpsc::channel(SPEAKERS);
    let mut speakers = JoinSet::new();
    let mut roamers = Vec::new();
    for n in 0..SPEAKERS {
        roamers.push(Roamer::new(addresses, n, format!("s{n}")).await);
    }
    for roamer in roamers {
        speakers.spawn(speak(roamer, stop.clone(), total.clone(), spoken.clone()));
    }
    for (n, name) in names.into_iter().enumerate() {
        sleep(Duration::from_millis(500)).await;
        let mut going = nodes.remove(n);
        going.signal("-TERM");
        // Waited for by another thread: everybody speaks on meanwhile, and moves.
        let (code, _) = tokio::task::spawn_blocking(move || going.wait(SOON)).await.expect("waited");
        assert_eq!(code, Some(0));
        nodes.insert(n, Broker::start(addresses[n].port(), &environment(name)).await);
    }
    sleep(Duration::from_millis(500)).await;
    stop.store(true, Ordering::Relaxed);
    let mut count = 0;
    for _ in 0..SPEAKERS {
        count += speaking.recv().await.expect("every speaker ends");
    }
    told.send_replace(Some(count));

    let spoken = speakers.join_all().await;
    let reference = &spoken[0].1.heard;
    assert_eq!(reference.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), (1..=count as u64).collect::<Vec<_>>());
    let mut lost = 0;
    for (acknowledged, roamer) in &spoken {
        // The first difference alone: the lists are long.
        let differs = roamer.heard.iter().zip(reference).position(|(heard, expected)| heard != expected);
        let around = |list: &[(u64, String)]| differs.map(|at| list[at..].iter().take(5).cloned().collect::<Vec<_>>());
        assert_eq!(around(&roamer.heard), around(reference), "{} heard another order", roamer.session);
        assert_eq!(roamer.heard.len(), reference.len());
        lost += acknowledged.iter().filter(|said| !reference.contains(said)).count();
    }
    let moves: usize = spoken.iter().map(|(_, roamer)| roamer.moves).sum();
    println!("{count} messages acknowledged, {lost} lost, {moves} moves from node to node");
    assert_eq!(lost, 0);
    assert!(moves >= SPEAKERS, "everybody had to move");
}
