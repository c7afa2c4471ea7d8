//! The twin of `RedisChannelLayer`: queues and groups in sorted sets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use redis::Script;
use serde_json::Value;
use tokio::sync::{Mutex, mpsc};

use super::codec::{Codec, PREFIX, now_micros};
use super::drain::drain;
use super::hosts;
use super::moving::Moving;
use super::names::queue;
use super::plain::{KEPT_SECONDS, PlainChannels};
use super::reader::{CHANNEL, MessageReader};
use super::{ChannelLayer, Delivered, DjangoMember, Fields, Inbound, LayerOptions, ring};
use crate::actor::OwnedTask;
use crate::aside::set_aside;
use crate::ids::{GroupName, NodeKey, local_name};
use crate::metrics::Metrics;
use crate::redis::Database;
use crate::store::{StoreError, StoreResult};

/// Groups or queues in one script run: a few milliseconds of the server's time.
const CHUNK: usize = 500;
/// Batches that wait for `receive` beyond one for each host; each is at most 501 messages.
const BATCHES: usize = 4;

struct CoreLayer {
    hosts: Vec<Database>,
    options: LayerOptions,
    reader: Arc<MessageReader>,
    inbox: Mutex<mpsc::Receiver<Vec<Inbound>>>,
    /// The last score given, in microseconds: one sender's scores rise, or its messages would come in any order.
    last_score: AtomicU64,
    scripts: Scripts,
    plain: PlainChannels,
    moving: Moving,
    _drains: Vec<OwnedTask>,
}

struct Scripts {
    join: Script,
    missing: Script,
    leave: Script,
    members: Script,
    tell: Script,
}

/// Microseconds as seconds.
fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// Joins the core layer. Hosts that are away are tried for ever; only options that cannot be right are an error. Must
/// be called within the tokio runtime that is to carry the connections.
pub async fn core(options: LayerOptions, metrics: Metrics) -> StoreResult<Arc<dyn ChannelLayer>> {
    let (node_key, codec) = (options.node_key.clone(), Codec::new(&options));
    let reader = Arc::new(MessageReader::new(node_key.clone(), codec, metrics, options.expiry_seconds));
    let (out, inbox) = mpsc::channel(options.hosts.len() + BATCHES);
    let key = format!("{}{}", options.prefix, node_key.as_str());
    let start = |(at, source)| {
        let host = reader.metrics.dependencies.layer(at, options.hosts.len()).clone();
        OwnedTask::spawn(drain(source, key.clone(), reader.clone(), host, out.clone()))
    };
    let sources = hosts::sources(&options)?;
    let drains = sources.iter().cloned().enumerate().map(start).collect();
    let hosts = hosts::open(sources, &options, false, &reader.metrics.dependencies).await;
    let scripts = Scripts {
        join: Script::new(include_str!("scripts/join.lua")),
        missing: Script::new(include_str!("scripts/missing.lua")),
        leave: Script::new(include_str!("scripts/leave.lua")),
        members: Script::new(include_str!("scripts/members.lua")),
        tell: Script::new(include_str!("scripts/tell.lua")),
    };
    let (inbox, last_score) = (Mutex::new(inbox), AtomicU64::new(0));
    let (plain, moving) = (PlainChannels::new(), Moving::new());
    Ok(Arc::new(CoreLayer { hosts, options, reader, inbox, last_score, scripts, plain, moving, _drains: drains }))
}

impl CoreLayer {
    fn host(&self, name: &str) -> usize {
        ring::index(name, self.hosts.len())
    }

    fn group_key(&self, group: &GroupName) -> String {
        format!("{}:group:{group}", self.options.prefix)
    }

