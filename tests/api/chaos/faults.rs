//! What can fail, for how long, and how it is mended.

use std::collections::BTreeMap;
use std::time::Duration;

use sophie_kit::ai_server::AiServer;
use tokio::time::Instant;

use super::backend;
use crate::support::{Broker, Passage, Proxy, SOON, TestServer};

pub const NODES: usize = 3;

/// Something that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The connections of a node to Redis are cut: it can connect again.
    NodeCut,
    AllCut,
    /// A node has no way to Redis.
    NodeApart,
    /// Redis answers a node late.
    NodeSlow,
    NodeKilled,
    NodeFrozen,
    RedisFrozen,
    RedisKilled,
    BackendGone,
}

impl Fault {
    /// What a step of 72 to 99 does.
    pub fn of(step: usize) -> Self {
        match step {
            ..76 => Self::NodeCut,
            76..78 => Self::AllCut,
            78..81 => Self::NodeApart,
            81..84 => Self::NodeSlow,
            84..88 => Self::NodeKilled,
            88..91 => Self::NodeFrozen,
            91..94 => Self::RedisFrozen,
            94..96 => Self::RedisKilled,
            _ => Self::BackendGone,
        }
    }

    /// How long it lasts, at most.
    fn longest(self) -> Duration {
        Duration::from_millis(match self {
            Self::NodeCut | Self::AllCut => 0,
            // Beyond a node's lease.
            Self::NodeApart => 14_000,
            Self::NodeSlow => 4_000,
            // Within what a client waits for the reply to a join.
            Self::NodeKilled | Self::NodeFrozen | Self::RedisFrozen | Self::RedisKilled => 5_000,
            Self::BackendGone => 3_000,
        })
    }

    /// Whether it is of one node: others may have it at the same time.
    fn is_of_a_node(self) -> bool {
        matches!(self, Self::NodeApart | Self::NodeSlow | Self::NodeKilled | Self::NodeFrozen)
    }
}

struct Pending {
    fault: Fault,
    node: usize,
    until: Instant,
}

/// All parts, and what of them has failed.
pub struct Faults {
    nodes: Vec<Broker>,
    proxies: Vec<Proxy>,
    redis: TestServer,
    ai: AiServer,
    pending: Vec<Pending>,
    counts: BTreeMap<Fault, usize>,
}

impl Faults {
    pub async fn start(seed: u64) -> Self {
        let (redis, ai) = (TestServer::durable(), AiServer::start().await);
        backend::misbehaves(&ai, seed);
        let (mut nodes, mut proxies) = (Vec::new(), Vec::new());
        for node in 0..NODES {
            let proxy = Proxy::before(redis.port());
            nodes.push(launch(0, &proxy, &ai, node).await);
            proxies.push(proxy);
        }
        Self { nodes, proxies, redis, ai, pending: Vec::new(), counts: BTreeMap::new() }
    }

    pub fn nodes(&self) -> &[Broker] {
        &self.nodes
    }

    pub fn calls(&self) -> usize {
        self.ai.calls()
    }

    /// How often each came about.
    pub fn counted(&self) -> String {
        self.counts.iter().map(|(fault, count)| format!("{fault:?}={count}")).collect::<Vec<_>>().join(" ")
    }

    /// Something fails for a part of its longest time, unless what it is about has failed already.
    pub fn begin(&mut self, fault: Fault, node: usize, part: f64) {
        let among = |other: &Pending| match fault.is_of_a_node() {
            true => other.fault.is_of_a_node() && other.node == node,
            false => !other.fault.is_of_a_node(),
        };
        let is_short = fault.longest().is_zero();
        if !is_short && self.pending.iter().any(among) {
            return;
        }
        match fault {
            Fault::NodeCut => self.proxies[node].cut(),
            Fault::AllCut => self.proxies.iter().for_each(Proxy::cut),
            Fault::NodeApart => self.proxies[node].set(Passage::Closed),
            Fault::NodeSlow => self.proxies[node].set(Passage::Late(Duration::from_millis((part * 150.0) as u64))),
            Fault::NodeKilled => self.nodes[node].signal("-KILL"),
            Fault::NodeFrozen => self.nodes[node].signal("-STOP"),
            Fault::RedisFrozen => self.redis.freeze(),
            Fault::RedisKilled => self.redis.kill(),
            Fault::BackendGone => {}
        }
        *self.counts.entry(fault).or_default() += 1;
        if !is_short {
            self.pending.push(Pending { fault, node, until: Instant::now() + fault.longest().mul_f64(part) });
        }
    }

    /// Mends what has failed for long enough. A backend that is to go, goes.
    pub async fn mend_what_is_due(&mut self) {
        if self.pending.iter().any(|it| it.fault == Fault::BackendGone) {
            self.ai.refuse().await;
        }
        let now = Instant::now();
        let due: Vec<_> = self.pending.extract_if(.., |it| it.until <= now).collect();
        for pending in due {
            self.mend(&pending).await;
        }
    }

    pub async fn mend_all(&mut self) {
        // Redis first: what starts again needs it.
        self.pending.sort_by_key(|it| it.fault.is_of_a_node());
        for pending in std::mem::take(&mut self.pending) {
            self.mend(&pending).await;
        }
    }

    async fn mend(&mut self, pending: &Pending) {
        let node = pending.node;
        match pending.fault {
            Fault::NodeCut | Fault::AllCut => {}
            Fault::NodeApart | Fault::NodeSlow => self.proxies[node].set(Passage::Late(Duration::ZERO)),
            Fault::NodeKilled => {
                let port = self.nodes[node].address.port();
                self.nodes[node].wait(SOON);
                self.nodes[node] = launch(port, &self.proxies[node], &self.ai, node).await;
            }
            Fault::NodeFrozen => self.nodes[node].signal("-CONT"),
            Fault::RedisFrozen => self.redis.thaw(),
            Fault::RedisKilled => self.redis.launch(),
            Fault::BackendGone => {
                self.ai.refuse().await;
                self.ai.accept().await;
            }
        }
    }
}

async fn launch(port: u16, proxy: &Proxy, ai: &AiServer, node: usize) -> Broker {
    let url = format!("redis://127.0.0.1:{}/0", proxy.port);
    let name = format!("n{node}");
    let own = [
        ("USE_REDIS", "true"),
        ("REDIS_URL", &*url),
        ("SOPHIE__SERVER__NODE", &*name),
        ("SOPHIE__SERVER__DRAIN_SECONDS", "0"),
        ("SOPHIE__SESSION__LOG_EVENTS", "1000000"),
        ("SOPHIE__LIMITS__ENABLED", "false"),
        ("SOPHIE__LIMITS__ANSWERS_PER_SESSION", "100"),
    ];
    Broker::start(port, &[&ai.environment()[..], &own].concat()).await
}
