//! The actors around real memory stores, a backend that the test plays, and sockets without a network.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::prelude::*;
use async_trait::async_trait;
use serde_json::{Value, json};
use sophie_actors::actor::ExitGuard;
use sophie_actors::admission::{LimiterHandle, RateLimiter, Slots};
use sophie_actors::answers::{Answers, AnswersHandle, Parts};
use sophie_actors::backend::{Backend, BackendError, ChunkStream, StreamItem};
use sophie_actors::channel_layer::{ChannelLayer, NoLayer};
use sophie_actors::cluster::{Ear, EarHandle, Listen};
use sophie_actors::delivery::Delivery;
use sophie_actors::ids::{GroupName, NodeId, SessionId, UserId};
use sophie_actors::ledger::Ledger;
use sophie_actors::metrics::Metrics;
use sophie_actors::node::Node;
use sophie_actors::notifier::Notifier;
use sophie_actors::openai::{ChatRequest, Chunk, ChunkWriter};
use sophie_actors::options::{AnswerOptions, CacheOptions, CacheScope, LimitOptions, SessionOptions};
use sophie_actors::protocol::{Close, CloseCode, Command, ErrorCode, Kind, Refusal};
use sophie_actors::registry::{GroupRegistry, RegistryHandle, Roster, SessionFactory};
use sophie_actors::rights::Shown;
use sophie_actors::session::Session;
use sophie_actors::socket::{
    Access, AttachSocket, Attached, Commanded, OutboxLimits, Outgoing, Reply, SessionHandle, SocketHandle,
};
use sophie_actors::store::Stores;
use sophie_actors::store::memory::MemoryLimits;
use sophie_kit::faults::{self, Faults};
use sophie_kit::stores::memory_options;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

/// Virtual time: it passes at once when everybody waits.
pub const SOON: Duration = Duration::from_secs(300);
pub const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub fn session(name: &str) -> SessionId {
    SessionId::parse(name).expect("a legal name")
}

pub fn group(name: &str) -> GroupName {
    GroupName::parse(name).expect("a legal name")
}

/// A guard that tells nobody.
pub fn unwatched() -> ExitGuard {
    ExitGuard::new(|_| {})
}

/// What a test may choose.
pub struct Options {
    pub session: SessionOptions,
    pub limits: LimitOptions,
    pub answers: AnswerOptions,
    pub cache: CacheOptions,
    /// What Django is told.
    pub notify: Vec<Kind>,
    /// In the place of no Django.
    pub layer: Option<Arc<dyn ChannelLayer>>,
    pub flights: Option<Arc<dyn sophie_actors::store::Flights>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            session: SessionOptions {
                max_text_chars: 32_000,
                max_frame_bytes: 1 << 20,
                max_groups: 10,
                ping_seconds: 25,
                pong_seconds: 10,
                idle_seconds: 60,
                log_events: 1_000,
                log_seconds: 86_400,
                outbox_bytes: 1 << 20,
                outbox_messages: 1_000,
                outbox_seconds: 3_600,
                commands_per_second: 50,
                presence_members: 100,
                commands_burst: 500,
            },
            limits: LimitOptions {
                enabled: true,
                user_messages_per_minute: 6_000,
                user_burst: 1_000,
                user_tokens_per_hour: 10_000_000,
                address_messages_per_minute: 60_000,
                address_tokens_per_hour: 0,
                group_messages_per_minute: 0,
                group_tokens_per_hour: 0,
                service_messages_per_minute: 0,
                service_tokens_per_hour: 0,
                answers_per_session: 4,
                answers_at_once: 0,
                connects_per_minute: 6_000,
                reads_per_minute: 1_200,
                joins_per_minute: 60,
                key_requests_per_minute: 600,
                key_burst: 60,
            },
            answers: AnswerOptions {
                model: "test".into(),
                system_prompt: String::new(),
                history_tokens: 1_000,
                max_answer_bytes: 1 << 16,
                total_seconds: 600,
                abandon_seconds: 30,
            },
            cache: CacheOptions {
                enabled: true,
                ttl_seconds: 3_600,
                scope: CacheScope::Global,
                max_entry_bytes: 1 << 20,
                memory_bytes: 1 << 20,
            },
            notify: Vec::new(),
            layer: None,
            flights: None,
        }
    }
}

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
        tokio::time::pause();
        let (mut stores, faults) = faults::stores(memory_options());
        if let Some(flights) = options.flights {
            stores.flights = flights;
        }
        let (ai, backend) = Ai::new();
        let metrics = Metrics::new();
        let roster = Arc::new(Roster::new(NodeId::from("n1"), None));
        let (notifier, courier) = Notifier::new(options.notify, metrics.clone());
        let ping = Duration::from_secs(25);
        let registry: RegistryHandle =
            GroupRegistry::new(roster.clone(), metrics.clone(), ping, 100, unwatched()).start().into();
        let ear = EarHandle::from(Ear::new(stores.clone(), registry.clone(), unwatched()).start());
        registry.read_by(ear.reader()).await.expect("somebody to ask");
        let local = Arc::new(MemoryLimits::new());
        let slots = Slots::new(stores.slots.clone(), &options.limits, metrics.clone());
        let (limits, shared) = (options.limits.clone(), stores.limits.clone());
        let limiter = RateLimiter::new(shared, local, slots.clone(), limits, metrics.clone(), unwatched());
        let limiter = LimiterHandle::from(limiter.start());
        let delivery = Delivery { registry: registry.clone(), notifier, metrics: metrics.clone() };
        let ledger = Arc::new(Ledger::new(Arc::new(|_| None), &stores, metrics.clone()));
        let parts = Parts {
            roster: roster.clone(),
            stores: stores.clone(),
            backend,
            delivery: delivery.clone(),
            limiter: limiter.clone(),
            options: options.answers,
            cache: options.cache,
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

/// Waits until something holds.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    sophie_kit::until(what, SOON, holds).await;
}

