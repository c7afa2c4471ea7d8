//! The way from node to node: one pub/sub channel. A message is either a logged event as the append's script
//! publishes it, `{node key}:{store's life}:{appends there} {epoch} {seq} {group} {body}`, or
//! `@{node key} {what a node told, as JSON}`; or `@{node key} ?{number}`, by which a node finds out whether it hears.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytestring::ByteString;
use futures_util::StreamExt;
use redis::RedisResult;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout, timeout_at};

use super::life::Life;
use super::orders;
use crate::actor::OwnedTask;
use crate::dependencies::Dependency;
use crate::ids::{Epoch, GroupName, NodeKey};
use crate::redis::{Database, Source, Subscriber};
use crate::store::{Feed, Heard, StoreResult, StoredEvent, Told};

/// Messages that are read at once.
const BATCH: usize = 256;
/// Batches that may wait to be heard. Beyond, the connection is given up, and what was missed is read from the logs.
const INBOX: usize = 4_096;
/// How often a silent connection is asked whether it lives, and how long it has for an answer.
const PING: Duration = Duration::from_secs(1);
const PONG: Duration = Duration::from_secs(2);
/// What can be wrong with it: it is not there, or it answers later than a call may.
const SUBSCRIPTION: &str = "subscription";
const ANSWER: &str = "answer";
/// What making a subscription may take.
const SUBSCRIBE: Duration = Duration::from_secs(2);
/// Between two attempts.
const RETRY: Duration = Duration::from_millis(100);

/// The pub/sub channel on which every logged event is told to all nodes, in the order of each log. The database's number
/// is in its name, since PUBLISH knows no databases.
pub(super) fn events_channel(prefix: &str, db: i64) -> String {
    format!("{prefix}:{db}:events")
}

/// What `node` tells the others, as it is published.
pub(super) fn encode(node: &NodeKey, told: &Told) -> String {
    format!("@{} {}", node.as_str(), json(told))
}

/// The telling alone.
pub(super) fn json(told: &Told) -> String {
    serde_json::to_string(told).expect("texts and numbers under constant keys")
}

/// What stands on the channel.
#[derive(Debug, PartialEq)]
enum Published {
    Heard(Heard),
    /// A check of this node's own, by its number.
    Check(u64),
}

/// Reads what was published; `None` if it is this node's own telling (orders are heard all the same), or of no known form.
/// What it says of the store's life is noticed.
fn decode(own: &NodeKey, life: &Life, payload: &[u8]) -> Option<Published> {
    let text = std::str::from_utf8(payload).ok()?;
    if let Some(told) = text.strip_prefix('@') {
        let (node, json) = told.split_once(' ')?;
        let is_own = node == own.as_str();
        if let Some(order) = orders::published(json, is_own) {
            return Some(Published::Heard(Heard::Ordered(order)));
        }
        return match (is_own, json.strip_prefix('?')) {
            (true, number) => number?.parse().ok().map(Published::Check),
            (false, _) => serde_json::from_str(json).ok().map(|told| Published::Heard(Heard::Told(told))),
        };
    }
    let mut parts = text.splitn(5, ' ');
    // A node of the version before writes its key alone.
    let mut by = parts.next()?.splitn(3, ':');
    let here = by.next()? == own.as_str();
    let of = by.next().zip(by.next().and_then(|appends| appends.parse().ok()));
    let epoch = Epoch::from(parts.next()?);
    let seq = parts.next()?.parse().ok()?;
    let group = GroupName::parse(parts.next()?).ok()?;
    let body = ByteString::from(parts.next()?);
    if let Some((of, appends)) = of {
        life.noticed(of, appends);
    }
    Some(Published::Heard(match here {
        true => Heard::LoggedHere { group, epoch, seq },
        false => Heard::Logged { group, epoch, event: StoredEvent { seq, body } },
    }))
}

/// One node's ear and mouth.
pub struct RedisFeed {
    database: Database,
    channel: String,
    node_key: NodeKey,
    inbox: Mutex<mpsc::Receiver<Vec<Heard>>>,
    _listening: OwnedTask,
}

impl RedisFeed {
    pub(super) fn new(database: Database, channel: String, node_key: NodeKey, subscription: Subscription) -> Self {
        let (heard, inbox) = mpsc::channel(INBOX);
        let listening = OwnedTask::spawn(subscription.keep_listening(database.clone(), heard));
        Self { database, channel, node_key, inbox: Mutex::new(inbox), _listening: listening }
    }
}

#[async_trait]
impl Feed for RedisFeed {
    async fn tell(&self, told: &Told) -> StoreResult<()> {
        let payload = encode(&self.node_key, told);
        let publish = async |mut connection| {
            redis::cmd("PUBLISH").arg(&self.channel).arg(payload).query_async(&mut connection).await
        };
        self.database.call(publish).await
    }

    async fn hear(&self) -> Vec<Heard> {
        match self.inbox.lock().await.recv().await {
            Some(heard) => heard,
            // The listening task ends with this value alone.
            None => std::future::pending().await,
        }
    }
}

