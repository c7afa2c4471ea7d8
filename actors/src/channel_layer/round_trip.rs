//! A message from Django to a node and one back, with Django's part played by the commands that channels_redis sends: whether the
//! layer works as it is configured. It has a group and channels of its own, of which nothing is left.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue};
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::codec::{Codec, PREFIX, now_seconds};
use super::names::queue;
use super::reader::CHANNEL;
use super::{ChannelLayer, Fields, LayerOptions, core, hosts, pubsub, ring};
use crate::ids::{GroupName, random_text};
use crate::metrics::Metrics;
use crate::redis::Source;

/// What one of the two messages may take.
const WAY: Duration = Duration::from_millis(800);
/// Seconds after which what a trip that was broken off has left is gone.
const LEFT: u64 = 10;

/// Where a round trip ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokenTrip {
    /// A host did not do as asked; its words.
    Refused(String),
    /// What Django sent did not come to the node.
    ToNode,
    /// What the node sent did not come to Django, or not as it was sent.
    ToDjango,
}

/// Sends a message to a node as Django would, and one from there to Django. Returns how long both took.
///
/// # Errors
/// How far they came.
pub async fn round_trip(options: LayerOptions, by_publishing: bool) -> Result<Duration, BrokenTrip> {
    let refused = |error: &dyn std::fmt::Display| BrokenTrip::Refused(error.to_string());
    let sources = hosts::sources(&options).map_err(|error| refused(&error))?;
    let connections = join_all(sources.iter().map(Source::look)).await;
    let connections: Result<Vec<_>, _> = connections.into_iter().collect();
    let name = format!("sophie-check-{}", random_text(12));
    let group = GroupName::parse(&name).map_err(|error| refused(&error))?;
    let connections = connections.map_err(BrokenTrip::Refused)?;
    let django = Django { options: &options, sources: &sources, connections, codec: Codec::new(&options), group };
    let metrics = Metrics::new();
    let node = match by_publishing {
        true => pubsub(options.clone(), metrics).await,
        false => core(options.clone(), metrics).await,
    };
    let node = node.map_err(|error| refused(&error))?;
    let groups = std::slice::from_ref(&django.group);
    node.join(groups).await.map_err(|error| refused(&error))?;
    let began = Instant::now();
    let outcome = match by_publishing {
        true => django.by_publishing(&*node).await,
        false => django.by_queues(&*node).await,
    };
    let took = began.elapsed();
    // What is not taken away here goes by itself.
    _ = node.leave(groups).await;
    if !by_publishing {
        let name = django.group.as_str();
        _ = django.ask::<()>(name, redis::cmd("DEL").arg(django.group_key())).await;
    }
    outcome.map(|()| took)
}

struct Django<'a> {
    options: &'a LayerOptions,
    sources: &'a [Source],
    connections: Vec<MultiplexedConnection>,
    codec: Codec,
    group: GroupName,
}