    /// A score for now that is over all before it, in microseconds and as its text in seconds.
    fn score(&self) -> (u64, String) {
        let now = now_micros();
        let next = |last: u64| Some(now.max(last + 1));
        let last = self.last_score.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).unwrap_or(now);
        let score = now.max(last + 1);
        (score, seconds(score))
    }

    /// A score for a plain channel. In clear it is one of tomorrow: nobody who purges what is old takes the message for that, and
    /// so it need not be touched again. A token of Fernet's has its own time, and is made anew anyway.
    fn plain_score(&self) -> String {
        let (now, text) = self.score();
        if self.reader.codec.encrypts() { text } else { seconds(now + KEPT_SECONDS * 1_000_000) }
    }

    /// Groups by the host that has them, in portions.
    fn portions<'a>(&self, groups: &'a [GroupName]) -> Vec<(usize, Vec<&'a GroupName>)> {
        let mut of_host = BTreeMap::<usize, Vec<&GroupName>>::new();
        for group in groups {
            of_host.entry(self.host(group.as_str())).or_default().push(group);
        }
        let cut = |(host, groups): (usize, Vec<&'a GroupName>)| {
            groups.chunks(CHUNK).map(|part| (host, part.to_vec())).collect::<Vec<_>>()
        };
        of_host.into_iter().flat_map(cut).collect()
    }

    async fn remove(&self, node_key: &str, groups: &[GroupName]) -> StoreResult<()> {
        let mut outcome = Ok(());
        for (host, groups) in self.portions(groups) {
            let mut call = self.scripts.leave.prepare_invoke();
            for group in groups {
                call.key(self.group_key(group)).arg(format!("{node_key}{}", local_name(group)));
            }
            // One host that is away does not keep the others from being asked.
            outcome = outcome.and(self.hosts[host].script(&call).await);
        }
        outcome
    }

    async fn django(&self, group: &GroupName, limit: usize) -> StoreResult<Vec<(String, f64)>> {
        let purge = (now_micros() / 1_000_000).saturating_sub(self.options.group_expiry_seconds);
        let mut call = self.scripts.members.key(self.group_key(group));
        call.arg(purge).arg(limit);
        let found: Vec<(Vec<u8>, f64)> = self.hosts[self.host(group.as_str())].script(&call).await?;
        // Names are UTF-8; one that is not belongs to nobody.
        Ok(found.into_iter().filter_map(|(name, score)| Some((String::from_utf8(name).ok()?, score))).collect())
    }

    /// Prefix and body of a message, as a queue holds it.
    fn stored(&self, prefix: [u8; PREFIX], fields: &Fields) -> Vec<u8> {
        let mut stored = prefix.to_vec();
        stored.extend(self.reader.codec.seal(fields));
        stored
    }

    fn purge(&self, score: u64) -> u64 {
        (score / 1_000_000).saturating_sub(self.options.expiry_seconds)
    }
}

#[async_trait]
impl ChannelLayer for CoreLayer {
    fn channels(&self) -> Option<&NodeKey> {
        Some(&self.options.node_key)
    }

    async fn join(&self, groups: &[GroupName]) -> StoreResult<()> {
        self.reader.add(groups);
        let mut outcome = Ok(());
        for (host, groups) in self.portions(groups) {
            let mut call = self.scripts.join.prepare_invoke();
            call.arg(self.score().1).arg(self.options.group_expiry_seconds);
            for group in groups {
                call.key(self.group_key(group)).arg(self.options.node_key.member(group));
            }
            let bad: StoreResult<Vec<String>> = self.hosts[host].script(&call).await;
            outcome = outcome.and(bad.map(|bad| {
                bad.iter()
                    .for_each(|key| set_aside("channel_layer_key", key, &StoreError::Corrupt("wrong type".into())));
            }));
        }
        outcome
    }

    async fn missing(&self, groups: &[GroupName]) -> StoreResult<Vec<GroupName>> {
        let (mut missing, mut outcome) = (Vec::new(), Ok(()));
        for (host, groups) in self.portions(groups) {
            let mut call = self.scripts.missing.prepare_invoke();
            for group in &groups {
                call.key(self.group_key(group)).arg(self.options.node_key.member(group));
            }
            match self.hosts[host].script::<Vec<usize>>(&call).await {
                Ok(places) => missing
                    .extend(places.into_iter().filter_map(|place| Some((*groups.get(place.checked_sub(1)?)?).clone()))),
                // One that is away says nothing of the others.
                Err(error) => outcome = Err(error),
            }
        }
        if missing.is_empty() { outcome.map(|()| missing) } else { Ok(missing) }
    }

