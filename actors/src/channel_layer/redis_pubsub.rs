//! The twin of `RedisPubSubChannelLayer`: nothing is kept, what is published while a host is away is lost.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{Mutex, mpsc};

use super::codec::Codec;
use super::hosts;
use super::reader::{MessageReader, NODE};
use super::subscriptions::{WantedChannels, Wish, subscribe};
use super::{ChannelLayer, Delivered, DjangoMember, Fields, Inbound, LayerOptions, ring};
use crate::actor::OwnedTask;
use crate::ids::{GroupName, NodeKey};
use crate::metrics::Metrics;
use crate::redis::Database;
use crate::store::StoreResult;

/// Messages that wait for `receive`: more are dropped, since Redis keeps none for later.
const INBOX: usize = 4096;

struct PubsubLayer {
    hosts: Vec<Database>,
    options: LayerOptions,
    reader: Arc<MessageReader>,
    inbox: Mutex<mpsc::Receiver<Inbound>>,
    wanted: Vec<WantedChannels>,
    _subscriptions: Vec<OwnedTask>,
}

/// Joins the pubsub layer, as [`super::core`] does the other one.
pub async fn pubsub(options: LayerOptions, metrics: Metrics) -> StoreResult<Arc<dyn ChannelLayer>> {
    let reader = MessageReader::new(options.node_key.clone(), Codec::new(&options), metrics, options.expiry_seconds);
    let reader = Arc::new(reader);
    let (out, inbox) = mpsc::channel(INBOX);
    let (mut wanted, mut subscriptions) = (Vec::new(), Vec::new());
    let sources = hosts::sources(&options)?;
    for (at, source) in sources.iter().cloned().enumerate() {
        let (asked, wishes) = WantedChannels::new();
        let host = reader.metrics.dependencies.layer(at, options.hosts.len()).clone();
        let task = subscribe(source, asked.clone(), wishes, reader.clone(), host, out.clone());
        subscriptions.push(OwnedTask::spawn(task));
        wanted.push(asked);
    }
    let hosts = hosts::open(sources, &options, true, &reader.metrics.dependencies).await;
    let inbox = Mutex::new(inbox);
    Ok(Arc::new(PubsubLayer { hosts, options, reader, inbox, wanted, _subscriptions: subscriptions }))
}

impl PubsubLayer {
    fn channel(&self, group: &GroupName) -> String {
        format!("{}__group__{group}", self.options.prefix)
    }

    async fn publish(&self, channel: &str, fields: &Fields) -> StoreResult<usize> {
        let payload = self.reader.codec.seal(fields);
        let mut call = redis::cmd("PUBLISH");
        call.arg(channel).arg(payload);
        let host = &self.hosts[ring::index(channel, self.hosts.len())];
        host.call(|mut connection| async move { call.query_async(&mut connection).await }).await
    }

    async fn wish(&self, wish: Wish, groups: &[GroupName]) -> StoreResult<()> {
        let mut of_host = vec![Vec::new(); self.wanted.len()];
        for group in groups {
            let channel = self.channel(group);
            of_host[ring::index(&channel, self.wanted.len())].push((channel, group.clone()));
        }
        let mut outcome = Ok(());
        for (wanted, channels) in self.wanted.iter().zip(of_host) {
            if !channels.is_empty() {
                outcome = outcome.and(wanted.change(wish, channels).await);
            }
        }
        outcome
    }
}

#[async_trait]
impl ChannelLayer for PubsubLayer {
    fn channels(&self) -> Option<&NodeKey> {
        Some(&self.options.node_key)
    }

    async fn join(&self, groups: &[GroupName]) -> StoreResult<()> {
        self.reader.add(groups);
        self.wish(Wish::Subscribe, groups).await
    }

    async fn leave(&self, groups: &[GroupName]) -> StoreResult<()> {
        self.reader.remove(groups);
        self.wish(Wish::Unsubscribe, groups).await
    }

    async fn expel(&self, _: &str, _: &[GroupName]) -> StoreResult<()> {
        // A node's subscriptions die with its connection.
        Ok(())
    }

    async fn receive(&self) -> Vec<Inbound> {
        let mut batch = Vec::new();
        let mut inbox = self.inbox.lock().await;
        if inbox.recv_many(&mut batch, INBOX).await == 0 {
            // The runtime that carried the subscriptions is gone.
            std::future::pending().await
        }
        batch
    }

    /// Redis counts subscribers alone: other nodes in the group are among those who were reached.
    async fn tell_group(&self, group: &GroupName, fields: &Fields) -> StoreResult<Delivered> {
        let mut fields = fields.clone();
        fields.insert(NODE.into(), self.options.node_key.hex().into());
        let reached = self.publish(&self.channel(group), &fields).await?;
        let reached = reached.saturating_sub(usize::from(self.reader.has(group)));
        self.reader.count("told", reached);
        Ok(Delivered { reached, full: 0 })
    }

    async fn tell_channel(&self, channel: &str, fields: &Fields, _: &str) -> StoreResult<bool> {
        let reached = self.publish(channel, fields).await?;
        self.reader.count("told", reached);
        Ok(reached > 0)
    }

    async fn members(&self, _: &GroupName, _: usize) -> StoreResult<Vec<DjangoMember>> {
        Ok(Vec::new())
    }
}
