//! A client of a history: it comes and goes as it is told, says what it is told, follows the group, and notes what it sees.

use std::collections::{HashMap, VecDeque};
use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::log::shown;
use crate::support::{SOON, TestSocket};

/// When a command that was not answered is sent again.
const AGAIN: Duration = Duration::from_millis(700);

/// Told to a client by the history.
pub enum Order {
    /// A text that begins with `q` is a question.
    Say(String),
    Leave,
    Return(usize),
    Tell(Tell),
}

/// Tell what was seen once this text was.
pub struct Tell {
    pub text: String,
    /// Told when the client follows the group, and all that it said is acknowledged.
    pub follows: Option<oneshot::Sender<()>>,
    /// `None`: the client was told since then that something may be missing.
    pub told: oneshot::Sender<Option<Seen>>,
}

/// What a client was shown since it was last told that something may be missing: the `seq` it began behind, and texts.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub behind: u64,
    pub texts: Vec<String>,
    /// The answers that began.
    pub begun: Vec<String>,
}

/// What all clients share with the history.
pub struct Shared {
    pub group: String,
    pub nodes: Vec<SocketAddr>,
    /// Even while Redis lives; odd from before it is killed until it is there again.
    pub life: AtomicU64,
    /// The life in which each text was acknowledged.
    acknowledged: Mutex<HashMap<String, u64>>,
    /// Logged events that clients were shown, and times that one was told that a log began anew.
    pub shown: AtomicUsize,
    pub resets: AtomicUsize,
}

impl Shared {
    pub fn new(group: &str, nodes: Vec<SocketAddr>) -> Self {
        Self {
            group: group.to_owned(),
            nodes,
            life: AtomicU64::new(0),
            acknowledged: Mutex::default(),
            shown: AtomicUsize::new(0),
            resets: AtomicUsize::new(0),
        }
    }

