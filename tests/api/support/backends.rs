//! Several AI servers behind one router.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use sophie::upstream::{BackendKey, BackendView, MemberOptions, OpenAiOptions, Patience, Router, RouterOptions};
use sophie_actors::backend::{Backend, BackendError, StreamItem};
use sophie_actors::metrics::Metrics;
use sophie_actors::openai::{BackendRequest, Body, Chunk};
use sophie_actors::protocol::ErrorCode;
use sophie_kit::ai_server::AiServer;
use tokio::time::timeout;

use super::SOON;

/// A router and its figures.
pub struct Backends {
    pub router: Router,
    metrics: Metrics,
}

/// What came of a question.
#[derive(Debug, Default)]
pub struct Told {
    pub chunks: Vec<Chunk>,
    pub done: bool,
    pub error: Option<BackendError>,
}

impl Told {
    pub fn text(&self) -> String {
        self.chunks.iter().map(|chunk| chunk.text.as_str()).collect()
    }

    pub fn code(&self) -> Option<ErrorCode> {
        self.error.as_ref().map(|error| error.code)
    }
}

/// How a server of the test is asked: once, and with more time than a machine that pauses takes.
pub fn once(base_url: String) -> OpenAiOptions {
    OpenAiOptions {
        base_url,
        api_key: BackendKey::new("test-key-123"),
        connect_seconds: 2,
        first_chunk_seconds: 10,
        idle_seconds: 10,
        total_seconds: 30,
        max_answer_bytes: 32 * 1024 * 1024,
        max_event_bytes: 16 * 1024 * 1024,
        ..OpenAiOptions::default()
    }
}

/// A backend at a server of the test, for every model, that is asked once.
pub fn member(name: &str, ai: &AiServer) -> MemberOptions {
    MemberOptions {
        name: name.to_owned(),
        models: vec!["*".to_owned()],
        url: ai.base_url(),
        reach: once(ai.base_url()),
    }
}

/// One that must begin within a second, and go on within one.
pub fn hasty(name: &str, ai: &AiServer) -> MemberOptions {
    let member = member(name, ai);
    let reach = OpenAiOptions { first_chunk_seconds: 1, idle_seconds: 1, ..member.reach };
    MemberOptions { reach, ..member }
}

impl Backends {
    /// Backends that are left out for half a second after two failures.
    pub fn new(members: Vec<MemberOptions>) -> Self {
        let half = Duration::from_millis(500);
        let patience = Patience { failures: 2, first: half, longest: half, ..Patience::default() };
        Self::with(members, patience)
    }

    /// The same with another patience.
    pub fn with(members: Vec<MemberOptions>, patience: Patience) -> Self {
        sophie::tls::install();
        let metrics = Metrics::new();
        let options = RouterOptions {
            members,
            model: "chat-model".into(),
            total_seconds: 30,
            patience,
            prices: Arc::new(|_| None),
        };
        Self {
            router: Router::new(options, &metrics)
                .map_err(|(name, bad)| format!("{name}: {bad}"))
                .expect("good options"),
            metrics,
        }
    }

    /// Asks the model `m`.
    pub async fn ask(&self) -> Told {
        self.ask_for(json!({ "model": "m", "messages": [] })).await
    }

    /// Asks anything, and reads all of the answer.
    pub async fn ask_for(&self, body: Value) -> Told {
        let Value::Object(body) = body else { panic!("not an object") };
        let mut told = Told::default();
        let begun = timeout(SOON * 2, self.router.stream(&BackendRequest::from(Body::from(body))))
            .await
            .expect("begins or fails");
        let mut stream = match begun {
            Ok(stream) => stream,
            Err(error) => return Told { error: Some(error), ..told },
        };
        while let Some(item) = timeout(SOON * 2, stream.next()).await.expect("the answer ends") {
            match item {
                Ok(StreamItem::Chunk(chunk)) => told.chunks.push(chunk),
                Ok(StreamItem::Done) => told.done = true,
                Err(error) => told.error = Some(error),
            }
        }
        told
    }

    /// How one fares.
    pub fn view(&self, name: &str) -> BackendView {
        self.router.view().into_iter().find(|view| view.name == name).expect("a backend of this name")
    }

    /// A figure as Prometheus reads it, 0 if it is not there.
    pub fn figure(&self, series: &str) -> f64 {
        let text = self.metrics.render();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().expect("a number"))
    }

    /// How many requests to a backend ended so.
    pub fn ended(&self, name: &str, outcome: &str) -> u32 {
        self.figure(&format!("sophie_backend_requests_total{{backend=\"{name}\",outcome=\"{outcome}\"}}")) as u32
    }
}