    async fn leave(&self, groups: &[GroupName]) -> StoreResult<()> {
        let outcome = self.remove(self.options.node_key.as_str(), groups).await;
        self.reader.remove(groups);
        outcome
    }

    async fn expel(&self, node_key: &str, groups: &[GroupName]) -> StoreResult<()> {
        self.remove(node_key, groups).await
    }

    async fn receive(&self) -> Vec<Inbound> {
        match self.inbox.lock().await.recv().await {
            Some(batch) => batch,
            // The runtime that carried the drains is gone.
            None => std::future::pending().await,
        }
    }

    async fn tell_group(&self, group: &GroupName, fields: &Fields) -> StoreResult<Delivered> {
        let mut queues = BTreeMap::<String, Vec<Value>>::new();
        for (channel, _) in self.django(group, 0).await? {
            queues.entry(queue(&channel).to_owned()).or_default().push(channel.into());
        }
        let mut of_host = BTreeMap::<usize, Vec<(String, Vec<u8>)>>::new();
        for (name, channels) in queues {
            let mut fields = fields.clone();
            fields.insert(CHANNEL.into(), Value::Array(channels));
            let stored = self.stored(rand::random(), &fields);
            of_host.entry(self.host(&name)).or_default().push((format!("{}{name}", self.options.prefix), stored));
        }
        let (score, text) = self.score();
        let (mut told, mut outcome) = (Delivered::default(), Ok(()));
        for (host, queues) in &of_host {
            for queues in queues.chunks(CHUNK) {
                let mut call = self.scripts.tell.prepare_invoke();
                call.arg(&text).arg(self.options.expiry_seconds).arg(self.purge(score)).arg(self.options.capacity);
                for (key, stored) in queues {
                    call.key(key).arg(stored);
                }
                match self.hosts[*host].script::<usize>(&call).await {
                    Ok(full) => {
                        told.full += full;
                        told.reached += queues.len() - full;
                    }
                    Err(error) => outcome = Err(error),
                }
            }
        }
        self.reader.count("told", told.reached);
        self.reader.count("full", told.full);
        // What was written is written: said again it would be doubled, so only a failure on all counts is one.
        if told.reached == 0 { outcome.map(|()| told) } else { Ok(told) }
    }

    async fn tell_channel(&self, channel: &str, fields: &Fields, token: &str) -> StoreResult<bool> {
        let key = format!("{}{channel}", self.options.prefix);
        let score = self.plain_score();
        let message = (score.as_str(), fields, token);
        let written = self.plain.tell(&self.hosts, &key, message, &self.reader.codec, self.options.capacity).await?;
        self.reader.count(if written { "told" } else { "full" }, 1);
        Ok(written)
    }

    async fn keep_fresh(&self, channel: &str) -> StoreResult<()> {
        let key = format!("{}{channel}", self.options.prefix);
        // Long before Django's processes would take them for expired.
        let stale = (now_micros() / 1_000_000).saturating_sub(self.options.expiry_seconds.div_ceil(2)) as f64;
        let mut outcome = Ok(());
        for host in &self.hosts {
            let fresh = self.plain.refresh(host, &key, stale, &self.reader.codec, || self.plain_score()).await;
            outcome = outcome.and(fresh);
        }
        outcome
    }

    async fn spread(&self, channel: &str) -> StoreResult<()> {
        match self.hosts.len() {
            1 => Ok(()),
            _ => self.moving.spread(&self.hosts, &format!("{}{channel}", self.options.prefix)).await,
        }
    }

    async fn members(&self, group: &GroupName, limit: usize) -> StoreResult<Vec<DjangoMember>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let found = self.django(group, limit).await?.into_iter();
        Ok(found.map(|(channel, score)| DjangoMember { channel, since_ms: (score * 1000.0) as u64 }).collect())
    }
}