    pub fn acknowledged(&self) -> std::sync::MutexGuard<'_, HashMap<String, u64>> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything that happened to a client, for whoever looks for a fault.
#[derive(Clone)]
pub struct Record {
    since: Instant,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Record {
    fn note(&self, line: impl Display) {
        let line = format!("{:>6} {line}", self.since.elapsed().as_millis());
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

impl Display for Record {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n"))
    }
}

pub struct Client {
    name: String,
    shared: Arc<Shared>,
    orders: mpsc::UnboundedReceiver<Order>,
    node: Option<usize>,
    /// Of its home group, which says where it comes back to.
    home: Option<(String, u64)>,
    place: Option<(String, u64)>,
    seen: Seen,
    unconfirmed: VecDeque<String>,
    tell: Option<Tell>,
    joined: bool,
    record: Record,
}

impl Client {
    /// One that comes to a node at once.
    pub fn new(name: String, shared: Arc<Shared>, node: usize, orders: mpsc::UnboundedReceiver<Order>) -> Self {
        Self {
            name,
            shared,
            orders,
            node: Some(node),
            home: None,
            place: None,
            seen: Seen::default(),
            unconfirmed: VecDeque::new(),
            tell: None,
            joined: false,
            record: Record { since: Instant::now(), lines: Arc::default() },
        }
    }

    /// What happens to it, also while it runs.
    pub fn record(&self) -> Record {
        self.record.clone()
    }

    /// Until it is told nothing more.
    pub async fn run(mut self) {
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
                    let goes_on = self.follow(socket).await;
                    self.joined = false;
                    if !goes_on {
                        return;
                    }
                }
                _ => {
                    self.record.note(format_args!("node {node} is not there"));
                    // Another node may be there.
                    self.node = Some((node + 1) % self.shared.nodes.len());
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    /// Until the connection ends or is left; `false`: the history is over.
    async fn follow(&mut self, mut socket: TestSocket) -> bool {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.record.note(&socket.ready);
        self.home = Some((text(&socket.ready["epoch"]), socket.ready["seq"].as_u64().unwrap_or_default()));
        // What came of the group before the join was acknowledged.
        let mut early = Vec::new();
        let (mut ask_at, mut asked) = (Instant::now(), false);
        loop {
            if ask_at <= Instant::now() {
                // A join is repeated when it was refused: while it is under way, what was missed would come twice.
                assert!(self.joined || !asked, "{}: no reply to a join:\n{}", self.name, self.record);
                asked = true;
                ask_at = Instant::now() + if self.joined { AGAIN } else { SOON };
                let commands = match (self.joined, &self.place) {
                    (false, None) => vec![json!({"type": "group.join", "id": "join", "group": self.shared.group})],
                    (false, Some((epoch, since))) => {
                        vec![
                            json!({"type": "group.join", "id": "join", "group": self.shared.group, "since": since, "epoch": epoch}),
                        ]
                    }
                    (true, _) => self.unconfirmed.iter().map(|text| self.say(text)).collect(),
                };
                for command in commands {
                    if !sent(&mut socket, command).await {
                        return true;
                    }
                }
            }
            tokio::select! {
                event = socket.next() => match event.inspect(|event| self.record.note(event)) {
                    Err(closed) => {
                        self.record.note(format_args!("closed: {closed:?}"));
                        return true;
                    }
                    Ok(event) if event["type"] == "session.closing" => return true,
                    Ok(event) if !self.joined && event["id"] == "join" => {
                        (self.joined, asked) = (event["type"] == "ack", false);
                        ask_at = Instant::now() + if self.joined { Duration::ZERO } else { AGAIN };
                        let reset = early.iter().rposition(|event: &Value| event["type"] == "log.reset");
                        if self.joined && event["recovered"] != true {
                            // A session that is a member already gets all that follows what its `session.ready` named, or
                            // what it was told by a reset since then. Where it was no member, that is another log or none.
                            let early = early.split_off(reset.unwrap_or_default());
                            let known = reset.map_or(&socket.ready["logs"][&*self.shared.group], |_| &early[0]);
                            let goes_on = known["epoch"] == event["epoch"];
                            let from = if goes_on { known } else { &event };
                            self.begin(text(&event["epoch"]), from["seq"].as_u64().expect("a seq"));
                            early.iter().filter(|_| goes_on).for_each(|event| self.heard(event));
                        }
                        if self.joined && reset.is_none() {
                            let shown = socket.ready["answers"].as_array().expect("answers").iter();
                            let here = shown.filter(|answer| answer["group"] == *self.shared.group);
                            self.seen.begun.extend(here.map(|answer| text(&answer["answer"])));
                        }
                        self.tell_if_due();
                    }
                    Ok(event) if !self.joined => {
                        if event["group"] == *self.shared.group {
                            early.push(event);
                        }
                    }
                    Ok(event) => self.heard(&event),
                },
                order = self.orders.recv() => {
                    let Some(order) = order else { return false };
                    if let Order::Say(said) = &order
                        && self.joined
                        && !sent(&mut socket, self.say(said)).await
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
                () = sleep_until(ask_at) => {}
            }
        }
    }

    fn say(&self, text: &str) -> Value {
        let asks = text.starts_with('q');
        json!({"type": "message.send", "id": text, "group": self.shared.group, "text": text, "assistant": asks})
    }

    fn heed(&mut self, order: Order) {
        match order {
            Order::Say(text) => {
                self.record.note(format_args!("says {text}"));
                self.unconfirmed.push_back(text);
            }
            Order::Leave => {
                self.record.note("leaves");
                self.node = None;
            }
            Order::Return(node) => {
                self.record.note(format_args!("returns to node {node}"));
                self.node = Some(node);
            }
            Order::Tell(tell) => {
                self.tell = Some(tell);
                self.tell_if_due();
            }
        }
    }

    fn begin(&mut self, epoch: String, seq: u64) {
        self.place = Some((epoch, seq));
        self.seen = Seen { behind: seq, ..Seen::default() };
        if let Some(tell) = self.tell.take_if(|tell| tell.follows.is_none()) {
            _ = tell.told.send(None);
        }
    }

    fn heard(&mut self, event: &Value) {
        if event["type"] == "ack"
            && let Some(text) = event["id"].as_str()
        {
            // What was sent again is acknowledged again, and the second time may be told in another life.
            let waiting = self.unconfirmed.len();
            self.unconfirmed.retain(|waiting| waiting != text);
            if self.unconfirmed.len() < waiting {
                self.shared.acknowledged().insert(text.to_owned(), self.shared.life.load(Ordering::SeqCst));
            }
        }
        if event["group"] != *self.shared.group {
            return self.tell_if_due();
        }
        let seq = event["seq"].as_u64();
        if event["type"] == "log.reset" {
            self.shared.resets.fetch_add(1, Ordering::Relaxed);
            self.begin(event["epoch"].as_str().expect("an epoch").to_owned(), seq.expect("a seq"));
        } else if seq.is_some() {
            let (_, at) = self.place.as_mut().expect("joined");
            assert_eq!(seq, Some(*at + 1), "{}: {event} follows {at}:\n{}", self.name, self.record);
            *at += 1;
            let shown = shown(event);
            assert!(!self.seen.texts.contains(&shown), "{}: {shown} came twice:\n{}", self.name, self.record);
            self.shared.shown.fetch_add(1, Ordering::Relaxed);
            self.seen.texts.push(shown);
        } else if event["type"] == "answer.start" {
            self.seen.begun.push(event["answer"].as_str().expect("an answer").to_owned());
        }
        self.tell_if_due();
    }

    fn tell_if_due(&mut self) {
        if let Some(tell) = &mut self.tell
            && self.joined
            && self.unconfirmed.is_empty()
        {
            _ = tell.follows.take().map(|follows| follows.send(()));
        }
        if let Some(tell) = self.tell.take_if(|tell| tell.follows.is_none() && self.seen.texts.contains(&tell.text)) {
            _ = tell.told.send(Some(self.seen.clone()));
        }
    }
}

/// Sends a command; `false`: the connection has ended, or takes nothing.
async fn sent(socket: &mut TestSocket, command: Value) -> bool {
    timeout(SOON, socket.try_send(command)).await.unwrap_or(false)
}
