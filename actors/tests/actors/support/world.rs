//! The actors, around real memory stores with faults.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use sophie_actors::admission::{LimiterHandle, RateLimiter, Slots};
use sophie_actors::answers::{Answers, AnswersHandle, Parts};
use sophie_actors::channel_layer::NoLayer;
use sophie_actors::cluster::{Ear, EarHandle, Listen};
use sophie_actors::delivery::Delivery;
use sophie_actors::ids::{GroupName, NodeId};
use sophie_actors::in_force::InForce;
use sophie_actors::ledger::Ledger;
use sophie_actors::metrics::Metrics;
use sophie_actors::node::Node;
use sophie_actors::notifier::Notifier;
use sophie_actors::protocol::Close;
use sophie_actors::registry::{GroupRegistry, RegistryHandle, Roster, SessionFactory};
use sophie_actors::session::Session;
use sophie_actors::socket::{AttachSocket, SessionHandle};
use sophie_actors::store::Stores;
use sophie_actors::store::memory::MemoryLimits;
use sophie_actors::tails::Tails;
use sophie_kit::faults::{self, Fault, Faults};
use sophie_kit::stores::memory_options;

use super::*;

/// Everything but the network.
pub struct World {
    pub node: Node,
    pub stores: Stores,
    pub faults: Faults,
    pub ai: Ai,
    /// Sessions that were started, each life counted.
    pub lives: Arc<AtomicUsize>,
}

impl World {
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    pub async fn start_with(options: Options) -> Self {
        let (mut stores, faults) = options.beside.unwrap_or_else(|| {
            tokio::time::pause();
            faults::stores(memory_options())
        });
        if let Some(flights) = options.flights {
            stores.flights = flights;
        }
        let (ai, backend) = Ai::new();
        let metrics = Metrics::new();
        let roster = Arc::new(Roster::new(NodeId::from("n1"), None));
        let (notifier, courier) = Notifier::new(options.notify, metrics.clone());
        let registry: RegistryHandle =
            GroupRegistry::new(roster.clone(), metrics.clone(), registry_options(), unwatched()).start().into();
        let ear = EarHandle::from(Ear::new(stores.clone(), registry.clone(), unwatched()).start());
        registry.read_by(ear.reader()).await.expect("somebody to ask");
        let local = Arc::new(MemoryLimits::new());
        let (limits, shared) = (InForce::new(options.limits), stores.limits.clone());
        let slots = Slots::new(stores.slots.clone(), &limits, metrics.clone());
        let limiter = RateLimiter::new(shared, local, slots.clone(), limits.clone(), metrics.clone(), unwatched());
        let limiter = LimiterHandle::of(limiter.start(), &limits);
        let tails = Tails::new(stores.logs.clone());
        let delivery = Delivery { registry: registry.clone(), tails, notifier, metrics: metrics.clone() };
        let ledger = Arc::new(Ledger::new(Arc::new(|_| None), &stores, metrics.clone()));
        let parts = Parts {
            roster: roster.clone(),
            stores: stores.clone(),
            backend: backend.into(),
            delivery: delivery.clone(),
            limiter: limiter.clone(),
            options: options.answers.into(),
            cache: options.cache,
            recordings: sophie_actors::options::RecordingOptions { keep_seconds: 3_600 },
            log_content: false,
            ledger: ledger.clone(),
            metrics: metrics.clone(),
        };
        let answers = AnswersHandle::from(Answers::new(parts, unwatched()).start());
        let node = Node {
            roster,
            registry: registry.clone(),
            limiter,
            answers,
            slots,
            stores: stores.clone(),
            layer: options.layer.unwrap_or_else(|| Arc::new(NoLayer)),
            options: options.session,
            metrics,
            delivery,
            ledger,
            tracing: sophie_actors::spans::Tracing::default(),
        };
        let listen = Listen { node: Arc::new(node.clone()), worker: None, courier };
        ear.listen(listen).await.expect("listening");
        let lives = Arc::new(AtomicUsize::new(0));
        let (shared, counter) = (Arc::new(node.clone()), lives.clone());
        let factory: SessionFactory = Arc::new(move |seed| {
            counter.fetch_add(1, Ordering::Relaxed);
            SessionHandle::of(&Session::new(seed, shared.clone()).start())
        });
        registry.install(factory).await.expect("installed");
        Self { node, stores, faults, ai, lives }
    }

    /// Another node over the same stores.
    pub async fn beside(&self) -> Self {
        let beside = Some((self.stores.clone(), self.faults.clone()));
        Self::start_with(Options { beside, ..Options::default() }).await
    }

    /// One in which something is as the test wants it.
    pub async fn start_where(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::default();
        change(&mut options);
        Self::start_with(options).await
    }

    /// Somebody has asked, and the backend is at it.
    pub async fn asked(&self, name: &str) -> (Client, Feed) {
        let client = self.connect(name).await;
        client.question("1", "hello").await;
        (client, self.ai.asked().await)
    }

    /// The same, and the client has read how the answer starts, which is returned, and what it has so far: `half`.
    pub async fn half_answered(&self, name: &str) -> (Client, Feed, Value) {
        let (client, feed) = self.asked(name).await;
        feed.text("half");
        let start = client.event_of("answer.start").await;
        client.event_of("answer.delta").await;
        (client, feed, start)
    }

    /// A command makes its session panic, and the session's next life begins.
    pub async fn fail(&self, client: &Client, id: &str) {
        let next = self.lives() + 1;
        self.faults.set("append", Fault::Panic("boom"));
        assert_eq!(client.say(id, "boom").await["code"], "internal");
        until("the session is rebuilt", || self.lives() == next).await;
    }

    /// From now on the store takes no message up, and one of this client waits for it.
    pub fn hold_up(&self, client: &Client, id: &str) {
        self.faults.set("append", Fault::Hang);
        client.send(json!({"type": "message.send", "id": id, "text": "one", "assistant": false}));
    }

    pub fn lives(&self) -> usize {
        self.lives.load(Ordering::Relaxed)
    }

    pub async fn open(&self, name: &str) -> Result<SessionHandle, Close> {
        self.node.registry.open(session(name)).await.expect("the registry lives")
    }

    /// A socket of a session, ready.
    pub async fn connect(&self, name: &str) -> Client {
        self.connect_as(name, Guest::new(name)).await
    }

    pub async fn connect_as(&self, name: &str, guest: Guest) -> Client {
        let client = self.attach(name, guest, None).await;
        client.event_of("session.ready").await;
        client
    }

    /// A socket that has been handed to its session.
    pub async fn attach(&self, name: &str, guest: Guest, resume: Option<(u64, sophie_actors::ids::Epoch)>) -> Client {
        let actor = self.open(name).await.expect("open");
        assert!(actor.is_loaded().await);
        let client = Client::new(self.node.metrics.clone());
        client.handle.bind(actor.clone());
        actor.attach(AttachSocket::new(client.attached(guest), resume)).expect("taken");
        client
    }

    /// What a group's log holds, as (type, text).
    pub async fn log(&self, name: &GroupName) -> Vec<(String, String)> {
        let size = sophie_actors::store::PageSize { events: 10_000, bytes: 1 << 24 };
        let page = self.stores.logs.read_after(name, 0, size).await.expect("read");
        let event = |event: &sophie_actors::store::StoredEvent| {
            let body: Value = serde_json::from_str(&event.body).expect("JSON");
            let text = body["text"].as_str().or(body["message"]["text"].as_str()).unwrap_or_default();
            (body["type"].as_str().unwrap_or_default().to_owned(), text.to_owned())
        };
        page.events.iter().map(event).collect()
    }
}
