//! All clients of a group, and what must be true of what they saw when everything has come to rest.

use std::collections::HashSet;
use std::fmt::{self, Display, Formatter};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::REST;
use super::client::{Client, Order, Record, Seen, Shared, Tell};
use super::log::{Entry, end_of, ends_of, read_log, written};
use crate::support::{Broker, SOON, eventually};

/// What was counted when everything had come to rest.
#[derive(Debug, Default, Clone, Copy)]
pub struct Rest {
    /// Messages that were acknowledged, each of which the log holds once.
    pub acknowledged: usize,
    /// Questions among what the log holds, each of which has one end.
    pub questions: usize,
    /// Events that clients were shown.
    pub shown: usize,
    /// Times that a client was told that the log began anew.
    pub resets: usize,
}

/// All clients of a group.
pub struct Clients {
    shared: Arc<Shared>,
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
    pub fn start(shared: &Arc<Shared>, count: usize) -> Self {
        let (orders, tasks, records) = (Vec::new(), Vec::new(), Vec::new());
        let mut all = Self { shared: shared.clone(), orders, tasks, records, ends: 0 };
        for n in 0..count {
            let (order, orders) = mpsc::unbounded_channel();
            let name = format!("{}-{n}", shared.group);
            let client = Client::new(name, shared.clone(), n % shared.nodes.len(), orders);
            all.records.push(client.record());
            all.tasks.push(tokio::spawn(client.run()));
            all.orders.push(order);
        }
        all
    }

    pub fn tell(&self, client: usize, order: Order) {
        // One that has ended has seen a fault, and is asked for it in the end.
        _ = self.orders[client].send(order);
    }

    /// Everybody comes back and everything that is under way ends; then what everybody saw is what the log holds, each question
    /// has one end, nothing is there twice, and what `must` be there is.
    pub async fn come_to_rest(&mut self, nodes: &[Broker], must: impl Fn() -> HashSet<String>) -> Rest {
        for client in 0..self.orders.len() {
            self.tell(client, Order::Return(client % nodes.len()));
        }
        self.see_the_end(nodes).await;
        let group = self.shared.group.clone();
        eventually("each question has its end", REST, async || {
            let log = bounded(read_log(nodes[0].address, &group)).await;
            log.iter().all(|entry| !entry.is_question() || ends_of(&log, entry) > 0).then_some(())
        })
        .await;
        for node in nodes {
            self.see_nothing_written(node, &nodes[0]).await;
        }
        // What ended meanwhile is before this.
        let (end, seen) = self.see_the_end(nodes).await;
        let log = bounded(read_log(nodes[0].address, &group)).await;
        for (n, seen) in seen.iter().enumerate() {
            self.compare(n, seen, &log, &end);
        }
        let mut rest = Rest {
            shown: self.shared.shown.load(Ordering::Relaxed),
            resets: self.shared.resets.load(Ordering::Relaxed),
            ..Rest::default()
        };
        for entry in log.iter().filter(|entry| entry.is_question()) {
            assert_eq!(ends_of(&log, entry), 1, "{} was not answered once: {log:#?}", entry.text);
            rest.questions += 1;
        }
        let texts: Vec<&String> = log.iter().map(|entry| &entry.text).collect();
        let once: HashSet<&String> = texts.iter().copied().collect();
        assert_eq!(once.len(), texts.len(), "something is in the log twice: {texts:?}");
        for text in must() {
            assert!(once.contains(&text), "{text} was acknowledged and is gone: {texts:?}\n{self}");
            rest.acknowledged += 1;
        }
        rest
    }

    /// What a client saw since it was last told that something may be missing is what the log holds from there on.
    fn compare(&self, n: usize, seen: &Seen, log: &[Entry], end: &String) {
        let follows = log.iter().filter(|entry| entry.seq > seen.behind).map(|entry| &entry.text);
        let expected: Vec<_> = follows.take_while(|text| *text != end).chain([end]).collect();
        let texts: Vec<_> = seen.texts.iter().collect();
        assert_eq!(texts, expected, "client {n} saw something else than the log holds:\n{}", self.records[n]);
        for answer in &seen.begun {
            let ended = log.iter().any(|entry| entry.text == end_of(answer));
            assert!(ended, "{answer} began for client {n} and has no end: {log:#?}\n{}", self.records[n]);
        }
    }

    async fn see_nothing_written(&self, node: &Broker, reader: &Broker) {
        let (group, until) = (&self.shared.group, Instant::now() + REST);
        loop {
            let written = bounded(written(node.address, group)).await;
            if written.is_empty() {
                break;
            }
            if Instant::now() > until {
                let log = bounded(read_log(reader.address, group)).await;
                panic!("{} shows for ever {}\nthe log: {log:#?}\n{self}", node.address, Value::from(written));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Says an end when everybody follows, and waits until everybody has seen it: that text, and what each has seen. Who is
    /// told after that that something may be missing need not see it: then there is another end.
    async fn see_the_end(&mut self, nodes: &[Broker]) -> (String, Vec<Seen>) {
        let until = Instant::now() + REST;
        loop {
            self.ends += 1;
            let end = format!("the end {}", self.ends);
            let (mut following, mut telling) = (Vec::new(), Vec::new());
            for client in 0..self.orders.len() {
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
            if seen.len() == self.orders.len() {
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
        nodes: &[Broker],
    ) -> T {
        match timeout_at(until, told).await {
            Ok(Ok(told)) => told,
            // It has seen what it must not see, and says that.
            Ok(Err(_)) => {
                over(self.tasks.swap_remove(client)).await;
                unreachable!("a client that is told something goes on");
            }
            Err(_) => {
                let log = timeout(REST, read_log(nodes[0].address, &self.shared.group)).await;
                panic!("client {client} never {what}; its record:\n{}\nthe log: {log:#?}", self.records[client]);
            }
        }
    }

    /// All end, and none has seen a fault.
    pub async fn leave(self) {
        drop(self.orders);
        for task in self.tasks {
            over(task).await;
        }
    }
}

/// What ends in time, or the test does.
async fn bounded<T>(call: impl Future<Output = T>) -> T {
    timeout(REST, call).await.expect("it ends in time")
}

/// Ends with what a client has to say.
async fn over(client: JoinHandle<()>) {
    timeout(SOON, client).await.expect("a client ends when it is told nothing more").expect("no client sees a fault");
}
