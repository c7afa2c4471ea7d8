//! What this node hears on one host of the pubsub layer. Asked for anew whenever a connection was made anew.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::PubSubSink;
use redis::{Msg, RedisResult};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::hosts;
use super::reader::MessageReader;
use super::{Addressee, HeardAt, Inbound};
use crate::dependencies::Dependency;
use crate::ids::GroupName;
use crate::redis::{Source, Subscriber};
use crate::store::{StoreError, StoreResult};

/// Channels in one command.
const CHUNK: usize = 500;
/// How long a command may take.
const BUDGET: Duration = Duration::from_secs(2);
/// Changes that wait for the connection; more wait before it.
const CHANGES: usize = 64;
/// What the host is not without.
const SUBSCRIPTIONS: &str = "subscriptions";
/// Between two looks at a connection that nobody may be using.
const LOOK: Duration = Duration::from_secs(10);

/// What to do about channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Subscribe,
    Unsubscribe,
}

pub(super) type Change = (Wish, Vec<String>, oneshot::Sender<()>);

/// Channels with their groups, and since when each is heard.
type Channels = HashMap<String, (GroupName, Instant)>;

/// The group channels that are to be heard on one host.
#[derive(Clone)]
pub(super) struct WantedChannels {
    channels: Arc<Mutex<Channels>>,
    changes: mpsc::Sender<Change>,
}

impl WantedChannels {
    pub(super) fn new() -> (Self, mpsc::Receiver<Change>) {
        let (changes, wishes) = mpsc::channel(CHANGES);
        (Self { channels: Arc::default(), changes }, wishes)
    }

    fn channels(&self) -> MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a wish, and waits until it is fulfilled. After an error it stands, for when the host is back.
    pub(super) async fn change(&self, wish: Wish, channels: Vec<(String, GroupName)>) -> StoreResult<()> {
        let names = {
            let mut wanted = self.channels();
            let note = |(channel, group): (String, GroupName)| {
                match wish {
                    // Before it is asked for: nothing that is heard is older.
                    Wish::Subscribe => _ = wanted.entry(channel.clone()).or_insert_with(|| (group, Instant::now())),
                    Wish::Unsubscribe => _ = wanted.remove(&channel),
                }
                channel
            };
            channels.into_iter().map(note).collect()
        };
        let (done, fulfilled) = oneshot::channel();
        let asked = async {
            self.changes.send((wish, names, done)).await.ok()?;
            fulfilled.await.ok()
        };
        match timeout(BUDGET, asked).await {
            Ok(Some(())) => Ok(()),
            _ => Err(StoreError::Unavailable("the channel layer's host does not answer".into())),
        }
    }
}

/// Keeps the subscriptions of one host for ever.
pub(super) async fn subscribe(
    source: Source,
    wanted: WantedChannels,
    mut wishes: mpsc::Receiver<Change>,
    reader: Arc<MessageReader>,
    host: Dependency,
    out: mpsc::Sender<Inbound>,
) {
    let mut backoff = hosts::backoff();
    loop {
        if let Ok(Subscriber { pubsub, mut seen, counted: _counted }) = source.pubsub().await {
            let (mut sink, mut stream) = pubsub.split();
            if begin(&mut sink, &wanted, &reader).await {
                backoff.reset();
                host.found(SUBSCRIPTIONS);
                loop {
                    tokio::select! {
                        message = stream.next() => match message {
                            Some(message) => hear(&message, &wanted, &reader, &out),
                            None => break,
                        },
                        change = wishes.recv() => {
                            let Some((wish, channels, done)) = change else { return };
                            if !apply(&mut sink, wish, &channels).await {
                                break;
                            }
                            // Whoever asked may have gone; the wish is fulfilled all the same.
                            let _ = done.send(());
                        }
                        () = seen.moved() => break,
                        () = tokio::time::sleep(LOOK) => {
                            if !in_time(sink.ping()).await {
                                break;
                            }
                        }
                    }
                }
            }
        }
        host.lost(SUBSCRIPTIONS, "the connection that hears is away");
        // Wishes that came meanwhile are among what is asked for at the next beginning.
        while wishes.try_recv().is_ok() {}
        backoff.wait().await;
    }
}

async fn begin(sink: &mut PubSubSink, wanted: &WantedChannels, reader: &MessageReader) -> bool {
    // A channel of this node may be on any host: its full name decides.
    let own = format!("{}*", reader.node_key.as_str());
    let channels: Vec<String> = {
        let mut wanted = wanted.channels();
        // What was published meanwhile was not heard.
        wanted.values_mut().for_each(|(_, since)| *since = Instant::now());
        wanted.keys().cloned().collect()
    };
    in_time(sink.psubscribe(own)).await && apply(sink, Wish::Subscribe, &channels).await
}

async fn apply(sink: &mut PubSubSink, wish: Wish, channels: &[String]) -> bool {
    for channels in channels.chunks(CHUNK) {
        let done = match wish {
            Wish::Subscribe => in_time(sink.subscribe(channels)).await,
            Wish::Unsubscribe => in_time(sink.unsubscribe(channels)).await,
        };
        if !done {
            return false;
        }
    }
    true
}

async fn in_time(call: impl Future<Output = RedisResult<()>>) -> bool {
    matches!(timeout(BUDGET, call).await, Ok(Ok(())))
}

fn hear(message: &Msg, wanted: &WantedChannels, reader: &MessageReader, out: &mpsc::Sender<Inbound>) {
    let channel = message.get_channel_name();
    let at = Instant::now();
    let (to, since) = match channel.strip_prefix(reader.node_key.as_str()) {
        Some(local) => (Some(Addressee::Channel(local.into())), at),
        None => match wanted.channels().get(channel) {
            Some((group, since)) => (Some(Addressee::Groups(vec![group.clone()])), *since),
            None => (None, at),
        },
    };
    if let Some(inbound) = reader.published(to, HeardAt { at, since }, message.get_payload_bytes())
        && out.try_send(inbound).is_err()
    {
        reader.count("dropped", 1);
    }
}