impl Django<'_> {
    /// By sorted sets, as `RedisChannelLayer` does it.
    async fn by_queues(&self, node: &dyn ChannelLayer) -> Result<(), BrokenTrip> {
        let mine = format!("specific.{}!{}", random_text(32), random_text(12));
        let (home, key, now) = (self.group.as_str(), self.group_key(), now_seconds());
        let members: Vec<String> = self.ask(home, redis::cmd("ZRANGE").arg(&key).arg(0).arg(-1)).await?;
        let channel = self.options.node_key.member(&self.group);
        if !members.contains(&channel) {
            return Err(BrokenTrip::ToNode);
        }
        let (mut message, text) = self.message();
        message.insert(CHANNEL.into(), json!([channel]));
        let member = [random_text(PREFIX).as_bytes(), &self.codec.seal(&message)].concat();
        let place = format!("{}{}", self.options.prefix, queue(&channel));
        let host = queue(&channel);
        self.ask::<()>(host, redis::cmd("ZADD").arg(&place).arg(now).arg(member)).await?;
        self.ask::<()>(host, redis::cmd("EXPIRE").arg(&place).arg(LEFT)).await?;
        self.comes_to(node, &text).await?;

        self.ask::<()>(home, redis::cmd("ZADD").arg(&key).arg(now).arg(&mine)).await?;
        self.ask::<()>(home, redis::cmd("EXPIRE").arg(&key).arg(LEFT)).await?;
        let (message, text) = self.message();
        let told = node.tell_group(&self.group, &message).await;
        told.map_err(|error| BrokenTrip::Refused(error.to_string()))?;
        let place = format!("{}{}", self.options.prefix, queue(&mine));
        let popped: Vec<(Vec<u8>, f64)> = self.ask(queue(&mine), redis::cmd("ZPOPMIN").arg(&place)).await?;
        let body = popped.first().and_then(|(member, _)| member.get(PREFIX..));
        self.is(body.unwrap_or_default(), &text)
    }

    /// By publishing, as `RedisPubSubChannelLayer` does it.
    async fn by_publishing(&self, node: &dyn ChannelLayer) -> Result<(), BrokenTrip> {
        let channel = format!("{}__group__{}", self.options.prefix, self.group);
        let source = &self.sources[ring::index(&channel, self.sources.len())];
        let mut ear = source.pubsub().await.map_err(BrokenTrip::Refused)?;
        let heard = ear.pubsub.subscribe(&channel).await;
        heard.map_err(|error| BrokenTrip::Refused(error.to_string()))?;
        let (message, text) = self.message();
        self.ask::<()>(&channel, redis::cmd("PUBLISH").arg(&channel).arg(self.codec.seal(&message))).await?;
        self.comes_to(node, &text).await?;
        let (message, text) = self.message();
        let told = node.tell_group(&self.group, &message).await;
        told.map_err(|error| BrokenTrip::Refused(error.to_string()))?;
        let mut messages = ear.pubsub.on_message();
        let coming = async {
            while let Some(message) = messages.next().await {
                // Its own message came back to it first.
                if self.is(message.get_payload_bytes(), &text).is_ok() {
                    return Ok(());
                }
            }
            Err(BrokenTrip::ToDjango)
        };
        timeout(WAY, coming).await.unwrap_or(Err(BrokenTrip::ToDjango))
    }

    /// Where the layer keeps who is in the group.
    fn group_key(&self) -> String {
        format!("{}:group:{}", self.options.prefix, self.group)
    }

    /// A message that no other is like, and its text.
    fn message(&self) -> (Fields, String) {
        let text = random_text(20);
        (Fields::from_iter([("type".into(), json!("sophie.check")), ("text".into(), json!(text))]), text)
    }

    /// Waits until the node has what was sent.
    async fn comes_to(&self, node: &dyn ChannelLayer, text: &str) -> Result<(), BrokenTrip> {
        let coming = async {
            while !node.receive().await.iter().any(|inbound| inbound.fields.get("text").is_some_and(|it| it == text)) {}
        };
        timeout(WAY, coming).await.map_err(|_| BrokenTrip::ToNode)
    }

    fn is(&self, body: &[u8], text: &str) -> Result<(), BrokenTrip> {
        match self.codec.open(body, None) {
            Ok(fields) if fields.get("text").is_some_and(|said| said == text) => Ok(()),
            _ => Err(BrokenTrip::ToDjango),
        }
    }

    /// Makes a call at the host that has a name.
    async fn ask<T: FromRedisValue>(&self, name: &str, command: &Cmd) -> Result<T, BrokenTrip> {
        let mut connection = self.connections[ring::index(name, self.connections.len())].clone();
        let asked = timeout(WAY, command.query_async(&mut connection)).await;
        let asked = asked.map_err(|_| BrokenTrip::Refused("no answer in time".into()))?;
        asked.map_err(|error| BrokenTrip::Refused(error.to_string()))
    }
}
