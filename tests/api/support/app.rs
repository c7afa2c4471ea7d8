//! The program, started within the test process on a port of its own.

use std::net::SocketAddr;
use std::thread::JoinHandle;

use serde_json::Value;
use sophie::app::{Program, Replacements};
use sophie::settings::{LoadFrom, Settings};
use sophie_actors::node::Node;
use sophie_actors::redis::Budgets;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::{Client, Request, SOON, TestServer, TestSocket};

/// The admin token of every test's program.
pub const ADMIN_TOKEN: &str = "the-operators-token-of-the-tests";

/// Where the program keeps things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// In memory.
    Memory,
    /// In a redis-server of the test's own.
    Redis,
}

/// A running program. It is drained and stopped when it is dropped.
pub struct TestApp {
    address: SocketAddr,
    node: Node,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), String>>>,
    http: Client,
    /// The Redis of this program.
    pub redis: Option<TestServer>,
}

impl TestApp {
    /// The program in a mode, with the demo backend, no rate limits and a short drain; `environment` comes on top.
    pub async fn start(mode: Mode, environment: &[(&str, &str)]) -> Self {
        Self::start_with(mode, environment, Replacements::default()).await
    }

    /// [`Self::start`] with time for Redis, and none for a drain: where neither is the matter, a busy machine fails no test.
    pub async fn patient(mode: Mode, environment: &[(&str, &str)]) -> Self {
        let budgets = Some(Budgets { append: SOON, other: SOON });
        let environment = [&[("SOPHIE__SERVER__DRAIN_SECONDS", "0")], environment].concat();
        Self::start_with(mode, &environment, Replacements { budgets, ..Replacements::default() }).await
    }

    /// [`Self::patient`], one more node on a Redis that several share.
    pub async fn one_of(redis: &TestServer, name: &str, environment: &[(&str, &str)]) -> Self {
        Self::one_at(redis.url(0), name, environment).await
    }

    /// [`Self::one_of`] on the Redis of a URL.
    pub async fn one_at(url: String, name: &str, environment: &[(&str, &str)]) -> Self {
        let budgets = Some(Budgets { append: SOON, other: SOON });
        let own = [("SOPHIE__SERVER__DRAIN_SECONDS", "0"), ("SOPHIE__SERVER__NODE", name)];
        let replacements = Replacements { budgets, ..Replacements::default() };
        Self::launch(Some(url), &[&own[..], environment].concat(), replacements).await
    }

    /// [`Self::start`] with parts replaced.
    pub async fn start_with(mode: Mode, environment: &[(&str, &str)], replacements: Replacements) -> Self {
        let redis = (mode == Mode::Redis).then(TestServer::start);
        let mut app = Self::launch(redis.as_ref().map(|redis| redis.url(0)), environment, replacements).await;
        app.redis = redis;
        app
    }

    async fn launch(redis: Option<String>, environment: &[(&str, &str)], replacements: Replacements) -> Self {
        sophie::tls::install();
        let mut all = vec![
            ("SOPHIE__SERVER__BIND".to_owned(), "127.0.0.1:0".to_owned()),
            ("SOPHIE__SERVER__WORKERS".to_owned(), "2".to_owned()),
            ("SOPHIE__SERVER__DRAIN_SECONDS".to_owned(), "1".to_owned()),
            ("SOPHIE__ADMIN__TOKEN".to_owned(), ADMIN_TOKEN.to_owned()),
            ("SOPHIE__LIMITS__ENABLED".to_owned(), "false".to_owned()),
            ("SOPHIE__AI__BACKEND".to_owned(), "demo".to_owned()),
        ];
        if let Some(url) = redis {
            all.push(("USE_REDIS".to_owned(), "true".to_owned()));
            all.push(("REDIS_URL".to_owned(), url));
        }
        for (name, value) in environment {
            all.retain(|(known, _)| known != name);
            all.push(((*name).to_owned(), (*value).to_owned()));
        }
        let dir = TempDir::new().expect("a directory");
        let loaded = Settings::load(&LoadFrom { dir: dir.path().to_owned(), file: None, environment: all });
        let settings = loaded.expect("good settings").settings;
        let (stop, stopped) = oneshot::channel();
        let (started, start) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app = match Program::build_with(settings, replacements).await {
                    Ok(app) => app,
                    Err(error) => return Err(error.to_string()),
                };
                _ = started.send((app.address(), app.node().clone()));
                app.run(async { _ = stopped.await }).await.map_err(|error| error.to_string())
            })
        });
        let (address, node) = start.await.expect("the program starts");
        let http = Client::new();
        Self { address, node, stop: Some(stop), thread: Some(thread), http, redis: None }
    }

    /// `http://…` of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The Redis of this program.
    pub fn redis(&self) -> &TestServer {
        self.redis.as_ref().expect("a program in Redis mode")
    }

    /// The program's actors and stores.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// An HTTP request to the program.
    pub fn request(&self, method: &str, path: &str) -> Request {
        self.http.request(method, self.url(path))
    }

    /// A request of an operator: status and JSON body.
    pub async fn admin(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.request(method, path).bearer_auth(ADMIN_TOKEN);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("a response");
        (response.status().as_u16(), response.json().await.expect("JSON"))
    }

    /// A socket of a session, ready.
    pub async fn open(&self, session: &str) -> TestSocket {
        TestSocket::open(self.address, session, "").await
    }

    /// A socket of a session with a query, ready.
    pub async fn open_with(&self, session: &str, query: &str) -> TestSocket {
        TestSocket::open(self.address, session, query).await
    }

    /// A figure as Prometheus reads it, 0 if it is not there.
    pub fn figure(&self, series: &str) -> f64 {
        let text = self.node().metrics.render();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().expect("a number"))
    }

    /// Where the program listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks the program to end and waits for it.
    pub async fn stop(mut self) -> Result<(), String> {
        drop(self.stop.take());
        let thread = self.thread.take().expect("stopped once");
        tokio::task::spawn_blocking(|| thread.join().expect("no panic")).await.expect("joined")
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}
