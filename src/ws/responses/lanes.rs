//! The lanes of one connection: within one the responses come one after the other, and beside each other in several.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use actix_web::rt;
use sophie_actors::ids::RequestId;
use sophie_actors::in_force::Changes;
use sophie_actors::protocol::CloseCode;
use sophie_actors::socket::Taken;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::frame::{Create, Frame, LaneName};
use super::memory::Memory;
use super::said;
use crate::http::Policy;
use crate::http::gateway::GatewayError;
use crate::http::responses::{Caller, coded};
use crate::ws::dialect::{Dialect, Socket};

/// Lanes that one connection may have at work, responses that may be under way in them at once, and how long it lasts: OpenAI's figures.
const MOST_LANES: usize = 32;
const MOST_ACTIVE: usize = 16;
const LASTS: Duration = Duration::from_secs(60 * 60);
/// Requests that may wait behind others of their lanes.
const MOST_WAITING: usize = 64;

/// A lane at work.
struct Lane {
    waiting: VecDeque<Create>,
    task: AbortHandle,
}

/// What the lanes of a connection share.
pub(super) struct Shared {
    pub(super) socket: Rc<Socket>,
    caller: Caller,
    pub(super) memory: RefCell<Memory>,
    lanes: RefCell<HashMap<LaneName, Lane>>,
    active: Semaphore,
    is_old: Cell<bool>,
    /// The settings have its key no more.
    is_revoked: Cell<bool>,
}

/// The connection's side of them.
pub(super) struct Lanes {
    shared: Rc<Shared>,
    clock: AbortHandle,
    key: AbortHandle,
}

impl Lanes {
    pub(super) fn open(socket: Rc<Socket>, caller: Caller) -> Self {
        // Who comes with a key is known from the first.
        socket.becomes_known();
        let memory = Memory::new(socket.state.gateway.max_body_bytes);
        let shared = Rc::new(Shared {
            socket,
            caller,
            memory: RefCell::new(memory),
            lanes: RefCell::default(),
            active: Semaphore::new(MOST_ACTIVE),
            is_old: Cell::new(false),
            is_revoked: Cell::new(false),
        });
        let of_age = shared.clone();
        let clock = rt::spawn(async move {
            sleep(LASTS).await;
            of_age.is_old.set(true);
            of_age.leave_when_idle();
        });
        let changes = shared.socket.state.in_force.changes();
        let key = rt::spawn(shared.clone().watch_key(changes));
        Self { shared, clock: clock.abort_handle(), key: key.abort_handle() }
    }
}

impl Dialect for Lanes {
    // What waits is counted here: it may wait for minutes, in which the rest must be read.
    fn frame(&mut self, text: &str, _: Taken) {
        match Frame::read(text) {
            Ok((lane, Frame::Create(create))) => {
                if let Err(refused) = self.shared.take(&lane, *create) {
                    self.shared.refuse(&lane, &refused);
                }
            }
            Ok((_, Frame::Steer(asked))) => self.shared.socket.say(&said::not_steered(&asked)),
            Err((lane, refused)) => self.shared.refuse(&lane, &refused),
        }
    }

    fn closed(&mut self) {
        self.clock.abort();
        self.key.abort();
        for lane in self.shared.lanes.borrow_mut().drain() {
            lane.1.task.abort();
        }
    }
}

impl Shared {
    pub(super) fn refuse(&self, lane: &LaneName, refused: &GatewayError) {
        self.socket.say(&said::refused(lane, refused));
    }

    /// Takes a request into its lane.
    fn take(self: &Rc<Self>, name: &LaneName, create: Create) -> Result<(), GatewayError> {
        if self.socket.state.is_draining() {
            return Err(GatewayError::draining());
        }
        if self.is_revoked.get() {
            return Err(GatewayError::key_is_gone());
        }
        if self.is_old.get() {
            let message = "This connection is as old as one may be (60 minutes); open another one.";
            return Err(coded("websocket_connection_limit_reached", message));
        }
        let mut lanes = self.lanes.borrow_mut();
        let waiting = || lanes.values().flat_map(|lane| &lane.waiting);
        let bytes: usize = waiting().map(|create| create.bytes).sum();
        if waiting().count() >= MOST_WAITING || bytes > self.socket.state.gateway.max_body_bytes {
            let message = "Too much waits on this connection; send more when some of it is through.";
            return Err(coded("websocket_stream_limit_reached", message));
        }
        if let Some(lane) = lanes.get_mut(name) {
            lane.waiting.push_back(create);
            return Ok(());
        }
        if lanes.len() >= MOST_LANES {
            let message = format!("At most {MOST_LANES} lanes of a connection may be at work at once.");
            return Err(coded("websocket_stream_limit_reached", &message).about("stream_id"));
        }
        // It does not begin before it is entered: it is on this thread.
        let task = rt::spawn(RequestId::carried(self.clone().work(name.clone()))).abort_handle();
        lanes.insert(name.clone(), Lane { waiting: [create].into(), task });
        Ok(())
    }

    /// Carries out what is in a lane, one after the other.
    async fn work(self: Rc<Self>, name: LaneName) {
        let _answering = self.socket.answering();
        while let Some(create) = self.next(&name) {
            let Ok(_turn) = self.active.acquire().await else { return };
            RequestId::spanned("responses.create", self.carry_out(&name, create)).await;
        }
        self.leave_when_idle();
    }

    /// What is next in a lane, which is over when there is nothing.
    fn next(&self, name: &LaneName) -> Option<Create> {
        let mut lanes = self.lanes.borrow_mut();
        let next = lanes.get_mut(name)?.waiting.pop_front();
        if next.is_none() {
            lanes.remove(name);
        }
        next
    }

    /// The caller as the settings have it now: its key may have got other models and limits since it came.
    ///
    /// # Errors
    /// Its key is there no more.
    pub(super) fn caller_now(&self) -> Result<Caller, GatewayError> {
        match self.socket.state.policy().holder_now(&self.caller.holder) {
            Some(holder) => Ok(Caller { holder: holder.clone(), ..self.caller.clone() }),
            None => Err(GatewayError::key_is_gone()),
        }
    }

    /// Lets the connection go once its key is there no more: what is under way comes to its end, and nothing else begins.
    async fn watch_key(self: Rc<Self>, mut changes: Changes<Policy>) {
        while let Some(policy) = changes.next().await {
            if policy.holder_now(&self.caller.holder).is_none() {
                self.is_revoked.set(true);
                return self.leave_when_idle();
            }
        }
    }

    fn leave_when_idle(&self) {
        if !self.lanes.borrow().is_empty() {
            return;
        }
        if self.is_revoked.get() {
            self.socket.close(CloseCode::BadToken);
        } else if self.is_old.get() {
            self.socket.close(CloseCode::Draining);
        }
    }
}