/// What a connected client may do.
#[derive(Debug, Clone)]
pub struct Guest {
    pub user: UserId,
    pub expires_at: Option<Instant>,
    /// As of a user with a token.
    pub shown: Option<Shown>,
}

impl Guest {
    pub fn new(user: &str) -> Self {
        Self { user: UserId::from(user), expires_at: None, shown: None }
    }

    pub fn until(user: &str, within: Duration) -> Self {
        Self { expires_at: Some(Instant::now() + within), ..Self::new(user) }
    }
}

#[async_trait]
impl Access for Guest {
    fn user(&self) -> &UserId {
        &self.user
    }
    fn may_join(&self, group: &GroupName) -> bool {
        !group.as_str().starts_with("secret")
    }
    fn rights(&self) -> Option<&Shown> {
        self.shown.as_ref()
    }
    fn expires_in(&self) -> Option<Duration> {
        self.expires_at.map(|at| at.saturating_duration_since(Instant::now()))
    }
    async fn refresh(&self, token: &str) -> Result<Arc<dyn Access>, Refusal> {
        match token {
            "good" => Ok(Arc::new(Self { expires_at: None, ..self.clone() })),
            _ => Err(Refusal::new(ErrorCode::NotAllowed, "no")),
        }
    }
}

/// What comes out of a socket.
#[derive(Debug, Clone, PartialEq)]
pub enum Out {
    Event(Value),
    Close(CloseCode),
}

/// A socket without a network.
pub struct Client {
    pub handle: SocketHandle,
    metrics: Metrics,
    read: RefCell<VecDeque<Out>>,
}

impl Client {
    pub fn new(metrics: Metrics) -> Self {
        let limits = OutboxLimits { bytes: 1 << 20, frames: 1_000, age: Duration::from_secs(86_400) };
        Self { handle: SocketHandle::new(limits, || {}), metrics, read: RefCell::default() }
    }

    pub fn attached(&self, guest: Guest) -> Attached {
        Attached { handle: self.handle.clone(), access: Arc::new(guest), address: ADDRESS, since_ms: 0 }
    }

    /// Sends a command.
    pub fn send(&self, command: Value) {
        let command = Command::parse(&command.to_string(), 32_000);
        let (id, command) = match command {
            Ok(command) => (command.id, Ok(command.body)),
            Err(bad) => (bad.id, Err(bad.refusal)),
        };
        let reply = Reply::new(self.handle.clone(), id, self.metrics.clone());
        let session = self.handle.session().expect("bound");
        _ = session.command(Commanded { socket: self.handle.id(), command, reply });
    }

    pub async fn ask(&self, id: &str, mut command: Value) -> Value {
        command["id"] = id.into();
        self.send(command);
        self.reply(id).await
    }

    /// Says something that nobody answers.
    pub async fn say(&self, id: &str, text: &str) -> Value {
        self.ask(id, json!({"type": "message.send", "text": text, "assistant": false})).await
    }

    /// Asks the AI something.
    pub async fn question(&self, id: &str, text: &str) -> Value {
        self.ask(id, json!({"type": "message.send", "text": text})).await
    }

    /// What has come already, without waiting.
    fn take_waiting(&self) {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        // Twice, since after a full batch the outbox wants its transport to write first.
        for _ in 0..2 {
            while let std::task::Poll::Ready(Some(out)) = self.handle.poll_outgoing(&mut cx) {
                self.note(out);
            }
        }
    }

