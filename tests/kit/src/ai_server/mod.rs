//! An AI server that misbehaves on request.
//!
//! It speaks raw HTTP/1.1 over TCP, so that it can be wrong in every way in which real ones are. Each call to
//! `POST …/chat/completions` takes the next [`Script`] from the queue, or the default one if the queue is empty; so does each
//! to `POST …/embeddings`, whose default is [`Script::embeddings`], and to `POST …/responses`, whose default is a
//! [`Script::response`]. Calls are counted from 0 in the order of their arrival.
//!
//! ```ignore
//! let ai = AiServer::start().await;
//! ai.push(Script::answer("Hello there."));
//! // … ai.base_url() goes into `ai.base_url` …
//! let (script, gate) = Script::gated();
//! ai.push(script);
//! // … ask …
//! gate.word("one ");
//! ai.wait_cancelled(1, Duration::from_secs(2)).await;
//! assert_eq!(ai.calls(), 2);
//! ```
//!
//! `GET …/models` is answered with one model, or those of [`AiServer::set_models`], and is not a call.

mod call;
mod chunks;
mod connection;
mod gate;
mod responses;
mod script;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::HeldPort;

pub use self::call::Call;
pub use self::chunks::{finish, role, usage, word};
pub use self::gate::Gate;
pub use self::responses::{called, said};
pub use self::script::Script;

struct Scripts {
    queue: VecDeque<Script>,
    default: Box<dyn Fn() -> Script + Send>,
}

/// The models that are listed, and how often they were asked for.
struct Models {
    names: Vec<String>,
    asked: usize,
}

#[derive(Clone)]
struct State {
    models: Arc<Mutex<Models>>,
    scripts: Arc<Mutex<Scripts>>,
    calls: Arc<watch::Sender<Vec<Call>>>,
}

/// The server. It ends when it is dropped.
pub struct AiServer {
    address: SocketAddr,
    base_url: String,
    state: State,
    listening: Mutex<Option<JoinHandle<()>>>,
    _port: HeldPort,
}

impl AiServer {
    /// Listens on a port of its own. By default each call gets a short good answer.
    pub async fn start() -> Self {
        let port = HeldPort::free();
        let listener = TcpListener::bind(("127.0.0.1", port.number())).await.expect("it is held");
        let scripts = Scripts { queue: VecDeque::new(), default: Box::new(|| Script::answer("Hello from the test.")) };
        let models = Models { names: vec!["test-model".into()], asked: 0 };
        let state = State {
            models: Arc::new(Mutex::new(models)),
            scripts: Arc::new(Mutex::new(scripts)),
            calls: Arc::new(watch::Sender::new(vec![])),
        };
        let address = listener.local_addr().expect("an address");
        let listening = Mutex::new(Some(tokio::spawn(listen(listener, state.clone()))));
        Self { address, base_url: format!("http://{address}/v1"), state, listening, _port: port }
    }

    /// What goes into `ai.base_url`.
    pub fn base_url(&self) -> String {
        self.base_url.clone()
    }

    /// The environment of a program that asks it.
    pub fn environment(&self) -> [(&'static str, &str); 3] {
        [("SOPHIE__AI__BACKEND", "openai"), ("OPENAI_BASE_URL", &self.base_url), ("OPENAI_API_KEY", "x")]
    }

    /// Which models it lists.
    pub fn set_models(&self, names: &[&str]) {
        self.state.models.lock().expect("whole").names = names.iter().map(|name| (*name).to_owned()).collect();
    }

    /// How often its models were asked for.
    pub fn models_asked(&self) -> usize {
        self.state.models.lock().expect("whole").asked
    }

    /// Queues a script for one call.
    pub fn push(&self, script: Script) {
        self.state.scripts.lock().expect("whole").queue.push_back(script);
    }

    /// What calls get when the queue is empty.
    pub fn set_default(&self, script: impl Fn() -> Script + Send + 'static) {
        self.state.scripts.lock().expect("whole").default = Box::new(script);
    }

    /// Refuses connections, and breaks those that there are, until [`AiServer::accept`].
    pub async fn refuse(&self) {
        let listening = self.listening.lock().expect("whole").take();
        if let Some(listening) = listening {
            listening.abort();
            // Only when the task is gone is its listener.
            let _ = listening.await;
        }
    }

    /// Listens again, on the same port.
    pub async fn accept(&self) {
        let listener = TcpListener::bind(self.address).await.expect("the same port");
        let old = self.listening.lock().expect("whole").replace(tokio::spawn(listen(listener, self.state.clone())));
        assert!(old.is_none(), "it was listening");
    }

    /// How many calls there were.
    pub fn calls(&self) -> usize {
        self.state.calls.borrow().len()
    }

    /// A call as it stands.
    pub fn call(&self, n: usize) -> Call {
        self.state.calls.borrow().get(n).cloned().unwrap_or_else(|| panic!("there was no call {n}"))
    }

    /// Waits until there were so many calls.
    pub async fn wait_calls(&self, count: usize, within: Duration) {
        self.wait(&format!("{count} calls"), within, |calls| calls.len() >= count).await;
    }

    /// Waits until the client has closed the connection of call `n` before its script was through.
    pub async fn wait_cancelled(&self, n: usize, within: Duration) {
        self.wait(&format!("call {n} cancelled"), within, |calls| calls.get(n).is_some_and(|it| it.cancelled)).await;
    }

    /// Waits until the script of call `n` was played to its end.
    pub async fn wait_finished(&self, n: usize, within: Duration) {
        self.wait(&format!("call {n} finished"), within, |calls| calls.get(n).is_some_and(|it| it.finished)).await;
    }

    /// Waits until something holds for the calls; panics with `what` if it takes too long.
    pub async fn wait(&self, what: &str, within: Duration, holds: impl Fn(&[Call]) -> bool) {
        let mut calls = self.state.calls.subscribe();
        let waited = tokio::time::timeout(within, calls.wait_for(|calls| holds(calls))).await;
        assert!(waited.is_ok(), "waited {within:?} in vain for: {what}; there were {:#?}", self.state.calls.borrow());
    }
}

impl Drop for AiServer {
    fn drop(&mut self) {
        if let Some(listening) = self.listening.lock().expect("whole").take() {
            listening.abort();
        }
    }
}

/// Owns its connections: they end with it.
async fn listen(listener: TcpListener, state: State) {
    let mut connections = JoinSet::new();
    let mut count = 0;
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(connection::serve(stream, count, state.clone()));
                count += 1;
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