/// The subscription.
pub(super) struct Subscription {
    source: Source,
    channel: String,
    own: NodeKey,
    life: Arc<Life>,
    dependency: Dependency,
    /// How late an answer may be. Later, what is heard comes late as well, and that is better than not at all.
    late: Duration,
    is_subscribed: Arc<AtomicBool>,
}

impl Subscription {
    /// `late`: what a call may take.
    pub(super) fn new(
        source: Source,
        channel: String,
        own: NodeKey,
        life: Arc<Life>,
        dependency: Dependency,
        late: Duration,
    ) -> Self {
        dependency.in_use();
        Self { source, channel, own, life, dependency, late: late.min(PONG), is_subscribed: Arc::default() }
    }

    /// Whether there is a subscription, now and from now on.
    pub(super) fn is_subscribed(&self) -> Arc<AtomicBool> {
        self.is_subscribed.clone()
    }

    /// Subscribes again whenever the subscription is lost.
    async fn keep_listening(self, main: Database, heard: mpsc::Sender<Vec<Heard>>) {
        loop {
            let reason = self.listen(&main, &heard).await;
            self.is_subscribed.store(false, Ordering::Relaxed);
            log::debug!(state = "lost", reason; "the feed is lost");
            self.dependency.lost(SUBSCRIPTION, &reason);
            sleep(RETRY).await;
        }
    }

    /// Listens until the subscription is lost; says why.
    async fn listen(&self, main: &Database, heard: &mpsc::Sender<Vec<Heard>>) -> String {
        let subscribe = async {
            let Subscriber { mut pubsub, seen, counted } = self.source.pubsub().await?;
            pubsub.subscribe(&self.channel).await.map_err(|error| error.to_string())?;
            Ok::<_, String>((pubsub.split(), seen, counted))
        };
        let ((mut sink, stream), mut seen, _counted) = match timeout(SUBSCRIBE, subscribe).await {
            Ok(Ok(halves)) => halves,
            Ok(Err(reason)) => return reason,
            Err(_) => return "no subscription in time".into(),
        };
        log::debug!(state = "available"; "the feed is there");
        if heard.send(vec![Heard::Resumed]).await.is_err() {
            return "nobody hears".into();
        }
        self.dependency.found(SUBSCRIPTION);
        self.is_subscribed.store(true, Ordering::Relaxed);
        let checked = watch::Sender::new(0);
        let reading = async {
            let mut batches = stream.ready_chunks(BATCH);
            while let Some(messages) = batches.next().await {
                let published = messages.iter().filter_map(|it| decode(&self.own, &self.life, it.get_payload_bytes()));
                let mut batch = Vec::with_capacity(messages.len());
                for published in published {
                    match published {
                        Published::Heard(heard) => batch.push(heard),
                        Published::Check(number) => _ = checked.send_replace(number),
                    }
                }
                if !batch.is_empty() && heard.try_send(batch).is_err() {
                    return "more came than could be heard".to_owned();
                }
            }
            "the connection ended".to_owned()
        };
        let asking = async {
            let mut tick = interval(PING);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tick.tick().await;
                if let Err(reason) = self.ask(sink.ping::<redis::Value>()).await {
                    return reason;
                }
            }
        };
        tokio::select! {
            reason = reading => reason,
            reason = asking => reason,
            reason = self.check(main, checked.subscribe()) => reason,
            () = seen.moved() => "another server has taken its place".to_owned(),
        }
    }

    /// Checks again and again, and at once when the main connection is a new one, that what is published there is heard
    /// here: both may live, each with a server of its own. Says so when they do.
    async fn check(&self, main: &Database, mut checked: watch::Receiver<u64>) -> String {
        let mut available = main.available();
        for number in 1.. {
            let payload = format!("@{} ?{number}", self.own.as_str());
            let publish = async |mut connection| {
                redis::cmd("PUBLISH").arg(&self.channel).arg(payload).query_async::<u64>(&mut connection).await
            };
            // Without the main connection nothing can be said.
            match main.call(publish).await {
                Ok(0) => return "nobody hears where the main connection leads".into(),
                Ok(_) => {
                    let heard = timeout(PONG, checked.wait_for(|heard| *heard >= number)).await;
                    if heard.is_err() {
                        return "what the main connection said is not heard".into();
                    }
                }
                Err(_) => {}
            }
            _ = timeout(PING, available.changed()).await;
        }
        "no more numbers".into()
    }

    /// Whether the connection lives, and answers in time.
    async fn ask(&self, ping: impl Future<Output = RedisResult<redis::Value>>) -> Result<(), String> {
        tokio::pin!(ping);
        let started = Instant::now();
        let answer = match timeout(self.late, &mut ping).await {
            Ok(answer) => {
                self.dependency.found(ANSWER);
                answer
            }
            Err(_) => {
                self.dependency.lost(ANSWER, "a late answer to a ping");
                let late = timeout_at(started + PONG, ping).await;
                late.map_err(|_| "no answer to a ping in time".to_owned())?
            }
        };
        answer.map(drop).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests;
