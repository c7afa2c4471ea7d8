//! Clients: what they may do, and sockets without a network.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytestring::ByteString;
use serde_json::{Value, json};
use sophie_actors::ids::{GroupName, UserId};
use sophie_actors::metrics::Metrics;
use sophie_actors::protocol::{CloseCode, Command, ErrorCode, Refusal};
use sophie_actors::rights::Shown;
use sophie_actors::socket::{Access, Attached, Commanded, OutboxLimits, Outgoing, Reply, SocketHandle};
use tokio::time::{Instant, timeout};

use super::*;

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
        Self { handle: SocketHandle::new(limits, None, || {}), metrics, read: RefCell::default() }
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
        let mut frames = Vec::new();
        while let std::task::Poll::Ready(Some(out)) = self.handle.poll_outgoing(&mut cx, &mut frames) {
            self.note(out, std::mem::take(&mut frames));
        }
    }

    fn note(&self, out: Outgoing, frames: Vec<ByteString>) {
        let mut read = self.read.borrow_mut();
        read.extend(frames.iter().map(|frame| Out::Event(serde_json::from_str(frame).expect("JSON"))));
        if let Outgoing::Close(close) = out {
            read.push_back(Out::Close(close.code));
        }
    }

    pub async fn next(&self) -> Out {
        let deadline = Instant::now() + SOON;
        loop {
            if let Some(out) = self.read.borrow_mut().pop_front() {
                return out;
            }
            let mut frames = Vec::new();
            let out = std::future::poll_fn(|cx| self.handle.poll_outgoing(cx, &mut frames));
            match timeout(deadline - Instant::now(), out).await.expect("an event in time") {
                Some(out) => self.note(out, frames),
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