    fn note(&self, out: Outgoing) {
        let mut read = self.read.borrow_mut();
        match out {
            Outgoing::Frames(frames) => {
                read.extend(frames.iter().map(|frame| Out::Event(serde_json::from_str(frame).expect("JSON"))));
            }
            Outgoing::Close(close) => read.push_back(Out::Close(close.code)),
        }
    }

    pub async fn next(&self) -> Out {
        let deadline = Instant::now() + SOON;
        loop {
            if let Some(out) = self.read.borrow_mut().pop_front() {
                return out;
            }
            let out = std::future::poll_fn(|cx| self.handle.poll_outgoing(cx));
            match timeout(deadline - Instant::now(), out).await.expect("an event in time") {
                Some(out) => self.note(out),
                None => panic!("the socket is closed"),
            }
        }
    }

    pub async fn event(&self) -> Value {
        match self.next().await {
            Out::Event(event) => event,
            Out::Close(code) => panic!("closed: {code:?}"),
        }
    }

    pub async fn event_of(&self, kind: &str) -> Value {
        loop {
            let event = self.event().await;
            if event["type"] == kind {
                return event;
            }
        }
    }

    pub async fn reply(&self, id: &str) -> Value {
        loop {
            let event = self.event().await;
            if event["id"] == id {
                return event;
            }
        }
    }

    pub async fn closed(&self) -> CloseCode {
        loop {
            if let Out::Close(code) = self.next().await {
                return code;
            }
        }
    }

    /// Every event that waits now.
    pub fn waiting(&self) -> Vec<Value> {
        self.take_waiting();
        let read = self.read.borrow_mut().drain(..).collect::<Vec<_>>();
        read.into_iter().filter_map(|out| if let Out::Event(event) = out { Some(event) } else { None }).collect()
    }

    /// The client is gone, as the transport tells it.
    pub fn leave(&self) {
        self.handle.mark_gone();
        if let Some(session) = self.handle.session() {
            session.closed(self.handle.id());
        }
    }
}

/// One request at the backend, to be answered by the test.
pub struct Feed {
    items: mpsc::UnboundedSender<Option<Result<StreamItem, BackendError>>>,
    writer: ChunkWriter,
}

impl Feed {
    fn send(&self, item: Option<Result<StreamItem, BackendError>>) {
        _ = self.items.send(item);
    }

    pub fn chunk(&self, chunk: Chunk) {
        self.send(Some(Ok(StreamItem::Chunk(chunk))));
    }

    pub fn text(&self, text: &str) {
        self.chunk(self.writer.text(text));
    }

    pub fn finish(&self, reason: &str) {
        self.chunk(self.writer.finish(reason));
    }

    pub fn done(&self) {
        self.send(Some(Ok(StreamItem::Done)));
    }

    /// A whole answer.
    pub fn answer(&self, text: &str) {
        self.text(text);
        self.finish("stop");
        self.done();
    }

    pub fn fail(&self) {
        let error = BackendError::new(ErrorCode::AiUnavailable, "the AI cannot be reached", "told to fail");
        self.send(Some(Err(error)));
    }

    /// The stream panics.
    pub fn panic(&self) {
        self.send(None);
    }

    pub fn is_dropped(&self) -> bool {
        self.items.is_closed()
    }
}

/// The test's end of the backend.
pub struct Ai(Mutex<mpsc::UnboundedReceiver<Feed>>);

impl Ai {
    pub fn new() -> (Self, Arc<dyn Backend>) {
        let (asked, requests) = mpsc::unbounded_channel();
        (Self(Mutex::new(requests)), Arc::new(Played(asked)))
    }

    /// The next request.
    pub async fn asked(&self) -> Feed {
        let next = std::future::poll_fn(|cx| self.0.lock().expect("one reader").poll_recv(cx));
        timeout(SOON, next).await.expect("a request in time").expect("the backend lives")
    }

    /// Whether nobody asks, once everything has come to rest.
    pub async fn is_idle(&self) -> bool {
        sleep(Duration::from_millis(200)).await;
        self.0.lock().expect("one reader").try_recv().is_err()
    }
}

struct Played(mpsc::UnboundedSender<Feed>);

#[async_trait]
impl Backend for Played {
    async fn stream(&self, _: &ChatRequest) -> Result<ChunkStream, BackendError> {
        let (items, from) = mpsc::unbounded_channel::<Option<Result<StreamItem, BackendError>>>();
        _ = self.0.send(Feed { items, writer: ChunkWriter::new("test") });
        let stream = futures_util::stream::unfold(from, |mut from| async {
            let item = from.recv().await?;
            Some((item.expect("told to panic"), from))
        });
        Ok(Box::pin(stream))
    }

    fn name(&self) -> &'static str {
        "played"
    }
}
