//! The promises of both twins, on a Redis of the tests' own, with Django's part played by plain Redis commands.

mod receiving;
mod rings;
mod round_trips;
mod sending;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sophie_kit::{TestServer, eventually, until};
use tokio::time::timeout;

use super::codec::Codec;
use super::names::{key_on_first_shard, queue};
use super::*;
use crate::ids::random_text;
use crate::metrics::Metrics;

const DEADLINE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, PartialEq, Debug)]
enum Twin {
    Core,
    Pubsub,
}

struct Site {
    servers: Vec<TestServer>,
    options: LayerOptions,
    metrics: Metrics,
    twin: Twin,
    layer: Arc<dyn ChannelLayer>,
}

fn fields(value: Value) -> Fields {
    value.as_object().expect("an object").clone()
}

fn groups(names: &[&str]) -> Vec<GroupName> {
    names.iter().map(|name| GroupName::parse(name).expect("a name")).collect()
}

async fn join_layer(twin: Twin, options: &LayerOptions, metrics: &Metrics) -> Arc<dyn ChannelLayer> {
    let made = match twin {
        Twin::Core => core(options.clone(), metrics.clone()).await,
        Twin::Pubsub => pubsub(options.clone(), metrics.clone()).await,
    };
    let layer = made.expect("good options");
    // The first connections are waited for only for a moment, which a busy machine may take.
    let hosts = options.hosts.len();
    let is_there = || (0..hosts).all(|at| !metrics.dependencies.layer(at, hosts).is_degraded());
    until("each host to have its connection", DEADLINE, is_there).await;
    layer
}

impl Site {
    async fn new(twin: Twin, ring: usize, keys: &[&str], serializer: Serializer) -> Self {
        let servers: Vec<_> = (0..ring).map(|_| TestServer::start()).collect();
        let options = LayerOptions {
            hosts: servers.iter().map(|server| server.url(0)).collect(),
            prefix: "asgi".into(),
            capacity: 3,
            expiry_seconds: 60,
            group_expiry_seconds: 600,
            encryption_keys: keys.iter().map(|&key| key.into()).collect(),
            serializer,
            node_key: key_on_first_shard(ring),
            bound: crate::redis::Bound::none(),
        };
        let metrics = Metrics::new();
        let layer = join_layer(twin, &options, &metrics).await;
        Self { servers, options, metrics, twin, layer }
    }

    /// Joins, once that is answered in time.
    async fn join(&self, groups: &[GroupName]) {
        eventually("joined", DEADLINE, async || self.layer.join(groups).await.ok()).await;
    }

    fn redis(&self, shard: usize) -> redis::Connection {
        self.servers[shard].connection(0)
    }

    fn shard(&self, name: &str) -> usize {
        ring::index(name, self.servers.len())
    }

    /// Puts bytes where Django would.
    fn put(&self, shard: usize, channel: &str, body: &[u8], score: f64) {
        let mut redis = self.redis(shard);
        match self.twin {
            Twin::Core => {
                let member = [random_text(12).as_bytes(), body].concat();
                let key = format!("asgi{}", queue(channel));
                redis::cmd("ZADD").arg(&key).arg(score).arg(member).exec(&mut redis).expect("added");
                redis::cmd("EXPIRE").arg(key).arg(60).exec(&mut redis).expect("expires");
            }
            Twin::Pubsub => redis::cmd("PUBLISH").arg(channel).arg(body).exec(&mut redis).expect("published"),
        }
    }

    fn group_send(&self, group: &GroupName, mut message: Fields, score: f64) {
        let codec = Codec::new(&self.options);
        let member = self.options.node_key.member(group);
        if self.twin == Twin::Core {
            message.insert("__asgi_channel__".into(), json!([member, "specific.x!y"]));
            self.put(self.shard(queue(&member)), &member, &codec.seal(&message), score);
        } else {
            let channel = format!("asgi__group__{group}");
            self.put(self.shard(&channel), &channel, &codec.seal(&message), score);
        }
    }

    fn send(&self, local: &str, mut message: Fields, score: f64) {
        let channel = format!("{}{local}", self.options.node_key.as_str());
        if self.twin == Twin::Core {
            message.insert("__asgi_channel__".into(), channel.clone().into());
        }
        let body = Codec::new(&self.options).seal(&message);
        self.put(self.shard(&channel), &channel, &body, score);
    }

    async fn next(&self, count: usize) -> Vec<Inbound> {
        let mut got = Vec::new();
        while got.len() < count {
            got.extend(timeout(DEADLINE, self.layer.receive()).await.expect("a message in time"));
        }
        got
    }

    fn counted(&self, outcome: &str) -> u64 {
        self.metrics.layer_messages.with_label_values(&[outcome]).get()
    }
}

async fn variants() -> Vec<Site> {
    let mut sites = Vec::new();
    for twin in [Twin::Core, Twin::Pubsub] {
        sites.push(Site::new(twin, 1, &[], Serializer::Msgpack).await);
        sites.push(Site::new(twin, 2, &["new", "old"], Serializer::Json).await);
    }
    sites
}
